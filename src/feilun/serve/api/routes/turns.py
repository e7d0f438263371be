"""Turns of the wheel, and what happens meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from fastapi import Depends, Header, Query
from starlette.responses import Response, StreamingResponse

from feilun.project import Project
from feilun.records import Event, Preflight
from feilun.serve.api.errors import ServerBusy
from feilun.serve.api.house import MAX_STREAMS
from feilun.serve.api.routes.feedback import MAX_SEQ
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send
from feilun.serve.api.shapes import EventPage, TurnList, TurnRequest, TurnRequested, TurnRow

routes = Routes("turns")
Reading = Annotated[ProjectVisit, Depends(InProject("read"))]
LOOK_EVERY_S = 0.5
SIGN_OF_LIFE_S = 15.0  # proxies close a line on which nothing was said for longer


@routes(
    "POST",
    "/v1/projects/{name}/turns",
    summary="Ask for a turn of the wheel.",
    reply=TurnRequested,
    status=202,
    problems=(507,),
)
async def request_turn(
    visit: Annotated[ProjectVisit, Depends(InProject("admin"))], body: TurnRequest | None = None
) -> Response:
    """Leaves a request; the server's worker takes it up. Follow it with GET …/events."""
    note = body.note if body is not None else ""
    requested = await visit.house.read(visit.project.request_turn, note=note, actor=visit.caller.name)
    return send({"requested": requested}, status=202)


@routes("GET", "/v1/projects/{name}/turns", summary="List the turns.", reply=TurnList, problems=(422,))
async def list_turns(
    visit: Reading, limit: Annotated[int, Query(ge=1, le=1000, description="Most rows, latest first.")] = 100
) -> Response:
    """Running, done, failed and cancelled ones."""

    def look() -> list[dict[str, Any]]:
        return [_turn(visit.project, row) for row in visit.project.list_turns(limit=limit)]

    return send({"turns": await visit.house.read(look)})


@routes("GET", "/v1/projects/{name}/turns/{turn_id}", summary="See one turn.", reply=TurnRow)
async def get_turn(visit: Reading, turn_id: str) -> Response:
    """How far it is, or what it came to."""
    return send(await visit.house.read(_look, visit.project, turn_id))


@routes(
    "POST",
    "/v1/projects/{name}/turns/{turn_id}/cancel",
    summary="Cancel a turn.",
    reply=TurnRow,
    problems=(507,),
)
async def cancel_turn(visit: Annotated[ProjectVisit, Depends(InProject("admin"))], turn_id: str) -> Response:
    """It stops within seconds, and nothing of it goes live. One that has ended stays as it ended."""
    await visit.house.read(visit.project.cancel_turn, turn_id, actor=visit.caller.name)
    return send(await visit.house.read(_look, visit.project, turn_id))


@routes(
    "POST",
    "/v1/projects/{name}/turns/{turn_id}/pause",
    summary="Pause a turn.",
    reply=TurnRow,
    problems=(507,),
)
async def pause_turn(visit: Annotated[ProjectVisit, Depends(InProject("admin"))], turn_id: str) -> Response:
    """It halts within seconds and keeps what it has done. One that has ended, or is paused, stays as it is."""
    await visit.house.read(visit.project.pause_turn, turn_id, actor=visit.caller.name)
    return send(await visit.house.read(_look, visit.project, turn_id))


@routes(
    "POST",
    "/v1/projects/{name}/turns/{turn_id}/resume",
    summary="Let a paused turn go on.",
    reply=TurnRow,
    problems=(507,),
)
async def resume_turn(visit: Annotated[ProjectVisit, Depends(InProject("admin"))], turn_id: str) -> Response:
    """The server's worker takes it up where it was. One that is not paused stays as it is."""
    await visit.house.read(visit.project.resume_turn, turn_id, actor=visit.caller.name)
    return send(await visit.house.read(_look, visit.project, turn_id))


@routes("GET", "/v1/projects/{name}/preflight", summary="See what a turn would take.", reply=Preflight, problems=(422,))
async def preflight(
    visit: Annotated[ProjectVisit, Depends(InProject("admin"))],
    budget_s: Annotated[
        float | None, Query(gt=0, description="Seconds for training; absent: [train] budget_s.")
    ] = None,
) -> Response:
    """Time, memory and disk of each rung, AMPLE, TIGHT or OVER; a trial of some seconds in a process of its own."""
    ahead = await visit.house.read(visit.project.preflight, budget_s=budget_s)
    return send(ahead.model_dump(mode="json"))


@routes(
    "GET",
    "/v1/projects/{name}/events",
    summary="Read or follow what happens.",
    reply=EventPage,
    problems=(422,),
    also={200: {"description": "A page of events, or a stream of them.", "content": {"text/event-stream": {}}}},
)
async def list_events(
    visit: Reading,
    after: Annotated[int, Query(ge=0, le=MAX_SEQ, description="Only events with a larger event_id.")] = 0,
    turn_id: Annotated[str, Query(max_length=64, description="Only events of this turn.")] = "",
    accept: Annotated[str, Header(description="text/event-stream for a stream that goes on.")] = "",
    last_event_id: Annotated[str, Header(description="Where a broken stream left off; wins over `after`.")] = "",
) -> Response:
    """A page of JSON; with `Accept: text/event-stream`, server-sent events that go on as things happen."""
    if last_event_id.isdecimal() and len(last_event_id) < 19:
        after = int(last_event_id)
    if "text/event-stream" not in accept:
        events = await visit.house.read(visit.project.events, after=after, turn_id=turn_id)
        last = events[-1].event_id if events else after
        return send({"events": [event.model_dump() for event in events], "next_after": last})
    if visit.house.streams >= MAX_STREAMS:
        raise ServerBusy(n_requests=MAX_STREAMS)
    stream = _stream(visit, after=after, turn_id=turn_id)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(visit: ProjectVisit, *, after: int, turn_id: str) -> AsyncIterator[str]:
    """Server-sent events until the client or the server leaves."""
    house, silent_s = visit.house, 0.0
    house.streams += 1
    try:
        yield ": hello\n\n"
        while not house.is_stopping:
            events = await house.read(visit.project.events, after=after, turn_id=turn_id)
            for event in events:
                after, silent_s = event.event_id, 0.0
                yield _sse(event)
            if not events:
                await anyio.sleep(LOOK_EVERY_S)
                silent_s += LOOK_EVERY_S
            if silent_s >= SIGN_OF_LIFE_S:
                silent_s = 0.0
                yield ": still here\n\n"
    finally:
        house.streams -= 1


def _sse(event: Event) -> str:
    data = json.dumps(event.model_dump(mode="json"), ensure_ascii=False)  # JSON has no raw line breaks
    return f"id: {event.event_id}\nevent: {event.kind}\ndata: {data}\n\n"


def _look(project: Project, turn_id: str) -> dict[str, Any]:
    return _turn(project, project.get_turn(turn_id))


def _turn(project: Project, row: dict[str, Any]) -> dict[str, Any]:
    told = row | {"left_s": project.turn_left_s(row)}
    return {name: told[name] for name in TurnRow.model_fields}

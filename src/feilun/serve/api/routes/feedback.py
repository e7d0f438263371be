"""What people say about answers, and what to ask them next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from starlette.responses import Response

from feilun.config import Strategy
from feilun.records import Usage, Why
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, StraightRoute, send
from feilun.serve.api.shapes import (
    DoubtList,
    FeedbackPage,
    FeedbackReply,
    FeedbackRequest,
    FeedbackRow,
    QueueReply,
    QueueRow,
    SimilarReply,
    SimilarRow,
    SuggestionReply,
)

routes = Routes("feedback")
MAX_PAGE = 1000
MOST_NEW = 1000  # messages that one request runs through the network: a few seconds of one core
MAX_SEQ = 2**63 - 1
After = Annotated[int, Query(ge=0, le=MAX_SEQ, description="Only what comes after this place in the log.")]
Latest = Annotated[bool, Query(description="Latest first, from the end of the log or from `before`.")]
Before = Annotated[int | None, Query(ge=0, le=MAX_SEQ, description="Only what comes before this place, latest first.")]
Desk = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="A name that is one person's alone, such as a random one.")
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most rows in one page.")]


@routes(
    "POST",
    "/v1/projects/{name}/feedback",
    summary="Say what was right or wrong about an answer.",
    reply=FeedbackReply,
    problems=(507,),
    route_class=StraightRoute,
)
async def give_feedback(
    request: Request,
    visit: Annotated[ProjectVisit, Depends(InProject("feedback"))],
    body: FeedbackRequest,
    idempotency_key: Annotated[
        str | None,
        Header(description="Any text of up to 255 characters. Sent again with the same body, it counts once."),
    ] = None,
) -> Response:
    """Acknowledged only when it is safely on disk. A label decides the very next answer to such a message, and is
    learnt by the next turn. The same Idempotency-Key with another body is refused with 422."""
    row, replayed = await visit.house.read(
        visit.project.give_feedback,
        prediction_id=body.prediction_id,
        label=body.label,
        thumb=body.thumb,
        text=body.text,
        comment=body.comment,
        inputs=None if body.inputs is None else visit.project.task.inputs_from(body.inputs.text),
        idempotency_key=request.headers.get("idempotency-key"),  # a straight route declares it, and resolves nothing
        actor=visit.caller.name,
        usage=Usage(visit.meter.bill),
    )
    if replayed:
        visit.meter.waive()
    else:
        visit.meter.settle()
        visit.house.metrics.count_feedback(project=visit.project.name)
    return send({"replayed": replayed, **_pick(row, ("feedback_id", "labels", "new_label", "hint"))})


@routes("GET", "/v1/projects/{name}/feedback", summary="Read the feedback log.", reply=FeedbackPage, problems=(422,))
async def list_feedback(
    visit: Annotated[ProjectVisit, Depends(InProject("read"))],
    after: After = 0,
    limit: Limit = 100,
    latest: Latest = False,
    before: Before = None,
) -> Response:
    """In the order it came, and `next_after` leads to the next page; or latest first, and `next_before` does."""
    project = visit.project
    if latest:
        rows = await visit.house.read(project.list_latest_feedback, before=before, limit=limit)
    else:
        rows = await visit.house.read(project.list_feedback, after=after, limit=limit)
    shown = [_pick(row, FeedbackRow.model_fields) for row in rows]
    return send({"feedback": shown} | where_next(rows, limit=limit, latest=latest))


def where_next(rows: list[dict[str, Any]], *, limit: int, latest: bool) -> dict[str, int | None]:
    """How to ask for the page after this one of a log; twice null: it was the last."""
    left_off = rows[-1]["seq"] if len(rows) == limit else None
    return {"next_after": None if latest else left_off, "next_before": left_off if latest else None}


@routes("GET", "/v1/projects/{name}/queue", summary="See what to ask a person next.", reply=QueueReply, problems=(422,))
async def list_queue(
    visit: Annotated[ProjectVisit, Depends(InProject("read"))],
    limit: Annotated[int, Query(ge=1, le=100, description="Most rows.")] = 20,
) -> Response:
    """Answers that were handed over or got a thumb down, those whose label would teach most first; each message once,
    and what means nearly the same as one further up later. Where they leave room, training rows follow whose label
    looks wrong. Give feedback with the prediction_id to settle an answer, with the inputs to settle a row."""
    rows = await visit.house.compute(visit.project.queue, limit=limit)
    return await _queue_page(visit, rows)


@routes(
    "POST",
    "/v1/projects/{name}/queue/desks/{desk}",
    summary="Take messages from the queue onto a desk.",
    reply=QueueReply,
    problems=(507,),
)
async def take_from_queue(
    visit: Annotated[ProjectVisit, Depends(InProject("feedback"))],
    desk: Desk,
    limit: Annotated[int, Query(ge=1, le=100, description="Most rows.")] = 20,
) -> Response:
    """As GET …/queue, for one of several people: what lies on another desk is left out, and what this gives lies on
    this one for three minutes. Ask again within them to keep it; so nobody gets what somebody else has in hand."""
    rows = await visit.house.compute(visit.project.take_from_queue, desk, limit=limit)
    return await _queue_page(visit, rows)


@routes(
    "POST",
    "/v1/projects/{name}/queue/desks/{desk}/similar",
    summary="Take messages onto a desk that mean much the same as one.",
    reply=SimilarReply,
    problems=(507,),
)
async def take_similar(
    visit: Annotated[ProjectVisit, Depends(InProject("feedback"))],
    desk: Desk,
    prediction_id: Annotated[str, Query(max_length=64, description="The message that lies there.")],
    limit: Annotated[int, Query(ge=1, le=100, description="Most rows.")] = 20,
) -> Response:
    """Those that wait too, nearest in meaning first, so that one label may be given to all. As with POST …/desks/{desk}
    they lie on this desk for three minutes; what lies on another is left out."""
    house, project = visit.house, visit.project
    house.must_be_ready(project)
    rows = await house.compute(project.similar_in_queue, prediction_id, desk=desk, limit=limit)
    return send({"similar": [_shown(row, SimilarRow, visit.lang) for row in rows]})


@routes(
    "DELETE",
    "/v1/projects/{name}/queue/desks/{desk}",
    summary="Clear a desk.",
    reply=None,
    status=204,
    problems=(422, 507),
)
async def clear_desk(visit: Annotated[ProjectVisit, Depends(InProject("feedback"))], desk: Desk) -> Response:
    """What lies on it is for others at once."""
    await visit.house.read(visit.project.clear_desk, desk)
    return Response(status_code=204)


async def _queue_page(visit: ProjectVisit, rows: list[dict[str, Any]]) -> Response:
    n_waiting = await visit.house.read(visit.project.store.count_queue, visit.project.name)
    return send({"queue": [_shown(row, QueueRow, visit.lang) for row in rows], "n_waiting": n_waiting})


def _shown(row: dict[str, Any], shape: type[QueueRow], lang: str) -> dict[str, Any]:
    return _pick({**row, "why": _reasons(row["why"], lang)}, shape.model_fields)


@routes(
    "GET",
    "/v1/projects/{name}/doubts",
    summary="See training rows whose label looks wrong.",
    reply=DoubtList,
    problems=(422,),
)
async def list_doubts(
    visit: Annotated[ProjectVisit, Depends(InProject("read"))],
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most rows.")] = 20,
) -> Response:
    """Found by the last turn's cross-validation; rows that were changed or settled since are left out. Feedback with a
    row's inputs and a label settles it, also with the label that it has. Reads the data files: seconds where they are
    large."""
    return send({"doubts": await visit.house.read(visit.project.doubtful_labels, limit=limit)})


@routes(
    "POST",
    "/v1/projects/{name}/queue/{prediction_id}/skip",
    summary="Put a message out of the queue without a label.",
    reply=None,
    status=204,
    problems=(507,),
)
async def skip_in_queue(visit: Annotated[ProjectVisit, Depends(InProject("feedback"))], prediction_id: str) -> Response:
    """Skipping what is skipped or settled already changes nothing."""
    await visit.house.read(visit.project.skip, prediction_id, actor=visit.caller.name)
    return Response(status_code=204)


@routes(
    "GET",
    "/v1/projects/{name}/suggestions",
    summary="See which messages to label next.",
    reply=SuggestionReply,
    problems=(422,),
)
async def list_suggestions(
    visit: Annotated[ProjectVisit, Depends(InProject("read"))],
    limit: Annotated[int | None, Query(ge=1, le=1000, description="Most rows; else [label] batch.")] = None,
    strategy: Annotated[
        Strategy | None, Query(description="How to choose; else [label] strategy.", examples=["auto"])
    ] = None,
) -> Response:
    """From the queue, from answers nobody has spoken on, from rows without a label, and, for a quarter of the batch at
    most, from rows whose label looks wrong. Give feedback with the prediction_id, or else with the inputs. A large pool
    is read part by part, so later requests choose from more."""
    house, project = visit.house, visit.project
    house.must_be_ready(project)
    batch = await house.compute(project.suggest, limit=limit, strategy=strategy, most_new=MOST_NEW)
    rows = [one.model_dump() | {"why": _reasons(one.why, visit.lang)} for one in batch.suggestions]
    return send(batch.model_dump() | {"suggestions": rows})


def _reasons(found: Iterable[Why], lang: str) -> list[dict[str, str]]:
    return [{"code": why.code, "text": why.zh if lang == "zh" else why.en} for why in found]


def _pick(row: dict[str, Any], names: Any) -> dict[str, Any]:
    return {name: row[name] for name in names}

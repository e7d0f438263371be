"""How the served model fares."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.serve.api.monitor_shapes import AnswerPage, AnswerRow, MonitorReply
from feilun.serve.api.routes.feedback import Before
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send

routes = Routes("monitor")
ServedReason = Literal["confident", "unsure", "out_of_scope", "memory"]
Reading = Annotated[ProjectVisit, Depends(InProject("read"))]


@routes(
    "GET",
    "/v1/projects/{name}/monitor",
    summary="See traffic, answer times and drift over time.",
    reply=MonitorReply,
    problems=(422,),
)
async def get_monitor(
    visit: Reading,
    since: Annotated[
        datetime | None, Query(description="Its bucket is the first; absent: 2 days, 2 weeks or 12 weeks ago.")
    ] = None,
    until: Annotated[datetime | None, Query(description="Absent: now. Without a zone, both are UTC.")] = None,
    bucket: Annotated[Literal["hour", "day", "week"], Query(description="How long a part of the time lasts.")] = "day",
) -> Response:
    """Added up from counts that are kept hour by hour; no message is read."""
    seen = await visit.house.read(visit.project.monitor, since=since, until=until, bucket=bucket)
    return send(seen.model_dump())


@routes(
    "GET",
    "/v1/projects/{name}/answers",
    summary="See what was answered, message by message.",
    reply=AnswerPage,
    problems=(422,),
)
async def list_answers(
    visit: Reading,
    label: Annotated[str | None, Query(max_length=256, description="Only answers with this label.")] = None,
    reason: Annotated[ServedReason | None, Query(description="Only answers decided so.")] = None,
    *,
    since: Annotated[datetime | None, Query(description="Only from then on. Without a zone it is UTC.")] = None,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Most rows.")] = 20,
) -> Response:
    """Latest first: such as the messages behind a label that comes up more often than before. Each page looks at the
    20,000 answers before it."""
    wanted = {"label": label, "reason": reason, "since": since}
    rows = await visit.house.read(visit.project.list_answers, **wanted, before=before, limit=limit)
    shown = [{name: row[name] for name in AnswerRow.model_fields} for row in rows]
    return send({"answers": shown, "next_before": rows[-1]["seq"] if len(rows) == limit else None})

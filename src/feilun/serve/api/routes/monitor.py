"""How the served model fares."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.serve.api.monitor_shapes import MonitorReply
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send

routes = Routes("monitor")
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

"""Who is told when something is wrong."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.serve.api.alert_shapes import AlertLog, AlertsReply, AlertTestRequest
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send

routes = Routes("alerts")
Reading = Annotated[ProjectVisit, Depends(InProject("read"))]


@routes(
    "GET",
    "/v1/projects/{name}/alerts",
    summary="See the alert rules, how they stand, and who is told.",
    reply=AlertsReply,
    problems=(422,),
)
async def get_alerts(visit: Reading) -> Response:
    """Rules and targets are those of feilun.toml, as it is now."""
    board = await visit.house.read(visit.project.alerts, door=visit.house.alerting.door)
    return send(board.model_dump())


@routes(
    "GET",
    "/v1/projects/{name}/alerts/log",
    summary="List the latest alerts and what became of them.",
    reply=AlertLog,
    problems=(422,),
)
async def list_alerts(
    visit: Reading, limit: Annotated[int, Query(ge=1, le=500, description="Most rows, latest first.")] = 100
) -> Response:
    """Those that wait for their next try are among them."""
    rows = await visit.house.read(visit.project.alert_log, limit=limit)
    return send({"deliveries": [row.model_dump() for row in rows]})


@routes(
    "POST",
    "/v1/projects/{name}/alerts/test",
    summary="Send a test to the targets, and say what came of it.",
    reply=AlertLog,
    problems=(409, 507),
)
async def test_alerts(
    visit: Annotated[ProjectVisit, Depends(InProject("admin"))], body: AlertTestRequest | None = None
) -> Response:
    """Waits for the targets, ten seconds at most. A test is tried once."""
    to = None if body is None else body.to
    rows = await visit.house.read(
        visit.project.test_alerts, to=to, actor=visit.caller.name, door=visit.house.alerting.door
    )
    return send({"deliveries": [row.model_dump() for row in rows]})

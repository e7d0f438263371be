"""Smaller forms of a model: asked for here, made by the server's worker."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send
from feilun.serve.api.shapes import CompressionList, CompressionRequest, CompressionRow

routes = Routes("models")
Reading = Annotated[ProjectVisit, Depends(InProject("read"))]


@routes(
    "POST",
    "/v1/projects/{name}/compressions",
    summary="Ask for smaller forms of a model.",
    reply=CompressionRow,
    status=202,
    problems=(409, 507),
)
async def request_compression(
    visit: Annotated[ProjectVisit, Depends(InProject("admin"))], body: CompressionRequest | None = None
) -> Response:
    """Leaves a request; the server's worker takes it up when no turn is asked for. Follow it with GET
    …/compressions/{compression_id}, or GET …/events with its id as `turn_id`."""
    body = body or CompressionRequest()
    row = await visit.house.read(
        visit.project.request_compression,
        body.model_id,
        n_layers=body.n_layers,
        widths=body.widths,
        only_show=body.only_show,
        actor=visit.caller.name,
    )
    return send(_compression(row), status=202)


@routes(
    "GET",
    "/v1/projects/{name}/compressions",
    summary="List the compressions.",
    reply=CompressionList,
    problems=(422,),
)
async def list_compressions(
    visit: Reading, limit: Annotated[int, Query(ge=1, le=1000, description="Most rows, latest first.")] = 100
) -> Response:
    """Waiting, running, done and failed ones that were asked for over HTTP."""
    rows = await visit.house.read(visit.project.list_compressions, limit=limit)
    return send({"compressions": [_compression(row) for row in rows]})


@routes(
    "GET",
    "/v1/projects/{name}/compressions/{compression_id}",
    summary="See one compression.",
    reply=CompressionRow,
)
async def get_compression(visit: Reading, compression_id: str) -> Response:
    """How far it is; when done, every form with its size, latency and accuracy, and what was made of them."""
    return send(_compression(await visit.house.read(visit.project.get_compression, compression_id)))


def _compression(row: dict[str, Any]) -> dict[str, Any]:
    flat = row | row["asked"]
    return {name: flat[name] for name in CompressionRow.model_fields}

"""Whether the server is alive, ready, and what it counts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import JSONResponse, Response

from feilun.errors import FeilunError
from feilun.project import Project
from feilun.serve.api.errors import Withheld
from feilun.serve.api.house import House
from feilun.serve.api.metrics import CONTENT_TYPE
from feilun.serve.api.problems import RETRY_AFTER_S, speak
from feilun.serve.api.routing import InWorkspace, Routes, Visit, send
from feilun.serve.api.shapes import Health, OpenApi, Readiness
from feilun.store import StoreBroken
from feilun.trust import ScopeMissing
from feilun.version import __version__

routes = Routes("service")
NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "Some project cannot answer, or feedback cannot be written."}
}


@routes("GET", "/health", summary="Is the server alive?", reply=Health)
async def health() -> Response:
    """200 as long as the process answers. Needs no key."""
    return send({"status": "ok", "version": __version__})


@routes("GET", "/ready", summary="Can the server do its work?", reply=Readiness, also=NOT_READY)
async def ready(request: Request) -> Response:
    """200 when every project has a verified model on stage and feedback can be written. Needs no key; without one
    (or off this machine) the reasons carry no names, and with one only those of projects that the key opens."""
    house: House = request.app.state.house
    projects = house.projects.values()
    reasons = [(project, error) for project in projects for error in _in_the_way(project, house=house)]
    warnings = [(project, error) for project in projects if (error := house.trouble_with(project)) is not None]
    lang, caller = speak(request.headers.get("accept-language")), request.state.caller
    shown = [
        error if caller is not None and house.is_known(project, caller) else Withheld(about=error.code)
        for project, error in reasons or warnings
    ]
    reply = send(
        {"ready": not reasons, "reasons": [error.to_dict(lang) for error in shown]}, status=503 if reasons else 200
    )
    if reasons:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply


@routes(
    "GET",
    "/metrics",
    summary="Read the metrics.",
    reply=None,
    also={200: {"description": "Prometheus text.", "content": {"text/plain": {}}}},
)
async def metrics(visit: Annotated[Visit, Depends(InWorkspace("read"))]) -> Response:
    """For Prometheus; counts and times only, never a message. Not for a key that does not open every project of
    this server: it would see others."""
    house = visit.house
    for project in house.projects.values():
        if not house.is_known(project, visit.caller):
            raise ScopeMissing(scope="read")
    ready = {name: house.why_not_ready(project) is None for name, project in house.projects.items()}
    page = await house.read(house.metrics.render, house.projects, ready=ready)
    return Response(page, media_type=CONTENT_TYPE)


@routes("GET", "/openapi.json", summary="Read this interface's description.", reply=OpenApi)
async def openapi(request: Request, visit: Annotated[Visit, Depends(InWorkspace("read"))]) -> Response:
    """OpenAPI 3.1, for client generators."""
    return JSONResponse(request.app.openapi())


def _in_the_way(project: Project, *, house: House) -> list[FeilunError]:
    found = [house.why_not_ready(project)]
    if not project.store.is_writing:
        found.append(StoreBroken(path=project.store.workspace.name))
    return [error for error in found if error is not None]

"""The app: every route, behind the guard, with one error shape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from feilun.config import ServeSettings
from feilun.project import Project
from feilun.serve.api.errors import BodyMalformed, MethodRefused, RouteMissing
from feilun.serve.api.guard import Guard, is_open
from feilun.serve.api.house import Grounds, House
from feilun.serve.api.problems import explain, is_openai, problem, speak
from feilun.serve.api.routes import (
    alerts,
    audit,
    chat,
    comparing,
    compressions,
    console,
    datasets,
    embeddings,
    examples,
    feedback,
    files,
    keys,
    models,
    monitor,
    operate,
    people,
    predictions,
    project_settings,
    service,
    session,
    tenants,
    turns,
    usage,
)
from feilun.serve.api.routing import check_scopes, is_operators, scope_of
from feilun.version import __version__

DESCRIPTION = """Answers from your own model, and the feedback that makes it better.

Every error has one shape, `{code, message, fields}`; the message follows `Accept-Language` (`en`, `zh`). At the
addresses of OpenAI's interface (models, chat/completions, embeddings) errors have its shape. Requests need an API key
(`Authorization: Bearer fl_…` or `X-API-Key`) unless they come from the server's own machine."""
OFF: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(
    projects: Mapping[str, Project],
    *,
    require_key: bool,
    settings: ServeSettings,
    hosts: Sequence[str] = (),
    grounds: Grounds | None = None,
) -> FastAPI:
    """The ASGI app that serves `projects`, by name.

    Args:
        require_key: ask callers on this very machine for an API key too.
        settings: the limits on bodies; those on inputs are each project's own.
        hosts: further names under which callers on this machine may address the server without a key.
        grounds: where new projects may be made; None: nowhere.
    Raises:
        ScopeUndeclared: a route does not say who may use it; raised at start-up for routes added later.
    """
    house = House(projects, require_key=require_key, settings=settings, hosts=hosts, grounds=grounds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        check_scopes(app)
        await anyio.to_thread.run_sync(house.start)
        yield
        await anyio.to_thread.run_sync(house.stop)

    app = FastAPI(
        title="Feilun",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,  # our own routes below, behind the guard; the usual pages load scripts from elsewhere
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=OFF,  # releases of FastAPI that know OpenTelemetry would follow the environment otherwise
    )
    app.state.house = house
    app.add_middleware(Guard, house=house)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    about_projects = (
        *(predictions, feedback, models, examples, comparing, monitor, alerts, compressions, turns),
        *(files, datasets, project_settings, chat, embeddings),
    )
    about_the_server = (session, people, keys, tenants, audit, usage, operate, service)
    for part in (*about_projects, *about_the_server):
        part.routes.add_to(app)
    console.add_to(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    check_scopes(app)
    return app


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    lang, path = speak(request.headers.get("accept-language")), request.url.path
    mistakes = error.errors()
    if any(mistake["type"] == "json_invalid" for mistake in mistakes):
        return problem(BodyMalformed(), path=path, lang=lang)
    return problem(explain(mistakes, lang=lang), path=path, lang=lang)


async def _http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses."""
    assert isinstance(error, HTTPException)
    lang, path = speak(request.headers.get("accept-language")), request.url.path
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request))
        refusal = MethodRefused(method=request.method[:16], allowed=allowed)
        return problem(refusal, path=path, lang=lang, headers={"Allow": allowed})
    return problem(BodyMalformed() if error.status_code == 400 else RouteMissing(), path=path, lang=lang)


def _methods_at(request: Request) -> list[str]:
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
    return sorted({method for route in routes for method in route.methods or ()})


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document, with the key and the scope of each operation in it."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: fl_…"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
        }
        for route in app.routes:
            if isinstance(route, APIRoute) and route.include_in_schema and not is_open(route.path):
                for method in route.methods or ():
                    operation = document["paths"][route.path][method.lower()]
                    operation["security"] = [{"bearer": []}, {"header": []}]
                    operation["x-scope"] = scope_of(route)
                    operation["x-operator"] = is_operators(route)
                    if is_openai(route.path):
                        operation["responses"].pop("422", None)  # FastAPI's own promise; here it is 400
        app.openapi_schema = document
    return app.openapi_schema

"""Routes as data: each says its scope, its shapes and every status it can answer with."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any, get_type_hints

from fastapi import FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from feilun.project import Project, Workspace
from feilun.serve.api.access import Caller
from feilun.serve.api.errors import BodyMalformed, ModelUnknown, ScopeUndeclared, WorkspaceAmbiguous
from feilun.serve.api.guard import is_open
from feilun.serve.api.house import House
from feilun.serve.api.meter import UNMETERED, Meter
from feilun.serve.api.openai_shapes import OpenAIProblem
from feilun.serve.api.problems import is_openai, speak
from feilun.serve.api.shapes import Problem
from feilun.store import ProjectUnknown
from feilun.trust import PersonOnly, ScopeMissing

REASONS = {
    400: "The body is not JSON; at the addresses of OpenAI's interface: the request cannot be used as it is.",
    401: "An API key is needed, or this one is not valid.",
    403: "The key may not do this here, or a foreign page asks.",
    404: "There is no such thing in this project.",
    408: "The body did not arrive in time.",
    409: "The present state does not allow it.",
    412: "It has changed since the state that If-Match names.",
    413: "The body is too large.",
    422: "The request cannot be used as it is; the fields say why.",
    429: "The key or its tenant may not send so many requests a minute, or a month; Retry-After says when again.",
    500: "A bug of ours; the log has the details under the error_id.",
    503: "Not now; Retry-After says when to try again.",
    507: "The disk is full; nothing was written.",
}


@dataclass(frozen=True)
class Visit:
    """A request that was let in, as a route sees it."""

    house: House
    caller: Caller
    lang: str
    meter: Meter

    def known_projects(self) -> list[Project]:
        """The projects that exist as far as the caller is concerned."""
        return [p for p in self.house.projects.values() if self.house.is_known(p, self.caller)]

    def workspace(self) -> Workspace:
        """The workspace that the caller's key belongs to; on this machine, the one that is served.

        Raises:
            WorkspaceAmbiguous: there is no key, and there are several.
        """
        stores = self.house.stores if self.caller.store is None else [self.caller.store]
        if len(stores) != 1:
            raise WorkspaceAmbiguous(n_workspaces=len(stores))
        return Workspace.around(stores[0])

    def workspaces(self) -> list[Workspace]:
        """Every workspace that the caller may ask about: its key's, or on this machine all that are served."""
        return [Workspace.around(store) for store in self.house.stores if self.caller.store in (None, store)]

    def project_behind(self, model: str) -> Project:
        """The project that answers as `model`: its name, or the id of its live model.

        Raises:
            ModelUnknown: there is none that the caller may know of.
            ProjectNotReady: the project cannot answer yet.
        """
        known = {project.name: project for project in self.known_projects()}
        if model in known:
            self.house.must_be_ready(known[model])
            return known[model]
        for project in known.values():
            if self.house.why_not_ready(project) is None and project.stage.model_id == model:
                return project
        raise ModelUnknown(model=model[:64], param="model")


@dataclass(frozen=True)
class ProjectVisit(Visit):
    """A request about one project."""

    project: Project


class Need:
    """Dependency of a route: the scope that opens it."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def tell(self, meter: Meter | None, request: Request, project: str = "") -> None:
        """What the request is, for the ledger: of its scope, if it changes anything."""
        if meter is not None:
            meter.is_about(kind="read" if request.method == "GET" else self.scope, project=project)


class InWorkspace(Need):
    """A route about the server as a whole."""

    async def __call__(self, request: Request) -> Visit:
        lang = speak(request.headers.get("accept-language"))
        visit = Visit(request.app.state.house, request.state.caller, lang, request.state.meter)
        visit.caller.must_have(self.scope)
        self.tell(visit.meter, request)
        return visit


class ForOperator(InWorkspace):
    """A route about the workspace as a whole, closed to keys of tenants and of single projects whatever they ask."""

    async def __call__(self, request: Request) -> Visit:
        visit = await super().__call__(request)
        visit.caller.must_be_operator()
        return visit


class InTenant(InWorkspace):
    """A route about all that a tenant has, closed to keys of single projects whatever they open there."""

    async def __call__(self, request: Request) -> Visit:
        visit = await super().__call__(request)
        if visit.caller.key is not None and visit.caller.key["project"] is not None:
            raise ScopeMissing(scope=self.scope)
        return visit


class ForPerson(InWorkspace):
    """A route about whoever has signed in, closed to keys."""

    async def __call__(self, request: Request) -> Visit:
        visit = await super().__call__(request)
        if visit.caller.person is None:
            raise PersonOnly()
        return visit


class InProject(Need):
    """A route about one project. A key of another project is refused alike, whether the project exists or not."""

    async def __call__(
        self, request: Request, name: Annotated[str, Path(description="Name of the project.", examples=["support"])]
    ) -> ProjectVisit:
        house: House = request.app.state.house
        caller: Caller = request.state.caller
        caller.must_have(self.scope, project=name)
        project = house.projects.get(name)
        if project is None or not house.is_known(project, caller):
            raise ProjectUnknown(name=name[:64])
        self.tell(request.state.meter, request, name)
        lang = speak(request.headers.get("accept-language"))
        return ProjectVisit(house, caller, lang, request.state.meter, project)


class StraightRoute(APIRoute):
    """A route that calls its endpoint with `request`, `visit` and `body` and resolves nothing else.

    For the busiest addresses: it is declared like every other one, and refuses the same bodies with the same words, but
    FastAPI's general way of finding arguments would cost it as much as all the rest of the HTTP side.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        calls: list[Any] = [part.call for part in self.dependant.dependencies]
        (need,) = (call for call in calls if isinstance(call, (InProject, InWorkspace)))
        shape: type[BaseModel] = get_type_hints(self.endpoint)["body"]

        async def handle(request: Request) -> Response:
            visit = await need(request, **request.path_params)
            body = _read_body(await request.body(), request.headers.get("content-type", ""), shape)
            reply: Response = await self.endpoint(request=request, visit=visit, body=body)
            return reply

        return handle


def _read_body(body: bytes, content_type: str, shape: type[BaseModel]) -> BaseModel:
    """The body as `shape`.

    Raises:
        BodyMalformed: it is not JSON.
        RequestValidationError: it has another shape.
    """
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",)}])
    subtype = content_type.partition(";")[0].strip().lower().partition("/")[2]
    if subtype != "json" and not subtype.endswith("+json"):
        raise RequestValidationError([{"type": "model_attributes_type", "loc": ("body",)}])
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyMalformed() from error
    try:
        return shape.model_validate(value, from_attributes=True)
    except ValidationError as error:
        mistakes = [{**mistake, "loc": ("body", *mistake["loc"])} for mistake in error.errors(include_url=False)]
        raise RequestValidationError(mistakes) from error


@dataclass(frozen=True)
class _Route:
    method: str
    path: str
    endpoint: Callable[..., Any]
    reply: type[BaseModel] | None
    options: dict[str, Any] = field(default_factory=dict)


class Routes:
    """Collects a file's routes; `add_to` puts them into the app.

    Kept apart from FastAPI's own routers so that what the app holds is one flat list, which can be checked.
    """

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._routes: list[_Route] = []

    def __call__(
        self,
        method: str,
        path: str,
        *,
        summary: str,
        reply: type[BaseModel] | None,
        problems: tuple[int, ...] = (),
        status: int = 200,
        also: dict[int | str, dict[str, Any]] | None = None,
        route_class: type[APIRoute] = APIRoute,
        extra: dict[str, Any] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare an endpoint.

        Args:
            problems: statuses beyond those that every route of its kind can answer with.
            also: further OpenAPI responses, such as another media type.
            route_class: how a request becomes a call of the endpoint.
            extra: what else the OpenAPI document says of it, such as a body that is no JSON.
        """
        statuses = {413, 500, *problems}
        if not is_open(path):
            statuses |= {401, 403, 503}
        if path not in UNMETERED:
            statuses |= {429}
        if "{name}" in path:
            statuses |= {404}
        if method in ("POST", "PUT", "PATCH"):
            statuses |= {400, 408} if is_openai(path) else {400, 408, 422}
        shape = OpenAIProblem if is_openai(path) else Problem
        responses: dict[int | str, dict[str, Any]] = {
            code: {"model": shape, "description": REASONS[code]} for code in sorted(statuses)
        }
        options = {
            "summary": summary,
            "status_code": status,
            "responses": responses | (also or {}),
            "route_class_override": route_class,
            "openapi_extra": extra,
        }

        def keep(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            self._routes.append(_Route(method, path, endpoint, reply, options))
            return endpoint

        return keep

    def add_to(self, app: FastAPI) -> None:
        for route in self._routes:
            app.router.add_api_route(
                route.path,
                route.endpoint,
                methods=[route.method],
                response_model=route.reply,
                operation_id=route.endpoint.__name__,
                tags=[self._tag],
                **route.options,
            )


def send(value: Any, *, status: int = 200) -> Response:
    """`value` as JSON; it is ours, so it is not validated again."""
    return Response(to_json(value), status, media_type="application/json")


def check_scopes(app: FastAPI) -> None:
    """Refuse an app with a door that nobody said who may open.

    Raises:
        ScopeUndeclared: a route has no `Need`, or is of a kind that cannot have one.
    """
    bare = [
        str(getattr(route, "path", route))
        for route in app.routes
        if not is_open(getattr(route, "path", "")) and scope_of(route) is None
    ]
    if bare:
        raise ScopeUndeclared(routes=", ".join(bare))


def scope_of(route: Any) -> str | None:
    """The scope that opens a route; None when it declares none."""
    need = _need_of(route)
    return None if need is None else need.scope


def is_operators(route: Any) -> bool:
    """Whether a route is closed to keys of tenants and of single projects."""
    return isinstance(_need_of(route), ForOperator)


def is_tenants(route: Any) -> bool:
    """Whether a route is closed to keys of single projects."""
    return isinstance(_need_of(route), InTenant)


def is_persons(route: Any) -> bool:
    """Whether a route is closed to keys."""
    return isinstance(_need_of(route), ForPerson)


def _need_of(route: Any) -> Need | None:
    if not isinstance(route, APIRoute):
        return None
    calls: list[Any] = [part.call for part in route.dependant.dependencies]
    return next((call for call in calls if isinstance(call, Need)), None)

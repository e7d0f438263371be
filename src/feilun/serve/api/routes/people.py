"""People: who may sign in. A caller sees, adds and changes those of its own tenant, with at most its own rights."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from feilun.serve.api.people_shapes import PersonChange, PersonList, PersonMade, PersonRequest, PersonRow
from feilun.serve.api.routing import InWorkspace, Routes, Visit, send

routes = Routes("people")
Keeping = Annotated[Visit, Depends(InWorkspace("keys"))]


@routes("GET", "/v1/people", summary="List the people.", reply=PersonList, problems=(409,))
async def list_people(visit: Keeping) -> Response:
    """Those of the caller's tenant; all for the operator; nobody for the key of one project."""
    return send({"people": await visit.house.read(visit.workspace().list_people, by=visit.caller.key)})


@routes("POST", "/v1/people", summary="Let somebody in.", reply=PersonMade, status=201, problems=(404, 409, 507))
async def add_person(visit: Keeping, body: PersonRequest) -> Response:
    """The code with which they choose a password is in the reply, and nowhere else. Nobody lets anybody in who may do
    more than they may themselves."""
    made = await visit.house.read(
        visit.workspace().add_person, **body.model_dump(), by=visit.caller.key, actor=visit.caller.name
    )
    return send(made, status=201)


@routes("GET", "/v1/people/{person_id}", summary="See one person.", reply=PersonRow, problems=(404, 409))
async def get_person(visit: Keeping, person_id: str) -> Response:
    """What they may do, and whether they have a password yet."""
    return send(await visit.house.read(visit.workspace().get_person, person_id, by=visit.caller.key))


@routes(
    "PATCH",
    "/v1/people/{person_id}",
    summary="Rename somebody, change their role, or shut them out.",
    reply=PersonRow,
    problems=(404, 409, 507),
)
async def update_person(visit: Keeping, person_id: str, body: PersonChange) -> Response:
    """All of it holds at their next request, on every server. What is absent stays as it is."""
    changed = await visit.house.read(
        visit.workspace().update_person,
        person_id,
        **body.model_dump(),
        by=visit.caller.key,
        actor=visit.caller.name,
    )
    return send(changed)


@routes(
    "POST",
    "/v1/people/{person_id}/reset",
    summary="Take somebody's password away.",
    reply=PersonMade,
    problems=(404, 409, 507),
)
async def reset_person(visit: Keeping, person_id: str) -> Response:
    """They are signed out everywhere; the code in the reply, shown this once, lets them choose another password."""
    made = await visit.house.read(
        visit.workspace().reset_person, person_id, by=visit.caller.key, actor=visit.caller.name
    )
    return send(made)

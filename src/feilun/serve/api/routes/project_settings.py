"""The settings of a project: read with their meaning, and changed key by key."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header
from starlette.responses import Response

from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send
from feilun.serve.api.setting_shapes import SettingsChange, SettingsChanged, SettingsReply

routes = Routes("projects")
IfMatch = Annotated[
    str, Header(max_length=100, description="An ETag: refused with 412 if the file is another one by now.")
]


@routes("GET", "/v1/projects/{name}/settings", summary="Read the settings.", reply=SettingsReply, problems=(422,))
async def get_settings(visit: Annotated[ProjectVisit, Depends(InProject("read"))]) -> Response:
    """feilun.toml by section: what stands, the default, what it takes, what it means, and when a change holds."""
    told = await visit.house.read(visit.project.describe_settings, visit.lang)
    reply = send(told)
    reply.headers["ETag"] = f'"{told["etag"]}"'
    return reply


@routes(
    "PATCH",
    "/v1/projects/{name}/settings",
    summary="Change settings.",
    reply=SettingsChanged,
    problems=(412, 507),
)
async def change_settings(
    visit: Annotated[ProjectVisit, Depends(InProject("admin"))], body: SettingsChange, if_match: IfMatch = ""
) -> Response:
    """Writes feilun.toml anew and keeps its comments. Keys that name a path or an address, or say what is learnt, are
    refused. The audit log has the old and the new values."""
    etag = if_match.removeprefix("W/").strip('"') if if_match not in ("", "*") else None
    changed = await visit.house.read(visit.project.change_settings, body.changes, etag=etag, actor=visit.caller.name)
    now = await visit.house.read(visit.project.settings_etag)
    told = {name: {"old": old, "new": new} for name, (old, new) in changed.items()}
    reply = send({"etag": now, "changed": told})
    reply.headers["ETag"] = f'"{now}"'
    return reply

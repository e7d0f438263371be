"""What works now, backups, and what is wrong with the machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import Depends
from starlette.responses import Response, StreamingResponse

from feilun.serve.api.operate_shapes import BackupList, BackupRequest, BackupRow, DoctorReply, JobList
from feilun.serve.api.problems import public
from feilun.serve.api.routing import ForOperator, InWorkspace, Routes, Visit, send

routes = Routes("server")
# An archive holds the messages of every tenant, and the hashes of passwords: for owners, as keys are.
Owning = Annotated[Visit, Depends(ForOperator("keys"))]
CHUNK = 1 << 20
ZIP: dict[int | str, dict[str, Any]] = {200: {"description": "The archive.", "content": {"application/zip": {}}}}


@routes("GET", "/v1/jobs", summary="See what works or waits.", reply=JobList)
async def list_jobs(visit: Annotated[Visit, Depends(InWorkspace("read"))]) -> Response:
    """Turns, turns that are asked for, compressions and backups under way, over every project that the key opens."""
    workspaces = visit.workspaces()
    found = [job for one in workspaces for job in await visit.house.read(one.list_jobs, by=visit.caller.key)]
    return send({"jobs": sorted(found, key=lambda job: job["since"])})


@routes("GET", "/v1/backups", summary="List the backups.", reply=BackupList, problems=(409,))
async def list_backups(visit: Owning) -> Response:
    """Those that the workspace keeps, and how much there is to back up. Deleted ones are gone; a failed one is listed
    until the next is begun."""
    workspace = visit.workspace()
    size = await visit.house.read(workspace.size_of_backup)
    return send({"backups": await visit.house.read(workspace.list_backups), "size": size})


@routes("POST", "/v1/backups", summary="Make a backup.", reply=BackupRow, status=202, problems=(409, 507))
async def create_backup(visit: Owning, body: BackupRequest | None = None) -> Response:
    """Begins at once and goes on while the server answers; GET …/backups says when it is done. One at a time, and no
    more than the workspace keeps. Restoring is not offered here: it makes a new workspace, with `feilun restore`."""
    return send(await visit.house.read(visit.workspace().begin_backup, actor=visit.caller.name), status=202)


@routes(
    "GET",
    "/v1/backups/{backup_id}/archive",
    summary="Fetch a backup.",
    reply=None,
    problems=(404, 409, 507),
    also=ZIP,
)
async def fetch_backup(visit: Owning, backup_id: str) -> Response:
    """The archive, as `feilun restore` reads it. That somebody fetched it is an entry of the audit log."""
    path = await visit.house.read(visit.workspace().open_backup, backup_id, actor=visit.caller.name)
    size = (await anyio.Path(path).stat()).st_size
    named = {"Content-Disposition": f'attachment; filename="feilun-{backup_id}.zip"', "Content-Length": str(size)}
    return StreamingResponse(_pieces(path), media_type="application/zip", headers=named)


@routes(
    "DELETE",
    "/v1/backups/{backup_id}",
    summary="Delete a backup.",
    reply=None,
    status=204,
    problems=(404, 409, 507),
)
async def remove_backup(visit: Owning, backup_id: str) -> Response:
    """The archive is gone; one that is being made is not deleted."""
    await visit.house.read(visit.workspace().remove_backup, backup_id, actor=visit.caller.name)
    return Response(status_code=204)


@routes("GET", "/v1/doctor", summary="See what is wrong.", reply=DoctorReply, problems=(409,))
async def run_doctor(visit: Annotated[Visit, Depends(ForOperator("admin"))]) -> Response:
    """As `feilun doctor`, of the workspace and all its projects: every checksum is compared, so it takes a while.
    Nothing is changed."""
    workspace = visit.workspace()
    folders = [one.folder for one in visit.known_projects() if one.store.workspace == workspace.store.workspace]
    findings = await visit.house.compute(workspace.doctor, folders)
    told = [_finding(one.to_dict(visit.lang)) for one in findings]
    return send({"n_problems": sum(one["level"] == "problem" for one in told), "findings": told})


def _finding(told: dict[str, Any]) -> dict[str, Any]:
    return told | {"fields": {name: public(value) for name, value in told["fields"].items()}}


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while piece := await file.read(CHUNK):
            yield piece

"""Who changed what."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.records import AuditVerdict
from feilun.serve.api.errors import ProjectUnknown, WorkspaceUnclear
from feilun.serve.api.routes.feedback import After, Limit
from feilun.serve.api.routing import InWorkspace, Routes, Visit, send
from feilun.serve.api.shapes import AuditPage
from feilun.store import Store
from feilun.trust import ScopeMissing, verify_audit

routes = Routes("audit")
Admin = Annotated[Visit, Depends(InWorkspace("admin"))]
InWhich = Annotated[str | None, Query(max_length=64, description="The project; where several workspaces are served.")]


@routes("GET", "/v1/audit", summary="Read the audit log.", reply=AuditPage, problems=(404, 422))
async def list_audit(
    visit: Admin,
    project: Annotated[str | None, Query(max_length=64, description="Entries of this project alone.")] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """Every change of state in the workspace, in order. The key of one project reads that project's entries alone."""
    store, own = _workspace(visit, project)
    rows = await visit.house.read(store.list_audit, project=own, after=after, limit=limit)
    return send({"audit": rows, "next_after": rows[-1]["seq"] if len(rows) == limit else None})


@routes(
    "GET", "/v1/audit/verify", summary="Check that the audit log is whole.", reply=AuditVerdict, problems=(404, 422)
)
async def check_audit(
    visit: Admin,
    project: InWhich = None,
    head: Annotated[
        str | None, Query(max_length=100, description="A `head` that was kept; only so is an older workspace found.")
    ] = None,
) -> Response:
    """Reads the whole log, about a second for 50,000 entries. Not for the key of one project: the log is the
    workspace's."""
    store, _ = _workspace(visit, project)
    if visit.caller.key is not None and visit.caller.key["project"] is not None:
        raise ScopeMissing(scope="admin")
    verdict = await visit.house.read(verify_audit, store, head=head)
    return send(verdict.model_dump())


def _workspace(visit: Visit, project: str | None) -> tuple[Store, str | None]:
    """The workspace whose log is meant, and the one project to read it for, if any.

    Raises:
        ProjectUnknown: there is no such project, as far as the caller may know.
        WorkspaceUnclear: several workspaces are served.
    """
    own = project or (visit.caller.key and visit.caller.key["project"])
    stores = {one.name: visit.house.store_of(one) for one in visit.known_projects()}
    if own:
        if own not in stores:
            raise ProjectUnknown(name=own[:64])
        return stores[own], own
    distinct = {id(store): store for store in stores.values()}
    if len(distinct) != 1:
        raise WorkspaceUnclear(n_workspaces=len(distinct))
    return next(iter(distinct.values())), None

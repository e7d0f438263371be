"""Who changed what."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.records import AuditVerdict
from feilun.serve.api.routes.feedback import After, Before, Latest, Limit, where_next
from feilun.serve.api.routing import ForOperator, InWorkspace, Routes, Visit, send
from feilun.serve.api.shapes import AuditPage
from feilun.trust import reach_of, verify_audit

routes = Routes("audit")


@routes("GET", "/v1/audit", summary="Read the audit log.", reply=AuditPage, problems=(404, 409, 422))
async def list_audit(
    visit: Annotated[Visit, Depends(InWorkspace("admin"))],
    project: Annotated[str | None, Query(max_length=64, description="Entries of this project alone.")] = None,
    *,
    after: After = 0,
    limit: Limit = 100,
    latest: Latest = False,
    before: Before = None,
) -> Response:
    """Every change of state in the workspace, in order, and `next_after` leads to the next page; or latest first, and
    `next_before` does. The key of a tenant, or of one project, reads its own alone."""
    store, within = visit.workspace().store, reach_of(visit.caller.key)
    if project is not None:
        store.get_project(within, project)
        within = replace(within, project=project)
    if latest:
        rows = await visit.house.read(store.list_latest_audit, within, before=before, limit=limit)
    else:
        rows = await visit.house.read(store.list_audit, within, after=after, limit=limit)
    return send({"audit": rows} | where_next(rows, limit=limit, latest=latest))


@routes(
    "GET", "/v1/audit/verify", summary="Check that the audit log is whole.", reply=AuditVerdict, problems=(409, 422)
)
async def check_audit(
    visit: Annotated[Visit, Depends(ForOperator("admin"))],
    head: Annotated[
        str | None, Query(max_length=100, description="A `head` that was kept; only so is an older workspace found.")
    ] = None,
) -> Response:
    """Reads the whole log, about a second for 50,000 entries. For the operator alone: the log is the workspace's."""
    verdict = await visit.house.read(verify_audit, visit.workspace().store, head=head)
    return send(verdict.model_dump())

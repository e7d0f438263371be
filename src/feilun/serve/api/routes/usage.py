"""Who used how much, and how much they may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from starlette.responses import Response

from feilun.data import csv_text
from feilun.project import Workspace
from feilun.records import Limit, UsageLine
from feilun.serve.api.routing import ForOperator, InWorkspace, Routes, Visit, send
from feilun.serve.api.shapes import LimitList, LimitRequest, LimitRow, UsageReply
from feilun.store import KeyUnknown, TenantUnknown
from feilun.trust import BILLED, Part, usage_columns

routes = Routes("usage")
Reading = Annotated[Visit, Depends(InWorkspace("read"))]
Ruling = Annotated[Visit, Depends(ForOperator("admin"))]
CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The lines, as JSON or as CSV.", "content": {"text/csv": {}}}
}


@routes("GET", "/v1/usage", summary="Read what was used in a month.", reply=UsageReply, problems=(422,), also=CSV)
async def list_usage(
    visit: Reading,
    *,
    month: Annotated[
        str | None, Query(max_length=20, description="In UTC; absent: the present one.", examples=["2026-11"])
    ] = None,
    by: Annotated[
        list[Part] | None, Query(description="What lines are told apart by; absent: all but day.", max_length=5)
    ] = None,
    project: Annotated[str | None, Query(max_length=64, description="Only this project.")] = None,
    key_id: Annotated[str | None, Query(max_length=64, description="Only this key.")] = None,
    accept: Annotated[str, Header(description="text/csv for a table that a spreadsheet opens.")] = "",
) -> Response:
    """From the ledger: requests, inputs, characters, tokens and the engine's CPU time. The key of a tenant, or of one
    project, sees its own alone. With `Accept: text/csv`, CSV in UTF-8 in which no cell is a formula."""
    parts: list[Part] = by or list(BILLED)

    def look() -> list[UsageLine]:
        only: dict[str, Any] = {"project": project, "key_id": key_id, "asker": visit.caller.key}
        return [line for one in visit.workspaces() for line in one.usage(month=month, by=parts, **only)]

    lines = await visit.house.read(look)
    if "text/csv" in accept:
        return Response(_as_csv(lines, parts), media_type="text/csv; charset=utf-8")
    return send({"usage": [line.model_dump() for line in lines]})


@routes("GET", "/v1/limits", summary="List the limits that are set.", reply=LimitList)
async def list_limits(visit: Reading) -> Response:
    """Of keys and of tenants. The key of a tenant, or of one project, sees its own and those it is under."""
    found = await visit.house.read(
        lambda: [limit for one in visit.workspaces() for limit in one.limits(by=visit.caller.key)]
    )
    return send({"limits": [limit.model_dump() for limit in found]})


@routes("GET", "/v1/limits/key/{key_id}", summary="See what a key may use.", reply=LimitRow, problems=(404,))
async def get_key_limit(visit: Reading, key_id: str) -> Response:
    """Null is no limit."""
    return await _see(visit, key_id=key_id)


@routes("GET", "/v1/limits/tenant/{tenant}", summary="See what a tenant may use.", reply=LimitRow, problems=(404,))
async def get_tenant_limit(visit: Reading, tenant: str) -> Response:
    """Null is no limit."""
    return await _see(visit, tenant=tenant)


@routes("PUT", "/v1/limits/key/{key_id}", summary="Say what a key may use.", reply=LimitRow, problems=(404, 507))
async def set_key_limit(visit: Ruling, key_id: str, body: LimitRequest) -> Response:
    """All of it: what is null or left out has no limit. It holds here at once, on other servers within a second."""
    return await _set(visit, body, key_id=key_id)


@routes("PUT", "/v1/limits/tenant/{tenant}", summary="Say what a tenant may use.", reply=LimitRow, problems=(404, 507))
async def set_tenant_limit(visit: Ruling, tenant: str, body: LimitRequest) -> Response:
    """All of its keys together, and all of it: what is null or left out has no limit."""
    return await _set(visit, body, tenant=tenant)


async def _see(visit: Visit, **whose: str) -> Response:
    limit = await visit.house.read(_where_it_is, visit, lambda one: one.get_limit(**whose, by=visit.caller.key))
    return send(limit.model_dump())


async def _set(visit: Visit, body: LimitRequest, **whose: str) -> Response:
    wanted: dict[str, Any] = {**whose, **body.model_dump(), "actor": visit.caller.name}
    limit = await visit.house.read(_where_it_is, visit, lambda one: one.set_limit(**wanted))
    await visit.house.read(visit.house.till.follow)
    return send(limit.model_dump())


def _where_it_is(visit: Visit, work: Callable[[Workspace], Limit]) -> Limit:
    """`work` in every workspace that knows the key or the tenant; what it gave in the first.

    Raises:
        KeyUnknown, TenantUnknown: none does.
    """
    found, refusals = [], []
    for workspace in visit.workspaces():
        try:
            found.append(work(workspace))
        except (KeyUnknown, TenantUnknown) as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    return found[0]


def _as_csv(lines: Iterable[UsageLine], parts: list[Part]) -> str:
    columns = usage_columns(parts)
    return csv_text(columns, ([getattr(line, name) for name in columns] for line in lines))

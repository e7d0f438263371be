"""Who used how much, and how much they may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from starlette.responses import Response

from feilun.data import csv_text
from feilun.project import Project
from feilun.records import Limit, UsageLine
from feilun.serve.api.routing import InWorkspace, Routes, Visit, send
from feilun.serve.api.shapes import LimitList, LimitRequest, LimitRow, UsageReply
from feilun.store import NotFound
from feilun.trust import BILLED, Part, usage_columns

routes = Routes("usage")
Reading = Annotated[Visit, Depends(InWorkspace("read"))]
Ruling = Annotated[Visit, Depends(InWorkspace("admin"))]
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
    """From the ledger: requests, inputs, characters, tokens and the engine's CPU time. The key of one project sees that
    project alone. With `Accept: text/csv`, CSV in UTF-8 in which no cell is a formula."""
    parts, own = by or list(BILLED), _own_project(visit)

    def look() -> list[UsageLine]:
        if own is not None and project not in (None, own):
            return []
        found = [one.usage(month=month, by=parts, project=own or project, key_id=key_id) for one in visit.workspaces()]
        return [line for lines in found for line in lines]

    lines = await visit.house.read(look)
    if "text/csv" in accept:
        return Response(_as_csv(lines, parts), media_type="text/csv; charset=utf-8")
    return send({"usage": [line.model_dump() for line in lines]})


@routes("GET", "/v1/limits", summary="List the limits that are set.", reply=LimitList)
async def list_limits(visit: Ruling) -> Response:
    """Of keys and of tenants. Not for the key of one project, nor are the two below."""
    visit.caller.must_be_unbound("admin")
    found = await visit.house.read(lambda: [limit for one in visit.workspaces() for limit in one.limits()])
    return send({"limits": [limit.model_dump() for limit in found]})


@routes(
    "GET",
    "/v1/limits/{subject}/{subject_id}",
    summary="See what a key or a tenant may use.",
    reply=LimitRow,
    problems=(404,),
)
async def get_limit(visit: Ruling, subject: str, subject_id: str) -> Response:
    """`subject` is `key` or `tenant`; null is no limit."""
    visit.caller.must_be_unbound("admin")
    whose = _whose(subject, subject_id)
    limit = await visit.house.read(_where_it_is, visit, lambda project: project.get_limit(**whose))
    return send(limit.model_dump())


@routes(
    "PUT",
    "/v1/limits/{subject}/{subject_id}",
    summary="Say what a key or a tenant may use.",
    reply=LimitRow,
    problems=(404, 507),
)
async def set_limit(visit: Ruling, subject: str, subject_id: str, body: LimitRequest) -> Response:
    """All of it: what is null or left out has no limit. It holds here at once, on other servers within a second."""
    visit.caller.must_be_unbound("admin")
    wanted = _whose(subject, subject_id) | body.model_dump()
    limit = await visit.house.read(_where_it_is, visit, lambda project: project.set_limit(**wanted))
    await visit.house.read(visit.house.till.follow)
    return send(limit.model_dump())


def _own_project(visit: Visit) -> str | None:
    """The one project whose usage the caller may see; None for every one of the workspace."""
    return None if visit.caller.key is None else visit.caller.key["project"]


def _as_csv(lines: Iterable[UsageLine], parts: list[Part]) -> str:
    columns = usage_columns(parts)
    return csv_text(columns, ([getattr(line, name) for name in columns] for line in lines))


def _whose(subject: str, subject_id: str) -> dict[str, Any]:
    if subject not in ("key", "tenant"):
        raise NotFound(what="limit", ref=subject[:64])
    return {"key_id" if subject == "key" else "tenant": subject_id[:64]}


def _where_it_is(visit: Visit, work: Callable[[Project], Limit]) -> Limit:
    """`work` in every workspace that knows the key or the tenant; what it gave in the first.

    Raises:
        NotFound: none does.
    """
    found, refusal = [], NotFound(what="workspace", ref="")
    for project in visit.workspaces():
        try:
            found.append(work(project))
        except NotFound as error:
            refusal = error
    if not found:
        raise refusal
    return found[0]

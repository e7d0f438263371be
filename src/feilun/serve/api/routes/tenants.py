"""Tenants: the operator's business alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from feilun.serve.api.key_shapes import TenantChange, TenantList, TenantRequest, TenantRow
from feilun.serve.api.routing import ForOperator, Routes, Visit, send

routes = Routes("tenants")
Operating = Annotated[Visit, Depends(ForOperator("keys"))]


@routes("GET", "/v1/tenants", summary="List the tenants.", reply=TenantList, problems=(409,))
async def list_tenants(visit: Operating) -> Response:
    """Each with the names of its projects."""
    return send({"tenants": await visit.house.read(visit.workspace().list_tenants)})


@routes("POST", "/v1/tenants", summary="Make a tenant.", reply=TenantRow, status=201, problems=(409, 507))
async def create_tenant(visit: Operating, body: TenantRequest) -> Response:
    """Projects become its own by `tenant` under [project] in their feilun.toml."""
    made = await visit.house.read(visit.workspace().create_tenant, body.tenant, name=body.name, actor=visit.caller.name)
    return send(made, status=201)


@routes("GET", "/v1/tenants/{tenant}", summary="See one tenant.", reply=TenantRow, problems=(404, 409))
async def get_tenant(visit: Operating, tenant: str) -> Response:
    """Its name, its projects, and whether it is shut out."""
    return send(await visit.house.read(visit.workspace().get_tenant, tenant))


@routes(
    "PATCH",
    "/v1/tenants/{tenant}",
    summary="Rename a tenant, or shut it out.",
    reply=TenantRow,
    problems=(404, 409, 507),
)
async def update_tenant(visit: Operating, tenant: str, body: TenantChange) -> Response:
    """`{"is_disabled": true}` shuts it out within a second: its keys are refused, its projects answer nobody but the
    operator. Nothing is deleted; `false` lets it in again."""
    change = body.model_dump()
    return send(await visit.house.read(visit.workspace().update_tenant, tenant, **change, actor=visit.caller.name))

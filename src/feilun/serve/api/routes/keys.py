"""API keys: who may come in. A caller sees, makes and changes those in reach of its own key."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from feilun.serve.api.key_shapes import KeyList, KeyMade, KeyRequest, KeyRow, RotateRequest
from feilun.serve.api.routing import InWorkspace, Routes, Visit, send

routes = Routes("keys")
Keeping = Annotated[Visit, Depends(InWorkspace("keys"))]


@routes("GET", "/v1/keys", summary="List the keys.", reply=KeyList, problems=(409,))
async def list_keys(visit: Keeping) -> Response:
    """Those of the caller's tenant (and project, when the caller's key is bound to one); all for the operator."""
    return send({"keys": await visit.house.read(visit.workspace().list_keys, by=visit.caller.key)})


@routes("POST", "/v1/keys", summary="Make a key.", reply=KeyMade, status=201, problems=(404, 409, 507))
async def create_key(visit: Keeping, body: KeyRequest) -> Response:
    """Give either a `role` or `scopes`. The secret is in the reply, and nowhere else. Nobody makes a key that may do
    more than their own, sees further or lives longer."""
    made = await visit.house.read(visit.workspace().create_key, **body.model_dump(), by=visit.caller.key)
    return send(made, status=201)


@routes("GET", "/v1/keys/{key_id}", summary="See one key.", reply=KeyRow, problems=(404, 409))
async def get_key(visit: Keeping, key_id: str) -> Response:
    """What it opens, whose it is, and when it was used last."""
    return send(await visit.house.read(visit.workspace().get_key, key_id, by=visit.caller.key))


@routes(
    "POST",
    "/v1/keys/{key_id}/rotate",
    summary="Give a key a new secret.",
    reply=KeyMade,
    problems=(404, 409, 507),
)
async def rotate_key(visit: Keeping, key_id: str, body: RotateRequest | None = None) -> Response:
    """The new secret is in the reply, and nowhere else; the present one opens for another `grace_s` seconds."""
    body = body or RotateRequest()
    made = await visit.house.read(visit.workspace().rotate_key, key_id, **body.model_dump(), by=visit.caller.key)
    return send(made)


@routes("POST", "/v1/keys/{key_id}/revoke", summary="Close a key for good.", reply=KeyRow, problems=(404, 409, 507))
async def revoke_key(visit: Keeping, key_id: str) -> Response:
    """It opens nothing within a second. Revoking what is revoked changes nothing."""
    return send(await visit.house.read(visit.workspace().revoke_key, key_id, by=visit.caller.key))

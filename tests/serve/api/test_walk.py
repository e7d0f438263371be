"""Every address × every method × everybody who may knock: who is let in follows from the declared scope alone."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from feilun.config import ServeSettings
from feilun.serve.api import create_app
from feilun.serve.api.cookies import FORM_PROOF, PLAIN
from feilun.serve.api.guard import is_open
from feilun.serve.api.routing import is_operators, is_persons, scope_of
from feilun.store import utc_now
from feilun.trust import ROLES, SCOPES, opened_by
from feilun.trust.keys import hash_secret
from tests.serve.api.shop import OURS, THEIRS, Shop

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PROXIED = {"X-Forwarded-For": "10.0.0.1"}
LET_IN = {200, 204, 400, 404, 422, 503}  # what comes of nonsense behind the door


@dataclass(frozen=True)
class Caller:
    """Who knocks, with a key or with a session: what it opens, whose it is; `scopes` None is a stranger."""

    secret: str | None
    scopes: frozenset[str] | None = None
    tenant: str | None = None
    project: str | None = None
    has_session: bool = False

    @property
    def headers(self) -> dict[str, str]:
        if self.has_session:
            return {"Cookie": f"{PLAIN}={self.secret}", FORM_PROOF: "1"}
        return {} if self.secret is None else {"Authorization": f"Bearer {self.secret}"}

    def expected(self, route: Any) -> set[int]:
        """The statuses with which a declared route may answer."""
        if self.scopes is None:
            return {401}
        return self.expected_of_known(route)

    def expected_of_known(self, route: Any) -> set[int]:
        is_operator = self.tenant is None and self.project is None
        is_kind = (self.has_session or not is_persons(route)) and (is_operator or not is_operators(route))
        if scope_of(route) not in self.scopes or not is_kind:
            return {403}
        if "{name}" in route.path and self.project not in (None, "support"):
            return {403}
        if "{name}" in route.path and self.tenant not in (None, OURS):
            return {404}
        if route.path == "/metrics" and not is_operator:
            return {403}
        return LET_IN


@pytest.fixture
def app(shop: Shop) -> FastAPI:
    return create_app(shop.projects, require_key=False, settings=ServeSettings())


@pytest.fixture
def knocking(shop: Shop) -> dict[str, Caller]:
    revoked = shop.workspace.create_key(name="revoked", role="owner")
    shop.workspace.revoke_key(revoked["key_id"])
    old = {"name": "old", "scopes": list(SCOPES), "tenant": None, "project": None, "actor": "ann"}
    shop.store.add_key(**old, secret_hash=hash_secret("fl_old"), expires_at=utc_now() - timedelta(seconds=1))
    found = {
        "nobody": Caller(None),
        "garbage": Caller("' OR 1=1 --"),
        "expired": Caller("fl_old"),
        "revoked": Caller(revoked["key"]),
        "another project's": Caller(
            shop.key(role="owner", project="empty"), opened_by(ROLES["owner"]), OURS, project="empty"
        ),
        "another tenant's": Caller(shop.key(role="owner", tenant=THEIRS), opened_by(ROLES["owner"]), THEIRS),
        "operator": Caller(shop.key(role="owner"), opened_by(ROLES["owner"])),
        "operator without keys": Caller(shop.key(role="maintainer"), opened_by(ROLES["maintainer"])),
    }
    for scope in SCOPES:
        found[f"scope {scope}"] = Caller(
            shop.key(scopes=[scope], project="support"), opened_by([scope]), OURS, "support"
        )
    for role, scopes in ROLES.items():
        for tenant in (OURS, None):
            session = shop.session(role=role, tenant=tenant)
            found[f"person {role} of {tenant}"] = Caller(session, opened_by(scopes), tenant, has_session=True)
        found[f"role {role}"] = Caller(shop.key(role=role, tenant=OURS), opened_by(scopes), OURS)
    found["a session that never was"] = Caller("never", has_session=True)
    return found


def filled(path: str) -> str:
    """The path of a route in project support, with ids of nothing."""
    return re.sub(r"\{(\w+)\}", r"\1-404", path.replace("{name}", "support"))


def test_who_is_let_in_follows_from_the_declared_scope(serve, app, knocking):
    client = serve(app=app)
    routes = {(method, route.path): route for route in app.routes for method in route.methods}
    paths = sorted({path for _, path in routes}, key=lambda path: (path == "/v1/session", path))  # signing out last
    assert len(paths) > 25
    wrong = []
    for (who, caller), path, method in itertools.product(knocking.items(), paths, METHODS):
        route = routes.get((method, path))
        if is_open(path):
            expected = {200, 204, 307, 403, 404, 422, 503} if route else {405}
        elif route is None:
            expected = {401} if caller.scopes is None else {405}
        else:
            expected = caller.expected(route)
        status = knock(client, method, path, caller).status_code
        if status not in expected:
            wrong.append((who, method, path, status, expected))
    assert wrong == []


def knock(client: httpx.Client, method: str, path: str, caller: Caller) -> httpx.Response:
    """A request that nothing comes of: its body and its query make no sense, its ids name nothing."""
    headers = PROXIED | caller.headers
    body = {"nonsense": 1} if method in ("POST", "PUT", "PATCH") else None
    return client.request(method, filled(path), json=body, headers=headers, params={"budget_s": "-1", "limit": "0"})


def test_every_scope_opens_something_and_roles_grow(app):
    assert {scope_of(route) for route in app.routes} == {*SCOPES, None}
    opened = [opened_by(scopes) for scopes in ROLES.values()]
    assert all(less < more for less, more in itertools.pairwise(opened))
    assert opened[-1] == set(SCOPES)


def test_a_key_in_the_address_opens_nothing(serve, app, shop):
    client, secret = serve(app=app), shop.key(role="owner")
    for name in ("key", "api_key", "apikey", "api-key", "x-api-key", "access_token", "token", "authorization"):
        refused = client.get("/v1/projects", params={name: secret}, headers=PROXIED)
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.key_missing"), name
    assert client.get(f"/v1/keys/{secret}", headers=PROXIED).status_code == 401

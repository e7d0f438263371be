"""Keys and tenants over HTTP: made, used, changed and closed while the server runs."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from feilun.project import Project
from feilun.store import EVERYWHERE
from tests.serve.api.shop import OURS, THEIRS, Shop

PROXIED = {"X-Forwarded-For": "10.0.0.1"}
PATIENCE_S = 5  # generous, for a machine that does other things; what is promised is a second


@pytest.fixture
def client(serve, shop: Shop) -> httpx.Client:
    return serve(*shop.projects.values())


def ask(client: httpx.Client, secret: str, method: str, path: str, body: Any = None) -> httpx.Response:
    return client.request(method, path, json=body, headers=PROXIED | {"Authorization": f"Bearer {secret}"})


def wait_until_refused(client: httpx.Client, secret: str) -> httpx.Response:
    """The first refusal of a key that was good until now."""
    until = time.monotonic() + PATIENCE_S
    while (said := ask(client, secret, "GET", "/v1/projects")).status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    return said


def test_an_owner_makes_uses_rotates_and_revokes_a_key(client, shop):
    owner = shop.key(role="owner", tenant=OURS)
    wanted = {"name": "website", "role": "labeller", "project": "support", "expires_in_days": 30}
    reply = ask(client, owner, "POST", "/v1/keys", wanted)
    made = reply.json()
    assert (reply.status_code, made["tenant"], made["project"], made["role"]) == (201, OURS, "support", "labeller")
    asked = ask(client, made["key"], "POST", "/v1/projects/support/predictions", {"inputs": [{"text": "hi"}]})
    assert asked.status_code == 200
    rotated = ask(client, owner, "POST", f"/v1/keys/{made['key_id']}/rotate", {"grace_s": 3600}).json()
    assert (rotated["key_id"], rotated["expires_at"]) == (made["key_id"], made["expires_at"])
    for secret in (made["key"], rotated["key"]):
        assert ask(client, secret, "GET", "/v1/projects").status_code == 200
    closed = ask(client, owner, "POST", f"/v1/keys/{made['key_id']}/revoke").json()
    assert closed["revoked_at"] is not None
    for secret in (made["key"], rotated["key"]):
        refused = wait_until_refused(client, secret)
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.key_invalid")
    again = ask(client, owner, "POST", f"/v1/keys/{made['key_id']}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "auth.key_closed")
    listed = ask(client, owner, "GET", "/v1/keys")
    assert {row["key_id"]: row["revoked_at"] for row in listed.json()["keys"]}[made["key_id"]] is not None
    assert made["key"] not in listed.text and rotated["key"] not in listed.text
    assert ask(client, owner, "GET", f"/v1/keys/{made['key_id']}").json()["last_used_at"] is not None


@pytest.mark.parametrize(
    "wanted",
    [{"role": "owner"}, {"scopes": ["admin"]}, {"role": "viewer"}],
    ids=["more", "another scope", "for longer"],
)
def test_nobody_gets_more_over_http_than_they_have(client, shop, wanted):
    secret = shop.key(scopes=["keys", "read"], tenant=OURS, expires_in_days=1)
    n_before = len(shop.store.list_keys(EVERYWHERE))
    refused = ask(client, secret, "POST", "/v1/keys", {"name": "n"} | wanted)
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.key_beyond_maker")
    assert len(shop.store.list_keys(EVERYWHERE)) == n_before


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"role": "viewer", "scopes": ["read"]},
        {"role": "king"},
        {"scopes": ["root"]},
        {"role": "viewer", "name": " "},
    ],
    ids=str,
)
def test_a_key_that_makes_no_sense_is_refused_with_what_would(client, shop, wanted):
    refused = ask(client, shop.key(role="owner"), "POST", "/v1/keys", {"name": "n"} | wanted)
    assert refused.status_code == 422
    assert refused.json()["code"] in ("auth.key_request_invalid", "request.invalid")


def test_a_disabled_tenant_is_out_at_once_and_the_operator_still_sees_its_projects(client, shop):
    operator, foreign = shop.key(role="owner"), shop.key(role="owner", tenant=THEIRS)
    ours = [shop.key(role="owner", tenant=OURS), shop.key(role="labeller", project="support")]
    assert all(ask(client, secret, "GET", "/v1/projects").status_code == 200 for secret in (*ours, operator, foreign))
    disabled = ask(client, operator, "PATCH", f"/v1/tenants/{OURS}", {"is_disabled": True}).json()
    assert (disabled["tenant"], disabled["projects"]) == (OURS, ["empty", "support"])
    for secret in ours:
        refused = wait_until_refused(client, secret)
        assert (refused.status_code, refused.json()["code"]) == (403, "auth.tenant_disabled")
        assert client.get("/health", headers=PROXIED | {"X-API-Key": secret}).status_code == 200
    assert ask(client, foreign, "GET", "/v1/projects/support").status_code == 404
    assert ask(client, operator, "GET", "/v1/projects/support").status_code == 200
    ask(client, operator, "PATCH", f"/v1/tenants/{OURS}", {"is_disabled": False})
    until = time.monotonic() + PATIENCE_S
    while ask(client, ours[0], "GET", "/v1/projects").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_operator_makes_a_tenant_and_its_owner(client, shop):
    operator = shop.key(role="owner")
    made = ask(client, operator, "POST", "/v1/tenants", {"tenant": "initech", "name": "Initech"})
    assert (made.status_code, made.json()["projects"]) == (201, [])
    twice = ask(client, operator, "POST", "/v1/tenants", {"tenant": "initech"})
    assert (twice.status_code, twice.json()["code"]) == (409, "tenant.exists")
    wanted = {"name": "bill", "role": "owner", "tenant": "initech"}
    owner = ask(client, operator, "POST", "/v1/keys", wanted).json()
    assert ask(client, owner["key"], "GET", "/v1/projects").json() == {"projects": []}
    seen = ask(client, owner["key"], "GET", "/v1/keys").json()["keys"]
    assert [row["key_id"] for row in seen] == [owner["key_id"]]


def test_readiness_names_projects_to_those_who_open_them_alone(client, shop):
    named = {
        "operator": {"empty", "empty-zzforeign"},
        "tenant": {"empty"},
        "project": set(),
    }
    keys = {"operator": {}, "tenant": {"tenant": OURS}, "project": {"project": "support"}}
    for who, wanted in keys.items():
        said = ask(client, shop.key(role="viewer", **wanted), "GET", "/ready").json()
        assert {one["fields"]["project"] for one in said["reasons"] if "project" in one["fields"]} == named[who]
        assert len(said["reasons"]) == 2


def test_without_a_key_a_server_of_two_workspaces_asks_for_one(serve, project: Project, bare_project: Project):
    client = serve(project, bare_project)
    refused = client.get("/v1/keys")
    assert (refused.status_code, refused.json()["code"]) == (409, "serve.workspace_ambiguous")
    secret = bare_project.workspace.create_key(name="n", role="owner")["key"]
    listed = client.get("/v1/keys", headers={"X-API-Key": secret}).json()["keys"]
    assert [row["name"] for row in listed] == ["n"]

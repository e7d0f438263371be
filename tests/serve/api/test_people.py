"""People over HTTP: in by a code and a password, never further than a key of their role, out everywhere at once.

On either kind of database, but for what is about headers alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from feilun.serve.api.cookies import FORM_PROOF, PLAIN, SECURE
from feilun.store import EVERYWHERE, utc_now
from feilun.store import tables as t
from feilun.store.chain import Unaudited
from tests.serve.api.shop import OURS, THEIRS, Shop

PROXIED = {"X-Forwarded-For": "10.0.0.1"}
OURS_ALONE = PROXIED | {FORM_PROOF: "1"}
PASSWORD = "correct horse battery"


ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def shop(shared_shop: Shop) -> Shop:
    return shared_shop


@pytest.fixture
def client(shop: Shop, serve) -> httpx.Client:
    return serve(*shop.projects.values())


def let_in(client: httpx.Client, shop: Shop, name: str = "desk1", **wanted: Any) -> dict[str, Any]:
    """Somebody who has chosen a password and signed in; the reply, with the `person_id`."""
    made = shop.workspace.add_person(name, **{"role": "labeller", "tenant": OURS} | wanted)
    said = {"code": made["code"], "password": PASSWORD}
    reply = client.post("/v1/session/invitation", json=said, headers=OURS_ALONE)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def seat(client: httpx.Client, shop: Shop, *, role: str = "labeller") -> str:
    """Somebody who has signed in on the client's browser, without the half second of a password; their id."""
    client.cookies.set(PLAIN, shop.session(role=role, tenant=OURS))
    return str(client.get("/v1/session", headers=PROXIED).json()["person_id"])


def sign_in(client: httpx.Client, name: str, password: str, **headers: str) -> httpx.Response:
    said = {"sign_in_name": name, "password": password}
    return client.post("/v1/session", json=said, headers=OURS_ALONE | headers)


def test_an_invitation_is_good_once_and_a_password_opens_what_the_role_opens(shop, client):
    made = shop.workspace.add_person("Desk1", role="labeller", tenant=OURS, name="Front desk")
    said = {"code": made["code"], "password": "desk1 desk1 desk1"}
    weak = client.post("/v1/session/invitation", json=said, headers=OURS_ALONE)
    assert (weak.status_code, weak.json()["code"]) == (422, "auth.password_weak")
    said["password"] = PASSWORD
    assert client.post("/v1/session/invitation", json=said, headers=OURS_ALONE).json() == {
        "kind": "person",
        "name": "Front desk",
        "sign_in_name": f"desk1@{OURS}",
        "person_id": made["person_id"],
        "role": "labeller",
        "scopes": ["predict", "feedback", "read"],
        "tenant": OURS,
        "project": None,
        "is_operator": False,
    }
    again = client.post("/v1/session/invitation", json=said, headers=OURS_ALONE)
    assert (again.status_code, again.json()["code"]) == (403, "auth.code_invalid")
    kept = str(shop.store.list_people(EVERYWHERE))
    assert PASSWORD not in kept and made["code"] not in kept

    answer = client.post(
        "/v1/projects/support/feedback", json={"inputs": {"text": "hm"}, "label": "refund"}, headers=OURS_ALONE
    )
    assert answer.status_code == 200
    assert shop.store.list_feedback("support")[-1]["actor"] == f"desk1@{OURS}"
    assert client.get("/v1/keys", headers=PROXIED).json()["code"] == "auth.scope_missing"
    assert {one["name"] for one in client.get("/v1/projects", headers=PROXIED).json()["projects"]} == {
        "support",
        "empty",
    }


@ON_ONE
def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_over_https_of_other_hosts(shop, client):
    let_in(client, shop)
    client.cookies.clear()
    plain = sign_in(client, f"DESK1@{OURS}", PASSWORD).headers["set-cookie"]
    assert plain.startswith(f"{PLAIN}=") and "Secure" not in plain
    client.cookies.clear()
    secure = sign_in(client, f"desk1@{OURS}", PASSWORD, **{"X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert secure.startswith(f"{SECURE}=") and "Secure" in secure and "Domain" not in secure
    for cookie in (plain, secure):
        assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    token = plain.partition("=")[2].partition(";")[0]
    over_https = PROXIED | {"X-Forwarded-Proto": "https", "Cookie": f"{PLAIN}={token}"}
    client.cookies.clear()
    assert client.get("/v1/projects", headers=over_https).status_code == 401


FORGED = {
    "another site": {FORM_PROOF: "1", "Sec-Fetch-Site": "cross-site"},
    "a neighbouring name": {FORM_PROOF: "1", "Sec-Fetch-Site": "same-site"},
    "a foreign origin": {FORM_PROOF: "1", "Origin": "https://evil.example"},
    "an origin that hides": {FORM_PROOF: "1", "Origin": "null"},
    "no header": {"Sec-Fetch-Site": "same-origin"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "an address typed in": {FORM_PROOF: "1", "Sec-Fetch-Site": "none"},
}


@ON_ONE
@pytest.mark.parametrize("forged", FORGED.values(), ids=list(FORGED))
def test_what_another_page_sends_in_somebody_s_name_does_nothing(shop, client, forged):
    seat(client, shop, role="owner")
    before = shop.workspace.list_keys(), shop.store.list_feedback("support")
    for method, path, body in (
        ("POST", "/v1/keys", {"name": "evil", "role": "viewer"}),
        ("POST", "/v1/projects/support/feedback", {"inputs": {"text": "hm"}, "label": "refund"}),
        ("PUT", "/v1/session/password", {"old": PASSWORD, "new": "another battery horse"}),
        ("POST", "/v1/session", {"sign_in_name": f"desk1@{OURS}", "password": PASSWORD}),
        ("DELETE", "/v1/session", None),
    ):
        refused = client.request(method, path, json=body, headers=PROXIED | forged)
        unread = {"request.invalid"} if "Content-Type" in forged and path == "/v1/session" else set()
        assert refused.json()["code"] in {"auth.cross_site"} | unread, path
        assert "set-cookie" not in refused.headers
    assert (shop.workspace.list_keys(), shop.store.list_feedback("support")) == before
    assert client.get("/v1/session", headers=PROXIED).json()["kind"] == "person"


ENDINGS = {
    "signing out": lambda client, shop, who: client.delete("/v1/session", headers=OURS_ALONE),
    "being shut out": lambda client, shop, who: shop.workspace.update_person(who, is_disabled=True),
    "a reset": lambda client, shop, who: shop.workspace.reset_person(who),
    "a tenant shut out": lambda client, shop, who: shop.workspace.update_tenant(OURS, is_disabled=True),
    "12 hours unused": lambda client, shop, who: age(shop, "last_used_at", hours=13),
    "7 days": lambda client, shop, who: age(shop, "created_at", hours=24 * 7 + 1),
}


def age(shop: Shop, column: str, *, hours: int) -> None:
    query = t.sessions.update().values({column: utc_now() - timedelta(hours=hours)})
    shop.store.writer.write(lambda c: c.execute(query), audit=Unaudited("a test"))


@pytest.mark.parametrize("end", ENDINGS.values(), ids=list(ENDINGS))
def test_a_session_ends_at_the_next_request_on_every_server(shop, serve, client, end):
    who, other = seat(client, shop), serve(*shop.projects.values())
    cookie = PROXIED | {"Cookie": f"{PLAIN}={client.cookies[PLAIN]}"}
    assert other.get("/v1/projects", headers=cookie).status_code == 200
    end(client, shop, who)
    for server in (client, other):
        server.cookies.clear()
        refused = server.get("/v1/projects", headers=cookie)
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.session_ended")
        assert f'{PLAIN}=""; ' in refused.headers["set-cookie"]


def test_another_password_ends_every_session_but_the_one_that_asked(shop, client):
    let_in(client, shop)
    old = client.cookies[PLAIN]
    said = {"old": "not the password", "new": "another battery horse"}
    assert client.put("/v1/session/password", json=said, headers=OURS_ALONE).json()["code"] == "auth.sign_in_refused"
    said["old"] = PASSWORD
    assert client.put("/v1/session/password", json=said, headers=OURS_ALONE).status_code == 200
    assert client.cookies[PLAIN] != old
    assert client.get("/v1/projects", headers=PROXIED).status_code == 200
    client.cookies.clear()
    assert client.get("/v1/projects", headers=PROXIED | {"Cookie": f"{PLAIN}={old}"}).status_code == 401
    assert sign_in(client, f"desk1@{OURS}", PASSWORD).status_code == 403
    assert sign_in(client, f"desk1@{OURS}", "another battery horse").status_code == 200


def test_an_owner_lets_nobody_do_more_than_they_may_and_does_not_shut_themselves_out(shop, client):
    me = seat(client, shop, role="owner")
    theirs = shop.workspace.add_person("desk", role="viewer", tenant=None)
    made = client.post("/v1/people", json={"sign_in_name": "new", "role": "owner"}, headers=OURS_ALONE).json()
    assert (made["tenant"], made["sign_in_name"]) == (OURS, f"new@{OURS}")
    refused = {
        "person.unknown": client.post(f"/v1/people/{theirs['person_id']}/reset", headers=OURS_ALONE),
        "tenant.unknown": client.post(
            "/v1/people", json={"sign_in_name": "x", "role": "viewer", "tenant": THEIRS}, headers=OURS_ALONE
        ),
        "person.exists": client.post("/v1/people", json={"sign_in_name": "NEW", "role": "viewer"}, headers=OURS_ALONE),
        "person.is_self": client.patch(f"/v1/people/{me}", json={"is_disabled": True}, headers=OURS_ALONE),
    }
    assert {code: one.json()["code"] for code, one in refused.items()} == {code: code for code in refused}
    client.cookies.clear()
    for wanted in (
        {"scopes": ["keys"]},
        {"role": "owner", "expires_in_days": 1},
        {"role": "owner", "project": "support"},
    ):
        key = PROXIED | {"X-API-Key": shop.key(**{"tenant": None if "project" in wanted else OURS} | wanted)}
        code = client.post("/v1/people", json={"sign_in_name": "y", "role": "viewer"}, headers=key).json()["code"]
        assert code == "auth.person_beyond_maker", wanted


@ON_ONE
def test_who_one_is(shop, client):
    assert client.get("/v1/session", headers=PROXIED).json()["kind"] == "nobody"
    assert client.get("/v1/session").json() | {"scopes": []} == {
        "kind": "machine",
        "name": None,
        "sign_in_name": None,
        "person_id": None,
        "role": "owner",
        "scopes": [],
        "tenant": None,
        "project": None,
        "is_operator": True,
    }
    key = client.get("/v1/session", headers=PROXIED | {"X-API-Key": shop.key(role="viewer", project="support")}).json()
    assert (key["kind"], key["role"], key["tenant"], key["project"]) == ("key", "viewer", OURS, "support")
    assert not key["is_operator"]

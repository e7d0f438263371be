"""Who may come in, and what a stranger learns: nothing."""

from __future__ import annotations

import itertools
import re
import socket
import time

import httpx
import pytest

from feilun.config import ServeSettings
from feilun.serve.api import create_app
from feilun.serve.api.access import FORWARDING, is_loopback
from feilun.serve.api.errors import ScopeUndeclared
from feilun.serve.api.guard import is_open
from feilun.serve.api.routing import is_persons, scope_of
from feilun.trust import SCOPES, create_key, revoke_key

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
OPEN = {"/", "/console/assets/{file}", "/console/{screen:path}", "/health", "/ready"}
WAY_IN = {"/v1/session", "/v1/session/invitation"}
OPEN |= WAY_IN
PROXIED = {"X-Forwarded-For": "127.0.0.1"}


def paths_of(app) -> list[str]:
    return sorted({filled(route) for route in app.routes})


def filled(route) -> str:
    """The path of a route in project support, with ids of nothing."""
    return re.sub(r"\{(\w+?)(_id)?\}", r"\1_404", route.path.replace("{name}", "support"))


@pytest.fixture
def app(project):
    return create_app({"support": project}, require_key=False, settings=ServeSettings())


def bearer(secret: str) -> dict[str, str]:
    return PROXIED | {"Authorization": f"Bearer {secret}"}


def test_without_a_key_every_path_and_method_is_closed_but_health_ready_the_console_and_the_way_in(serve, app, project):
    client = serve(app=app)
    row, revoked = create_key(project.store, name="gone", scopes=["admin"])
    revoke_key(project.store, row["key_id"])
    paths = [
        *paths_of(app),
        "/console",
        "/consoles/",
        "/docs",
        "/redoc",
        "/v1",
        "/v1/projects/none",
        "/v1/projects/../../etc",
        "/x" * 500,
    ]
    assert len(paths) > 20
    for path, method in itertools.product(paths, METHODS):
        if is_open(path):
            continue
        for headers in (PROXIED, bearer("fl_wrong"), bearer(revoked), PROXIED | {"X-API-Key": "' OR 1=1"}):
            response = client.request(method, path, headers=headers)
            assert response.status_code == 401, (method, path)
            assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/health", headers=PROXIED).status_code == 200
    assert client.get("/ready", headers=PROXIED).status_code == 200
    assert {route.path for route in app.routes if is_open(route.path)} == OPEN


def test_the_console_answers_get_alone_and_holds_no_data(serve, app, project):
    client = serve(app=app)
    for path, method in itertools.product(sorted(OPEN - WAY_IN - {"/health", "/ready"}), METHODS):
        if method != "GET":
            assert client.request(method, path, headers=PROXIED).status_code == 405, (method, path)
    for path in ("/", "/console/", "/console/projects/support", "/console/assets/none.js"):
        reply = client.get(path, headers=PROXIED)
        assert project.store.find_champion("support") not in reply.text
        assert reply.headers["x-frame-options"] == "DENY"


def test_a_key_opens_what_its_scopes_say_and_nothing_else(serve, app, project):
    client = serve(app=app)
    keys = {scope: create_key(project.store, name=scope, scopes=[scope])[1] for scope in SCOPES if scope != "admin"}
    boss = create_key(project.store, name="boss", role="owner")[1]
    project.store.add_project("other", folder=project.folder)
    foreign = create_key(project.store, name="foreign", scopes=["admin"], project="other")[1]
    for route in app.routes:
        needed = scope_of(route)
        if needed is None or is_persons(route):  # people are in test_walk.py
            continue
        (method,), path = route.methods, filled(route)
        if "stream" not in path:
            for scope, secret in keys.items():
                status = client.request(method, path, headers=bearer(secret)).status_code
                assert (status == 403) == (scope != needed), (method, path, scope)
            assert client.request(method, path, headers=bearer(boss)).status_code not in (401, 403)
            if "{name}" in route.path or path == "/metrics":
                assert client.request(method, path, headers=bearer(foreign)).status_code == 403
    assert client.get("/v1/projects", headers=bearer(foreign)).json() == {"projects": []}
    assert client.get("/v1/models", headers=bearer(foreign)).json() == {"object": "list", "data": []}


def test_a_key_of_one_project_cannot_tell_whether_the_model_of_another_exists(serve, project):
    client = serve()
    project.store.add_project("mine", folder=project.folder)
    secret = create_key(project.store, name="mine", scopes=["predict"], project="mine")[1]
    asked = {"messages": [{"role": "user", "content": "hi"}], "input": "hi"}
    for model in ("support", project.store.find_champion("support"), "never"):
        for path, body in (("chat/completions", asked), ("embeddings", asked), (f"models/{model}", None)):
            method = "POST" if body else "GET"
            json = {**asked, "model": model} if body else None
            refused = client.request(method, f"/v1/{path}", json=json, headers=bearer(secret))
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
            assert error["fields"] == {"model": model, "param": "model"}
    assert project.store.count_traffic("support")["predictions"] == 0


def test_a_key_of_one_project_cannot_tell_whether_another_exists(serve, project):
    client = serve()
    project.store.add_project("mine", folder=project.folder)
    secret = create_key(project.store, name="mine", scopes=["admin"], project="mine")[1]
    exists, never = (client.get(f"/v1/projects/{name}", headers=bearer(secret)) for name in ("support", "never"))
    assert (exists.status_code, exists.json()) == (never.status_code, never.json())


def test_a_revoked_key_is_out_within_a_second(serve, project):
    client = serve(require_key=True)
    row, secret = create_key(project.store, name="website", scopes=["read"])
    headers = {"X-API-Key": secret}
    assert client.get("/v1/projects", headers=headers).status_code == 200
    revoke_key(project.store, row["key_id"])
    revoked_at = time.monotonic()
    while client.get("/v1/projects", headers=headers).status_code == 200:
        assert time.monotonic() - revoked_at < 1
        time.sleep(0.02)
    assert client.get("/v1/projects", headers=headers).json()["code"] == "auth.key_invalid"


def test_this_machine_needs_no_key_unless_it_is_told_to_ask_for_one(serve):
    assert serve().get("/v1/projects").status_code == 200
    assert serve(require_key=True).get("/v1/projects").status_code == 401


def test_who_comes_through_a_proxy_is_not_on_this_machine(client):
    for header, value in itertools.product(FORWARDING, ("127.0.0.1", "for=127.0.0.1", "", "localhost")):
        refused = client.get("/v1/projects", headers={header: value})
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.key_missing"), header


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "evil.example:8710"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example:80"},
    {"Host": "[::2]:80"},
    {"Host": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://[broken"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


def test_a_foreign_page_in_a_browser_on_this_machine_is_refused(client, project):
    for headers in FOREIGN:
        refused = client.post("/v1/projects/support/turns", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "auth.foreign_page"), headers
    assert project.store.find_turn_request("support") is None


def test_names_of_this_machine_are_all_right(client):
    port = client.base_url.port
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1", f"127.0.0.1:{port}", "[::1]", f"[::1]:{port}"):
        assert client.get("/v1/projects", headers={"Host": host}).status_code == 200
    own = {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/v1/projects", headers=own).status_code == 200


def test_two_host_headers_are_refused(client):
    port = client.base_url.port
    request = f"GET /v1/projects HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(request.encode())
        assert line.recv(100).split(b" ")[1] in (b"400", b"403")


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_only_loopback_is_this_machine(host, near):
    assert is_loopback((host, 1)) is near
    assert is_loopback(None) is False


def test_a_door_that_nobody_said_who_may_open_keeps_the_server_from_starting(app):
    @app.get("/v1/secrets")
    def secrets() -> dict:
        return {}

    import asyncio

    async def start() -> None:
        async with app.router.lifespan_context(app):
            raise AssertionError("started")

    with pytest.raises(ScopeUndeclared, match="/v1/secrets"):
        asyncio.run(start())


def test_a_stranger_learns_no_names_from_readiness(serve, project):
    client = serve()
    project.store.writer._broken = True  # as after a disk error
    near, far = client.get("/ready"), client.get("/ready", headers=PROXIED)
    assert (near.status_code, far.status_code) == (503, 503)
    assert near.json()["reasons"][0]["code"] == "store.broken"
    assert far.json()["reasons"][0]["fields"] == {"about": "store.broken"}
    project.store.writer._broken = False


def test_nothing_is_given_to_a_websocket(client):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "x" * 22 + "==",
        "Sec-WebSocket-Version": "13",
    }
    assert client.get("/v1/projects", headers=upgrade | PROXIED).status_code == 401


def test_the_client_address_is_never_taken_from_a_header(serve, app):
    client = serve(app=app)
    with httpx.Client(base_url=client.base_url, headers={"X-Forwarded-For": "127.0.0.1, ::1"}) as liar:
        assert liar.get("/v1/projects").status_code == 401

"""Health, readiness, metrics, the OpenAPI document, and what the guard lets pass."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
import urllib.parse
from collections import Counter

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from feilun import __version__
from feilun.project import Project
from feilun.serve.api import guard, wire
from feilun.serve.api.guard import is_open
from feilun.trust import SCOPES

AT = "/v1/projects/support"


def samples(client) -> dict[tuple, float]:
    text = client.get("/metrics").raise_for_status().text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_server_with_a_champion_is_healthy_and_ready(client):
    assert client.get("/health").json() == {"status": "ok", "version": __version__}
    assert client.get("/ready").json() == {"ready": True, "reasons": []}


def test_a_project_without_a_champion_is_not_ready_and_says_so(serve, bare_project):
    client = serve(bare_project)
    refused = client.get("/ready", headers={"Accept-Language": "zh"})
    assert refused.status_code == 503
    assert [reason["code"] for reason in refused.json()["reasons"]] == ["engine.no_champion"]
    assert "还没有" in refused.json()["reasons"][0]["message"]
    refused = client.post("/v1/projects/bare/predictions", json={"inputs": [{"text": "x"}]})
    assert (refused.status_code, refused.json()["code"]) == (503, "serve.not_ready")
    assert refused.headers["retry-after"] == "1"
    assert client.get("/v1/projects/bare").json()["is_ready"] is False


def test_metrics_count_what_happened_and_know_no_message(client, project):
    secret_words = "my name is Zhang Wei and I want a refund"
    answers = client.post(f"{AT}/predictions", json={"inputs": [{"text": secret_words}] * 3}).json()["predictions"]
    said = {"prediction_id": answers[0]["prediction_id"], "thumb": "down", "comment": secret_words}
    client.post(f"{AT}/feedback", json=said).raise_for_status()
    client.get(f"/{urllib.parse.quote(secret_words)}")
    client.get(f"/v1/projects/{urllib.parse.quote(secret_words)}")
    found = samples(client)
    champion = project.store.find_champion("support")
    by = (("model_id", champion), ("project", "support"), ("variant", "champion"))
    labels = (("decision", answers[0]["decision"]), *by)
    assert found[("feilun_predictions_total", *labels)] == 3
    assert found[("feilun_feedback_total", ("project", "support"))] == 1
    assert found[("feilun_review_queue", ("project", "support"))] >= 1
    assert found[("feilun_champion_info", ("model_id", champion), ("project", "support"))] == 1
    assert found[("feilun_ready", ("project", "support"))] == 1
    route = ("route", "/v1/projects/{name}/predictions")
    assert found[("feilun_http_requests_total", ("method", "POST"), route, ("status", "200"))] == 1
    assert found[("feilun_http_request_seconds_count", route)] == 1
    assert found[("feilun_http_requests_total", ("method", "GET"), ("route", "none"), ("status", "404"))] == 1
    assert "Zhang" not in client.get("/metrics").text


def test_the_document_says_the_scope_and_every_field_of_every_operation(client):
    document = client.get("/openapi.json").json()
    operations = [(path, op) for path, methods in document["paths"].items() for op in methods.values()]
    assert len(operations) >= 20
    for path, operation in operations:
        assert operation["summary"].endswith((".", "?")), path
        assert operation["operationId"].isidentifier()
        if not is_open(path):
            assert operation["x-scope"] in SCOPES, path
            assert operation["security"] == [{"bearer": []}, {"header": []}]
    asked = document["components"]["schemas"]
    for name in ("PredictRequest", "MessageInput", "FeedbackRequest", "Prediction", "FeedbackReply", "Problem"):
        assert all("description" in field for field in asked[name]["properties"].values()), name
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert client.get(path).status_code == 404


def test_replies_carry_the_headers_that_keep_browsers_safe(client):
    for path in ("/health", "/nowhere", f"{AT}/events"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_the_wrong_method_is_told_the_right_ones(client):
    refused = client.request("DELETE", f"{AT}/feedback")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
    assert refused.json()["code"] == "request.method_refused"


def test_a_bug_of_ours_is_told_without_its_words_and_logged_without_the_message(client, project, monkeypatch, caplog):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret " + "words of a customer")

    monkeypatch.setattr(Project, "list_turns", broken)
    failed = client.get(f"{AT}/turns")
    assert (failed.status_code, failed.json()["code"]) == (500, "feilun.internal")
    error_id = failed.json()["fields"]["error_id"]
    assert "RuntimeError" not in failed.text
    assert error_id in caplog.text
    assert "RuntimeError" in caplog.text
    assert "secret words" not in failed.text + caplog.text


def test_a_full_disk_refuses_feedback_while_answers_go_on(client, project):
    def limit(connection, _record) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size: not a page more

    sa.event.listen(project.store.engine, "connect", limit)
    project.store.engine.dispose()
    said = {"inputs": {"text": "x"}, "comment": "y" * 20_000}
    refused = client.post(f"{AT}/feedback", json=said)
    assert (refused.status_code, refused.json()["code"]) == (507, "store.full")
    assert str(project.folder) not in refused.text
    assert client.post(f"{AT}/predictions", json={"inputs": [{"text": "x" * 50_000}]}).status_code == 200
    assert project.list_feedback() == []
    sa.event.remove(project.store.engine, "connect", limit)
    project.store.engine.dispose()
    assert client.post(f"{AT}/feedback", json=said).status_code == 200  # room was made: no restart is needed


JUNK = [
    *(None, True, 0, -1, 2**70, 1.5, "", " ", "x", "\0", "\ud800", "🙂" * 50, [], {}, [[]], [{}], {"": None}),
    *("../../etc/passwd", "%00", "{{7*7}}", "'; --", "true", "null", "1e999", "\r\nX: y", "p_" + "0" * 24),
]


def test_junk_in_every_field_parameter_and_path_is_never_our_mistake(client, project):
    """The client's examiner holds each of these replies against the document too."""
    bodies = {
        f"{AT}/predictions": {"inputs": [{"text": "x"}]},
        f"{AT}/feedback": {"inputs": {"text": "x"}, "label": "a", "thumb": None, "text": "b", "comment": "c"},
        f"{AT}/releases": {"action": "promote", "model_id": "m", "share": 0.5, "reason": "r", "override": False},
        f"{AT}/turns": {"note": "n"},
    }
    statuses = Counter()
    for path, good in bodies.items():
        for field, junk in itertools.product([None, *good], JUNK):
            body = junk if field is None else good | {field: junk}
            data = json.dumps(body).encode()
            response = client.post(path, content=data, headers={"Content-Type": "application/json"})
            statuses[response.status_code] += 1
    params = ("after", "limit", "turn_id")
    for path, name, junk in itertools.product((f"{AT}/feedback", f"{AT}/events", f"{AT}/queue"), params, JUNK):
        value = ascii(junk) if isinstance(junk, (list, dict)) or junk == "\ud800" else junk
        statuses[client.get(path, params={name: value}).status_code] += 1
    for junk in (one for one in JUNK if isinstance(one, str) and one != "\ud800"):
        for path in (f"{AT}/models/{{}}", f"{AT}/models/{{}}/report", f"{AT}/turns/{{}}", "/v1/projects/{}", "/{}"):
            statuses[client.get(path.format(urllib.parse.quote(junk, safe=""))).status_code] += 1
        statuses[client.post(f"{AT}/queue/{urllib.parse.quote(junk, safe='')}/skip").status_code] += 1
        headers = {
            "Last-Event-ID": ascii(junk),
            "Accept-Language": ascii(junk),
            "Authorization": f"Basic {junk!a}",
        }
        statuses[client.get(f"{AT}/events", headers=headers).status_code] += 1
    assert sum(statuses.values()) > 500
    assert statuses.pop(307) == 1  # "/" and nothing after it: to the console
    assert set(statuses) <= {200, 202, 404, 405, 422}, statuses


# ----------------------------------------------------------------------------------------------- bodies


def raw(client, data: bytes, *, more: bytes = b"") -> bytes:
    """Send bytes as they are; the status line of the reply."""
    with socket.create_connection(("127.0.0.1", client.base_url.port), timeout=10) as line:
        line.sendall(data)
        try:
            for _ in range(200 if more else 0):
                line.sendall(more)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server had heard enough
        return line.recv(200).split(b"\r\n")[0]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(serve):
    client = serve(max_body_mb=0.1)
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 413 " in raw(client, f"{head}Content-Length: 1000000\r\n\r\n".encode())
    assert b" 413 " in raw(client, f"{head}Content-Length: {'9' * 19}\r\n\r\n".encode())


def test_a_body_that_does_not_say_how_large_it_is_is_cut_off_at_the_limit(serve, project):
    client = serve(max_body_mb=0.1)
    chunks = (b'{"inputs": [' if n == 0 else b" " * 10_000 for n in range(1000))
    refused = client.post(f"{AT}/predictions", content=chunks, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["fields"]) == (413, {"max_mb": 0.1})
    just_fits = json.dumps({"inputs": [{"text": "x"}]}).ljust(100_000).encode()
    for size, status in ((0, 200), (1, 413)):
        body = just_fits + b" " * size
        reply = client.post(f"{AT}/predictions", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == status


def test_a_body_that_never_comes_is_given_up(serve, monkeypatch):
    monkeypatch.setattr(guard, "BODY_WITHIN_S", 0.2)
    client = serve()
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{"
    assert b" 408 " in raw(client, head.encode())


def test_slow_and_idle_callers_hold_up_nobody(client):
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode()
    lines = [socket.create_connection(("127.0.0.1", client.base_url.port)) for _ in range(100)]
    for line in lines:
        line.sendall(head)
    started = time.monotonic()
    assert client.post(f"{AT}/predictions", json={"inputs": [{"text": "x"}]}).status_code == 200
    assert time.monotonic() - started < 5
    for line in lines:
        line.close()
    assert client.get("/health").status_code == 200


def test_more_at_once_than_can_be_worked_on_are_asked_to_come_again(serve, project, monkeypatch):
    monkeypatch.setattr(wire, "MAX_IN_FLIGHT", 2)
    client, go_on = serve(), threading.Event()
    monkeypatch.setattr(Project, "list_turns", lambda *_, **__: go_on.wait(10) and [])
    callers = [threading.Thread(target=client.get, args=(f"{AT}/turns",)) for _ in range(2)]
    for caller in callers:
        caller.start()
    time.sleep(0.3)
    refused = client.get("/v1/projects")
    assert (refused.status_code, refused.json()["code"]) == (503, "serve.busy")
    assert client.get("/health").status_code == 200
    go_on.set()
    for caller in callers:
        caller.join()
    assert client.get("/v1/projects").status_code == 200


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n", b"A" * 100_000]
)
def test_what_is_not_http_hurts_nobody(client, junk):
    with socket.create_connection(("127.0.0.1", client.base_url.port), timeout=2) as line:
        line.sendall(junk)
    assert client.get("/health").status_code == 200

"""Alerts through a real server: a rule fires, the target hears of it once, and answers go on whatever becomes of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator

import pytest

from feilun.alerts import Door, post
from feilun.config import ServeSettings
from feilun.project import Project
from feilun.project import alerts as facade
from feilun.serve.api import alerting, wire
from feilun.serve.api.outcomes import Outcomes
from feilun.store import EVERYWHERE
from feilun.store import tables as t
from feilun.store.alerts import ON_ITS_WAY
from tests.receiver import Receiver, receiving, say, tell, write_settings

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def test_a_roll_back_is_told_once_signed_and_resolved(serve, folder, receiver, monkeypatch):
    monkeypatch.setenv("OPS_SECRET", SECRET)
    door = tell(folder, receiver.port)
    with Project(folder) as project:
        project.watch_alerts()  # what was there before is no news
        client = serve(project, **door)
        first, second = (row["model_id"] for row in project.list_models()[::-1])
        promote = {"action": "promote", "model_id": second, "override": True, "reason": "a test", "actor": "ann"}
        assert client.post("/v1/projects/support/releases", json=promote).status_code == 201
        back = {"action": "rollback", "reason": "secret words of a person", "actor": "ann"}
        assert client.post("/v1/projects/support/releases", json=back).status_code == 201
        got = receiver.wait()
        said = json.loads(got.body)
        assert (said["type"], said["data"]["rule"], said["data"]["project"]) == (
            "alert.fired",
            "rolled_back",
            "support",
        )
        assert said["data"]["occasion"] == project.list_releases()[0]["release_id"]
        assert b"secret words" not in got.body and first.encode() not in got.body
        message = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
        made = base64.b64encode(hmac.new(b"a secret of 24 bytes ...", message, hashlib.sha256).digest()).decode()
        assert got.headers["webhook-signature"] == f"v1,{made}"
        board = client.get("/v1/projects/support/alerts").json()
        (rule,) = (one for one in board["rules"] if one["rule"] == "rolled_back")
        assert rule["state"] == "firing" and rule["since"] is not None
        target = {"name": "ops", "format": "json", "host": "127.0.0.1", "is_signed": True, "trouble": None}
        assert board["targets"] == [target]
        assert client.post("/v1/projects/support/releases", json=promote).status_code == 201
        assert json.loads(receiver.wait().body)["type"] == "alert.resolved"
        assert len(receiver.got) == 2
        log = client.get("/v1/projects/support/alerts/log").json()["deliveries"]
        assert [(row["event"], row["n_tries"]) for row in log] == [("resolved", 1), ("fired", 1)]
        told = json.dumps([board, log, project.store.list_audit(EVERYWHERE)])
        assert SECRET not in told and "/in" not in told


def test_a_test_says_what_came_of_it_and_is_in_the_audit_log(serve, folder, receiver, monkeypatch):
    monkeypatch.setenv("OPS_SECRET", SECRET)
    door = tell(folder, receiver.port, {"name": "elsewhere", "url": "https://internal.example/x"})
    with Project(folder) as project:
        client = serve(project, **door)
        rows = client.post("/v1/projects/support/alerts/test", json={}).json()["deliveries"]
        outcomes = {row["target"]: (row["state"], row["error"] and row["error"]["code"]) for row in rows}
        assert outcomes == {"ops": ("delivered", None), "elsewhere": ("failed", "alerts.not_sent")}
        assert "alert_hosts" in next(row for row in rows if row["target"] == "elsewhere")["error"]["en"]
        one = client.post("/v1/projects/support/alerts/test", json={"to": "ops"}).json()["deliveries"]
        assert [row["target"] for row in one] == ["ops"] and len(receiver.got) == 2
        refused = client.post("/v1/projects/support/alerts/test", json={"to": "nobody"})
        assert (refused.status_code, refused.json()["code"]) == (404, "alerts.target_unknown")
        tests = [row for row in project.store.list_audit(EVERYWHERE) if row["action"] == "alert.tested"]
        assert [row["details"]["targets"] for row in tests] == [["ops", "elsewhere"], ["ops"]]


def test_the_servers_list_counts_and_not_the_projects_own(serve, folder, receiver, monkeypatch):
    monkeypatch.setenv("OPS_SECRET", SECRET)
    write_settings(folder, serve=tell(folder, receiver.port))
    with Project(folder) as project:
        (row,) = serve(project).post("/v1/projects/support/alerts/test", json={}).json()["deliveries"]
        assert (row["state"], receiver.got) == ("failed", [])
        (sent,) = project.test_alerts()
        assert (sent.state, len(receiver.got)) == ("delivered", 1)


def test_without_a_target_nobody_is_told_and_the_rules_show_as_they_read(client, project):
    board = client.get("/v1/projects/support/alerts").json()
    assert board["targets"] == [] and {one["rule"] for one in board["rules"]} >= {"drift", "rolled_back"}
    refused = client.post("/v1/projects/support/alerts/test")
    assert (refused.status_code, refused.json()["code"]) == (409, "alerts.nowhere")
    assert project.watch_alerts() == [] and project.store.list_alert_states("support") == {}


def test_what_does_not_arrive_is_tried_again_and_a_target_that_was_taken_out_is_given_up(folder, receiver, monkeypatch):
    monkeypatch.setenv("OPS_SECRET", SECRET)
    monkeypatch.setattr(facade, "COUNTS_FOR_S", 0.0)
    door = Door.of(ServeSettings(**tell(folder, receiver.port, disk_left_mb=1e12)))
    with Project(folder) as project:
        receiver.answer = say(status=503)
        assert [one.rule for one in project.watch_alerts()] == ["disk_left_mb"]
        assert project.watch_alerts() == []
        assert (project.send_alerts(door=door), project.send_alerts(door=door)) == (1, 0)
        (row,) = project.alert_log()
        assert (row.state, row.n_tries, row.next_at is not None) == ("waiting", 1, True)
        assert "503" in row.error["en"] and "503" in row.error["zh"]
        later(project)
        receiver.answer = say()
        assert project.send_alerts(door=door) == 1
        first, second = (got.headers["webhook-id"] for got in receiver.got)
        assert first == second and project.alert_log()[0].state == "delivered"
        tell(folder, receiver.port, disk_left_mb=1)
        assert [one.is_firing for one in project.watch_alerts()] == [False]
        write_settings(folder, alerts={"to": [{"name": "others", "url": "https://hooks.example.com"}]})
        assert project.send_alerts(door=door) == 1
        assert (project.alert_log()[0].state, len(receiver.got)) == ("failed", 2)


def later(project: Project) -> None:
    """As if the pause were over."""
    due = t.alert_deliveries.update().values(next_at=t.utc_now())
    project.store.writer.write(lambda connection: connection.execute(due), audit=ON_ITS_WAY)


def test_a_target_that_hangs_keeps_no_answer_waiting_and_no_server_from_stopping(serve, folder, receiver, monkeypatch):
    monkeypatch.setenv("OPS_SECRET", SECRET)
    door = tell(folder, receiver.port, disk_left_mb=1e12)
    receiver.answer = lambda handler: time.sleep(4)
    with Project(folder) as project:
        client = serve(project, **door)
        receiver.wait()
        asked = {"inputs": [{"text": "where is my parcel"}]}
        assert client.post("/v1/projects/support/predictions", json=asked).status_code == 200
        assert client.get("/ready").status_code == 200


def test_requests_that_fail_at_several_servers_are_told_of_once_there_are_enough(
    serve, bare_project, receiver, monkeypatch
):
    monkeypatch.setenv("OPS_SECRET", SECRET)
    monkeypatch.setattr(alerting, "WATCH_EVERY_S", 0.2)
    door = tell(bare_project.folder, receiver.port, disk_left_mb=0)
    with Project(bare_project.folder) as again:
        servers = serve(bare_project, **door), serve(again, **door)
        asked = {"inputs": [{"text": "where is my parcel"}]}
        for n in range(20):  # ten each: neither server has enough by itself
            if n == 10:
                monkeypatch.setattr(wire, "MAX_IN_FLIGHT", 0)
            refused = servers[n % 2].post("/v1/projects/bare/predictions", json=asked)
            expected = "serve.busy" if n >= 10 else "serve.not_ready"
            assert (refused.status_code, refused.json()["code"]) == (503, expected)
        told = json.loads(receiver.wait().body)["data"]
        assert (told["rule"], told["value"], told["limit"]) == ("failed_requests", 1.0, 0.05)
        assert "10 minutes" in told["en"] and "最近 10 分钟" in told["zh"]
        assert [(one.rule, one.event) for one in again.alert_log()] == [("failed_requests", "fired")]


@pytest.mark.parametrize(
    ("method", "path", "status", "project", "expected"),
    [
        ("POST", "/v1/projects/ours/predictions", 200, "ours", (1, 0)),
        ("POST", "/v1/projects/ours/predictions", 422, "ours", (1, 0)),
        ("POST", "/v1/projects/ours/predictions", 500, "ours", (1, 1)),
        ("POST", "/v1/projects/ours/feedback", 503, "", (1, 1)),  # no room: nobody looked who it is
        ("POST", "/v1/projects/ours/feedback", 401, "", None),
        ("POST", "/v1/projects/ours/feedback", 404, "", None),  # with a key of another tenant's
        ("GET", "/v1/projects/ours/queue", 500, "ours", None),
        ("POST", "/v1/projects/nobody/predictions", 503, "", None),
        ("POST", "/v1/chat/completions", 200, "ours", (1, 0)),
        ("POST", "/v1/chat/completions", 503, "", (1, 1)),
        ("POST", "/v1/chat/completions", 404, "", None),
        ("POST", "/v1/keys", 500, "", None),
    ],
)
def test_what_counts_as_a_request_that_failed(method, path, status, project, expected):
    outcomes = Outcomes()
    outcomes.count(method=method, path=path, status=status, known=["ours"], project=project)
    taken = outcomes.take("ours")
    assert list(taken.values()) == ([] if expected is None else [expected])
    assert outcomes.take("ours") == {}
    outcomes.put_back("ours", taken)
    assert outcomes.take("ours") == taken


def test_a_target_that_hangs_keeps_no_other_one_waiting(serve, folder, receiver, monkeypatch):
    monkeypatch.setenv("OPS_SECRET", SECRET)
    monkeypatch.setattr(alerting, "WATCH_EVERY_S", 0.2)
    for patience in ("WAIT_S", "WHOLE_S"):
        monkeypatch.setattr(post, patience, 300.0)  # so that no clock decides who was faster
    slow = {"name": "slow", "url": f"http://127.0.0.1:{receiver.port}/slow"}
    door = tell(folder, receiver.port, slow, disk_left_mb=1e12)
    over = threading.Event()
    receiver.answer = lambda handler: over.wait(300) if handler.path == "/slow" else say()(handler)
    try:
        with Project(folder) as project:
            serve(project, **door)
            assert {receiver.wait().path, receiver.wait().path} <= {"/in", "/slow"}
            tell(folder, receiver.port, slow, disk_left_mb=1)
            assert (receiver.wait().path, len(receiver.got)) == ("/in", 3)
            log = [(one.target, one.event, one.state, one.n_tries) for one in project.alert_log()]
            assert ("slow", "fired", "waiting", 1) in log and ("slow", "resolved", "waiting", 0) in log
    finally:
        over.set()

"""Turns are asked for and followed over HTTP."""

from __future__ import annotations

import json
import threading
import time

from feilun.serve.api.routes import turns

AT = "/v1/projects/support"


def test_a_turn_is_asked_for_once(client, project):
    assert client.get(AT).json()["turn_is_requested"] is False
    asked = client.post(f"{AT}/turns", json={"note": "new labels"})
    assert (asked.status_code, asked.json()) == (202, {"requested": True})
    assert client.post(f"{AT}/turns").json() == {"requested": False}
    assert project.store.find_turn_request("support")["note"] == "new labels"
    assert client.get(AT).json()["turn_is_requested"] is True


def test_turns_are_listed_and_seen(client, project):
    turn = project.store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    project.store.finish_turn("support", turn["turn_id"], status="failed", error={"code": "data.empty"})
    seen = client.get(f"{AT}/turns/{turn['turn_id']}").json()
    assert (seen["status"], seen["error"], seen["seed"]) == ("failed", {"code": "data.empty"}, 1)
    assert client.get(f"{AT}/turns").json()["turns"][0] == seen
    elsewhere = project.store.add_turn("elsewhere", settings={}, seed=1, budget_s=9, requested_by="cli")
    for turn_id in (elsewhere["turn_id"], "turn_404"):
        refused = client.get(f"{AT}/turns/{turn_id}")
        assert (refused.status_code, refused.json()["code"]) == (404, "store.not_found")


def test_events_are_read_from_where_one_left_off(client, project):
    start = client.get(f"{AT}/events").json()["next_after"]
    for n in range(3):
        project.store.add_event("support", kind="train.epoch", data={"epoch": n}, turn_id="turn_x")
    project.store.writer.flush()  # events are not waited for; what comes after them is
    page = client.get(f"{AT}/events", params={"after": start + 1}).json()
    assert [event["data"]["epoch"] for event in page["events"]] == [1, 2]
    assert client.get(f"{AT}/events", params={"after": page["next_after"]}).json()["events"] == []
    assert len(client.get(f"{AT}/events", params={"turn_id": "turn_x"}).json()["events"]) == 3


def follow(client, n: int, **headers: str) -> list[tuple[str, str, dict]]:
    """The first n server-sent events as (id, event, data)."""
    found, one = [], {}
    with client.stream("GET", f"{AT}/events", headers={"Accept": "text/event-stream", **headers}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line and not line.startswith(":"):
                field, _, value = line.partition(": ")
                one[field] = value
            elif one:
                found.append((one["id"], one["event"], json.loads(one["data"])))
                one = {}
                if len(found) == n:
                    return found
    raise AssertionError("the stream ended")


def test_events_are_followed_as_they_happen_and_taken_up_after_a_break(client, project):
    start = client.get(f"{AT}/events").json()["next_after"]

    def later() -> None:
        for n in range(4):
            time.sleep(0.1)
            project.store.add_event("support", kind="train.epoch", data={"epoch": n, "note": "第\n一"})

    teller = threading.Thread(target=later)
    teller.start()
    first = follow(client, 2, **{"Last-Event-ID": str(start)})
    rest = follow(client, 2, **{"Last-Event-ID": first[-1][0]})
    teller.join()
    assert [(kind, data["data"]) for _, kind, data in first + rest] == [
        ("train.epoch", {"epoch": n, "note": "第\n一"}) for n in range(4)
    ]
    assert [int(event_id) for event_id, _, _ in first + rest] == [data["event_id"] for _, _, data in first + rest]


def test_only_so_many_may_follow_at_once(client, project, monkeypatch):
    monkeypatch.setattr(turns, "MAX_STREAMS", 1)
    project.store.add_event("support", kind="x", data={})
    with client.stream("GET", f"{AT}/events", headers={"Accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()  # kept: a reader that is let go closes the stream
        next(lines)
        refused = client.get(f"{AT}/events", headers={"Accept": "text/event-stream"})
        assert (refused.status_code, refused.json()["code"]) == (503, "serve.busy")
    deadline = time.monotonic() + 5
    while True:  # the place is free again once the server has noticed
        with client.stream("GET", f"{AT}/events", headers={"Accept": "text/event-stream"}) as stream:
            if stream.status_code == 200:
                break
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_a_turn_would_take_is_seen_without_turning(client, project):
    turns = client.get(f"{AT}/turns").json()
    missing = client.get(f"{AT}/preflight")  # the copied project has left its data behind
    assert (missing.status_code, missing.json()["code"]) == (404, "data.file_missing")
    rows = [f"{text} {n},{label}" for n in range(9) for text, label in (("my card", "card"), ("refund", "money"))]
    (project.folder.parent / "messages.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    answer = client.get(f"{AT}/preflight", params={"budget_s": 1e6})
    assert answer.status_code == 200, answer.text
    ahead = answer.json()
    assert ahead["budget_s"] == 1e6
    rungs = {rung["method"]: rung for rung in ahead["rungs"]}
    assert list(rungs) == ["probe", "full"]
    assert {need["what"]: need["verdict"] for need in rungs["probe"]["needs"]}["time"] == "AMPLE"
    assert "2000" in rungs["full"]["note_en"]
    refused = client.get(f"{AT}/preflight", params={"budget_s": 0})
    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")
    assert client.get(f"{AT}/turns").json() == turns


def test_a_turn_is_paused_and_resumed_once_and_one_that_has_ended_stays_as_it_ended(client, project):
    turn = project.store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    at = f"{AT}/turns/{turn['turn_id']}"
    running = client.get(at).json()
    assert running["paused_at"] is None and running["left_s"] > 0  # the turn before was done
    for _ in range(2):
        paused = client.post(f"{at}/pause").json()
        assert paused["paused_at"] is not None and (paused["status"], paused["left_s"]) == ("running", None)
    assert client.get(AT).json()["turn_is_paused"] is True
    for _ in range(2):
        assert client.post(f"{at}/resume").json()["paused_at"] is None
    assert client.get(AT).json()["turn_is_paused"] is False
    events = client.get(f"{AT}/events", params={"turn_id": turn["turn_id"]}).json()["events"]
    assert [event["kind"] for event in events] == ["turn.paused", "turn.resumed"]
    done = next(turn for turn in client.get(f"{AT}/turns").json()["turns"] if turn["status"] == "done")
    for verb in ("pause", "resume"):
        assert client.post(f"{AT}/turns/{done['turn_id']}/{verb}").json() == done
        assert client.post(f"{AT}/turns/turn_404/{verb}").status_code == 404


def test_a_turn_is_cancelled_once_and_one_that_has_ended_stays_as_it_ended(client, project):
    turn = project.store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    at = f"{AT}/turns/{turn['turn_id']}"
    assert client.get(at).json()["status"] == "running"
    assert client.post(f"{at}/cancel").json()["status"] == "cancelled"
    again = project.store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    assert client.post(f"{at}/cancel").json() == client.get(at).json()
    assert client.get(f"{AT}/turns/{again['turn_id']}").json()["status"] == "running"
    done = next(turn for turn in client.get(f"{AT}/turns").json()["turns"] if turn["status"] == "done")
    assert client.post(f"{AT}/turns/{done['turn_id']}/cancel").json() == done
    for turn_id in ("turn_404", "turn_" + "x" * 24):
        assert client.post(f"{AT}/turns/{turn_id}/cancel").status_code == 404
    assert client.get(f"{AT}/turns/{again['turn_id']}").json()["status"] == "running"

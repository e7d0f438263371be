"""Messages in, answers out."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import tomlkit

from feilun.project import Project

PATH = "/v1/projects/support/predictions"


def ask(client, *texts, **more):
    return client.post(PATH, json={"inputs": [{"text": text} for text in texts]}, **more)


def test_one_or_many_messages_are_answered_in_order(client, project):
    texts = ["I want a refund", "where is my parcel", "我要退款"]
    many = ask(client, *texts).raise_for_status().json()["predictions"]
    one_by_one = [ask(client, text).json()["predictions"][0] for text in texts]
    said = ("label", "labels", "confidence", "decision", "reason", "model_version", "alternatives")
    assert [[row[k] for k in said] for row in many] == [[row[k] for k in said] for row in one_by_one]
    assert {row["model_version"] for row in many} == {project.store.find_champion("support")}
    ids = [row["prediction_id"] for row in many + one_by_one]
    assert len(set(ids)) == 6
    time.sleep(0.2)
    assert project.store.get_prediction("support", ids[2])["inputs"] == {"text": "我要退款"}


NAUGHTY = [
    "🙂" * 1000,
    "a" * 10_000,
    "全角　ＡＢＣ１２３",
    "\u202etxet ls\u202c",
    "\x00\x01\x02\x7f",
    "'; DROP TABLE predictions; --",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} %s %n {0}",
    "../../../../etc/passwd",
    "\ufeffBOM",
    "Z̸̢̛͝a̷̧͠l̴͜͝g̵̨͠o̶͝",
    "👩‍👩‍👧‍👦",
    "\r\n\r\nHTTP/1.1 200 OK",
    "٠١٢ שלום नमस्ते",
    "—“”…",
]


def test_naughty_messages_are_messages_like_any_other(client, project):
    for text in NAUGHTY:
        answer = ask(client, text).raise_for_status().json()["predictions"][0]
        said = {"prediction_id": answer["prediction_id"], "label": "refund", "comment": text.replace("\0", "")}
        client.post("/v1/projects/support/feedback", json=said).raise_for_status()
        assert project.store.get_prediction("support", answer["prediction_id"])["inputs"] == {"text": text}
    page = client.get("/v1/projects/support/feedback").json()["feedback"]
    assert [row["inputs"]["text"] for row in page] == NAUGHTY


BODIES = [
    (b"", 422, "request.invalid", ["body"]),
    (b"{", 400, "request.malformed", None),
    (b"\xff\xfe", 400, "request.malformed", None),
    (b"[" * 100_000, 400, "request.malformed", None),
    (b"null", 422, "request.invalid", ["body"]),
    (b"[]", 422, "request.invalid", ["body"]),
    (b"1e999", 422, "request.invalid", ["body"]),
    (b"{}", 422, "request.invalid", ["inputs"]),
    (b'{"inputs": []}', 422, "request.invalid", ["inputs"]),
    (b'{"inputs": {}}', 422, "request.invalid", ["inputs"]),
    (b'{"inputs": ["x"]}', 422, "request.invalid", ["inputs.0"]),
    (b'{"inputs": [{"text": 1}]}', 422, "request.invalid", ["inputs.0.text"]),
    (b'{"inputs": [{"text": NaN}]}', 422, "request.invalid", ["inputs.0.text"]),
    (b'{"inputs": [{"text": "x"}, {"text": " \\u3000"}]}', 422, "request.invalid", ["inputs.1.text"]),
    (b'{"inputs": [{"text": "\\ud800"}]}', 422, "request.invalid", ["inputs.0.text"]),
    (b'{"inputs": [{"text": "x", "\\ud800": 1}]}', 422, "request.invalid", ["inputs.0"]),
    (b'{"inputs": [{"txt": "x"}], "a": 1}', 422, "request.invalid", ["inputs.0.text", "inputs.0.txt", "a"]),
    (b'{"inputs": [{"text": "' + b"x" * 100_001 + b'"}]}', 422, "request.invalid", ["inputs.0.text"]),
]


def test_a_body_that_cannot_be_used_is_refused_with_every_mistake_named(client, project):
    for body, status, code, places in BODIES:
        response = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
        problem = response.json()
        assert (response.status_code, problem["code"]) == (status, code), body[:80]
        if places is not None:
            assert [mistake["field"] for mistake in problem["fields"]["mistakes"]] == places, body[:80]
    assert project.store.count_traffic("support")["predictions"] == 0


def test_a_body_that_does_not_say_it_is_json_is_refused(client, project):
    body = b'{"inputs": [{"text": "I want a refund"}]}'
    for kind, status in (("text/plain", 422), ("", 422), ("application/json; charset=utf-8", 200)):
        response = client.post(PATH, content=body, headers={"Content-Type": kind} if kind else {})
        assert response.status_code == status, kind
        if status != 200:
            assert [mistake["field"] for mistake in response.json()["fields"]["mistakes"]] == ["body"]
    project.store.writer.flush()
    assert project.store.count_traffic("support")["predictions"] == 1


def test_mistakes_are_told_in_the_callers_language(client):
    refused = client.post(PATH, json={"inputs": []}, headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.1"})
    assert refused.json()["message"] == "请求不符合要求，共 1 处错误：inputs 至少需要 1 项。"
    refused = client.post(PATH, json={"inputs": []}, headers={"Accept-Language": "fr, en;q=0.5"})
    assert refused.json()["message"].endswith("1 mistake(s): inputs must have at least 1 item(s).")


def test_more_than_a_batch_is_refused(client, project):
    most = project.settings.serve.max_batch
    assert len(ask(client, *["x"] * most).json()["predictions"]) == most
    refused = ask(client, *["x"] * (most + 1))
    assert (refused.status_code, refused.json()["code"]) == (422, "request.too_many_inputs")


def test_an_unknown_project_is_missing(client):
    refused = client.post("/v1/projects/%2e%2e%2fother/predictions", json={"inputs": [{"text": "x"}]})
    assert refused.status_code == 404
    refused = client.post("/v1/projects/other/predictions", json={"inputs": [{"text": "x"}]})
    assert (refused.status_code, refused.json()["code"]) == (404, "project.unknown")


def test_no_request_is_dropped_while_models_are_promoted_tried_as_canaries_and_rolled_back(client, project):
    stop, replies, errors = threading.Event(), [], []

    def talk() -> None:
        while not stop.is_set():
            response = ask(client, "where is my parcel", "我要退款")
            if response.status_code != 200:
                errors.append(response.text)
            else:
                replies.append({row["model_version"] for row in response.json()["predictions"]})

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    models = [model["model_id"] for model in project.list_models()]
    for n in range(10):
        live, other = models[n % 2], models[1 - n % 2]
        for step in ({"action": "promote", "model_id": live}, {"action": "canary", "model_id": other, "share": 0.5}):
            body = {"override": True, "reason": "test"} | step
            assert client.post("/v1/projects/support/releases", json=body).status_code == 201
            time.sleep(0.02)
        assert client.post("/v1/projects/support/releases", json={"action": "rollback"}).json()["model_id"] == live
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(len(versions) == 1 for versions in replies)  # a request is answered whole by one model
    assert set.union(*replies) == set(models)


# ---------------------------------------------------------------------------------------------- more than it can do


@pytest.fixture
def limit(folder):
    """Opens the project with two engine threads, where two messages may wait."""
    with ExitStack() as closing:

        def open_with(*, deadline_s):
            document = tomlkit.parse((folder / "feilun.toml").read_text("utf-8"))
            document["serve"].update({"threads": 2, "max_waiting": 2, "deadline_s": deadline_s})
            (folder / "feilun.toml").write_text(tomlkit.dumps(document), "utf-8")
            return closing.enter_context(Project(folder))

        yield open_with


@contextmanager
def busy_engine(project):
    """An engine whose threads have their hands full; gives how to let them go."""
    release, begun, line = threading.Event(), threading.Semaphore(0), project.stage._line

    def then(*_):
        begun.release()
        return release.wait(30)

    held = []
    for _ in range(2):  # one after the other, or one thread might take both
        held.append(line.submit(project.stage.model.encoder, ["x"], then=then))
        assert begun.acquire(timeout=30)
    try:
        yield release
    finally:
        release.set()
        assert all(future.result(30) for future in held)


def wait_until(is_so):
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def in_threads(work, n):
    replies: list = []
    threads = [threading.Thread(target=lambda: replies.append(work())) for _ in range(n)]
    for thread in threads:
        thread.start()
    return replies, threads


def test_a_full_line_is_refused_with_503_and_when_to_try_again_and_the_waiting_are_answered(serve, limit):
    limited = limit(deadline_s=30)
    client, line = serve(limited), limited.stage._line
    with busy_engine(limited) as release:
        replies, threads = in_threads(lambda: ask(client, "first", "second"), 1)
        wait_until(lambda: line.n_waiting == 2)
        refused = ask(client, "third", headers={"Accept-Language": "zh"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json() == {
            "code": "engine.full",
            "message": "已有 2 条消息在等待回答，[serve] max_waiting 最多允许 2 条。请稍后重试。",
            "fields": {"n_waiting": 2, "max_waiting": 2},
        }
        assert client.get("/ready").status_code == 200
        release.set()
    for thread in threads:
        thread.join(30)
    assert [reply.status_code for reply in replies] == [200]
    assert ask(client, "third").status_code == 200
    limited.store.writer.flush()  # behind the predictions
    assert limited.store.count_traffic("support")["predictions"] == 3


def test_who_waits_past_the_deadline_gets_503_and_nothing_is_recorded(serve, limit):
    limited = limit(deadline_s=0.5)
    client, line = serve(limited), limited.stage._line
    with busy_engine(limited) as release:
        replies, threads = in_threads(lambda: ask(client, "too late"), 1)
        wait_until(lambda: line.n_waiting == 1)
        time.sleep(limited.settings.serve.deadline_s)
        release.set()
    for thread in threads:
        thread.join(30)
    assert [(reply.status_code, reply.json()["code"]) for reply in replies] == [(503, "engine.deadline")]
    assert replies[0].headers["retry-after"] == "1"
    assert limited.store.count_traffic("support")["predictions"] == 0


def test_who_hangs_up_leaves_the_line(serve, limit):
    limited = limit(deadline_s=30)
    client, line = serve(limited), limited.stage._line
    with busy_engine(limited):
        with pytest.raises(httpx.ReadTimeout):
            ask(client, "first", "second", timeout=0.3)
        wait_until(lambda: line._requests[0].future.cancelled())
        replies, threads = in_threads(lambda: ask(client, "third"), 1)
        wait_until(lambda: len(line._requests) == 1 and line.n_waiting == 1)
    for thread in threads:
        thread.join(30)
    assert [reply.status_code for reply in replies] == [200]
    limited.store.writer.flush()
    assert limited.store.count_traffic("support")["predictions"] == 1

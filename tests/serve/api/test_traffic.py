"""A challenger on a share of real traffic: unseen as a shadow, for real as a canary, rolled back when it is worse."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from feilun.models.encode import Encoder
from feilun.project import Project
from feilun.records import Backbone
from tests.bundles import MESSAGES, make_bundle, place_bundles
from tests.serve.api.test_server import server

AT = "/v1/projects/support"
RIGHT = {text: label for label, texts in MESSAGES.items() for text in texts}
TEXTS = list(RIGHT)
WRONG = dict(zip(MESSAGES, list(MESSAGES.values())[1:] + list(MESSAGES.values())[:1], strict=True))
SETTINGS = """
[project]
name = "support"
[release]
guards = ["contradicted", "failed"]
min_messages = 40
"""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone) -> dict[str, tuple[str, Path]]:
    """Three bundles: two that learnt the right labels, and one that learnt wrong ones. Not to be changed."""
    root = tmp_path_factory.mktemp("sealed")
    made = {"good": {}, "alike": {"seed": 1}, "wrong": {"messages": WRONG}}
    return {name: (make_bundle(root / name, tiny_backbone, **how)[0], root / name) for name, how in made.items()}


@pytest.fixture
def place(tmp_path: Path, sealed) -> Path:
    """A project with these three models, of which the good one answers."""
    return place_bundles(tmp_path / "support", sealed.values(), settings=SETTINGS)


@pytest.fixture
def opened(place: Path) -> Iterator[Callable[[], Project]]:
    """Opens the project, as often as wanted: each is as another process would have it."""
    with ExitStack() as closing:
        yield lambda: closing.enter_context(Project(place))


@pytest.fixture
def project(opened) -> Project:
    return opened()


def ask(client, text: str, **more) -> dict:
    reply = client.post(f"{AT}/predictions", json={"inputs": [{"text": text}], **more})
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"][0]


def release(client, **body):
    return client.post(f"{AT}/releases", json=body)


def traffic(client, **headers) -> dict:
    return client.get(f"{AT}/traffic", headers=headers).raise_for_status().json()


def wait_until(is_so, *, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


# ---------------------------------------------------------------------------------------------- shadow


def test_a_shadow_is_never_seen_and_what_it_says_is_compared_and_asked_about(client, sealed):
    good, wrong = sealed["good"][0], sealed["wrong"][0]
    begun = release(client, action="shadow", model_id=wrong, reason="let us see")
    assert (begun.status_code, begun.json()["share"], begun.json()["previous_model_id"]) == (201, 1.0, good)
    answers = []
    for n, text in enumerate(TEXTS):
        answers.append(ask(client, text))
        wait_until(lambda n=n: traffic(client)["shadow"]["n_compared"] == n + 1)
    assert {answer["model_version"] for answer in answers} == {good}
    for answer, text in zip(answers, TEXTS, strict=True):
        said = {"prediction_id": answer["prediction_id"], "label": RIGHT[text]}
        client.post(f"{AT}/feedback", json=said).raise_for_status()
    seen = traffic(client)
    assert (seen["state"], seen["champion_id"], seen["arms"]) == ("shadow", good, [])
    shadow = seen["shadow"]
    assert (shadow["n_compared"], shadow["n_labelled"]) == (len(TEXTS), len(TEXTS))
    assert shadow["n_champion_right"] > len(TEXTS) / 2 > shadow["n_challenger_right"]
    assert len(shadow["differences"]) == len(TEXTS) - shadow["n_agreed"] > 0
    ask(client, TEXTS[0])  # from memory now: that says nothing about the model
    assert release(client, action="stop").json()["action"] == "stop"
    assert traffic(client) == {
        "champion_id": good,
        "challenge": None,
        "arms": [],
        "guards": [],
        "state": "none",
        "reason": "",
        "shadow": None,
        "trouble": None,
    }


def test_what_a_shadow_computes_is_on_nobody_s_account_and_a_canary_s_answer_counts_like_any(client, project, sealed):
    def used() -> tuple[int, int, int, int]:
        project.store.writer.flush()
        (line,) = [one for one in client.get("/v1/usage?by=kind").json()["usage"] if one["kind"] == "predict"]
        return line["n_requests"], line["n_inputs"], line["n_characters"], line["n_tokens"]

    count = project.stage.model.encoder.count_tokens
    once = (len(TEXTS), len(TEXTS), sum(map(len, TEXTS)), sum(map(count, TEXTS)))
    release(client, action="shadow", model_id=sealed["alike"][0], reason="let us see")
    for n, text in enumerate(TEXTS):
        ask(client, text)
        wait_until(lambda n=n: traffic(client)["shadow"]["n_compared"] == n + 1)
    assert used() == once
    release(client, action="stop")
    release(client, action="canary", model_id=sealed["alike"][0], share=1.0, reason="let us see")
    wait_until(lambda: project.stage.challenger_id == sealed["alike"][0])
    answers = [ask(client, text) for text in TEXTS]
    assert {answer["model_version"] for answer in answers} == {sealed["alike"][0]}
    assert used() == tuple(2 * n for n in once)


def test_where_the_two_disagree_a_person_is_asked_and_told_why(client, sealed):
    release(client, action="shadow", model_id=sealed["wrong"][0])
    answers = {}
    for n, text in enumerate(TEXTS):
        answers[text] = ask(client, text)
        wait_until(lambda n=n: traffic(client)["shadow"]["n_compared"] == n + 1)
    different = {row["inputs"]["text"]: row for row in traffic(client)["shadow"]["differences"]}
    for lang, word in (("en", "The champion says"), ("zh", "冠军认为是")):
        queue = client.get(f"{AT}/queue?limit=100", headers={"Accept-Language": lang}).json()["queue"]
        asked = {row["inputs"]["text"]: row for row in queue}
        assert set(different) <= set(asked)
        for text, row in different.items():
            (told,) = [why for why in asked[text]["why"] if why["code"] == "models_disagree"]
            assert word in told["text"] and all(label in told["text"] for label in row["champion"] + row["challenger"])
            if answers[text]["decision"] == "answer":
                assert [why["code"] for why in asked[text]["why"]] == ["models_disagree"]


# ---------------------------------------------------------------------------------------------- canary


def test_a_user_keeps_to_one_model_in_every_process_and_nobody_s_key_is_kept(client, project, opened, sealed, place):
    both = {sealed["good"][0], sealed["alike"][0]}
    begun = release(client, action="canary", model_id=sealed["alike"][0], share=0.5)
    assert (begun.status_code, begun.json()["action"], begun.json()["share"]) == (201, "canary", 0.5)
    users = [f"zhang.wei.{n}@example.org" for n in range(30)]
    met = {user: ask(client, TEXTS[0], user=user)["model_version"] for user in users}
    assert set(met.values()) == both
    other = opened()  # another process of the workspace
    for user in users:
        assert ask(client, TEXTS[1], user=user)["model_version"] == met[user]
        (said,) = other.answer([{"text": TEXTS[2]}], user=user)
        assert (said.model_version, said.variant) == (
            met[user],
            "challenger" if met[user] == sealed["alike"][0] else "champion",
        )
    chat = {"model": "support", "messages": [{"role": "user", "content": TEXTS[0]}]}
    for user in users[:10]:
        for name in ("user", "safety_identifier"):
            reply = client.post("/v1/chat/completions", json=chat | {name: user}).raise_for_status().json()
            assert reply["system_fingerprint"] == met[user]
    assert {ask(client, TEXTS[0])["model_version"] for _ in range(40)} == both  # without a user: by lot
    arms = traffic(client)["arms"]
    assert [arm["model_id"] for arm in arms] == [sealed["good"][0], sealed["alike"][0]]
    wait_until(lambda: sum(arm["n_messages"] for arm in traffic(client)["arms"]) == 150)
    release(client, action="canary", model_id=sealed["alike"][0], share=0.5)
    assert {user: ask(client, TEXTS[0], user=user)["model_version"] for user in users} != met  # drawn anew
    other.store.writer.flush()
    kept = b"".join(path.read_bytes() for path in (place / ".feilun").glob("feilun.db*"))
    assert b"refund" in kept and b"zhang.wei" not in kept


def test_who_names_a_model_is_answered_by_that_one(client, sealed):
    release(client, action="canary", model_id=sealed["alike"][0], share=1.0)
    chat = {"messages": [{"role": "user", "content": TEXTS[0]}]}
    for name, answering in (("support", "alike"), (sealed["good"][0], "good")):
        reply = client.post("/v1/chat/completions", json=chat | {"model": name}).raise_for_status().json()
        assert reply["system_fingerprint"] == sealed[answering][0]


def talk(client, *, stop: threading.Event, seen: list, name: str) -> None:
    """Users who ask, and say what would have been right, until told to stop."""
    n = 0
    while not stop.is_set():
        text = TEXTS[n % len(TEXTS)]
        reply = client.post(f"{AT}/predictions", json={"inputs": [{"text": f"{text} {n}"}], "user": f"{name}-{n}"})
        seen.append((reply.status_code, reply.json().get("predictions", [{}])[0].get("model_version")))
        if reply.status_code == 200:
            answer = reply.json()["predictions"][0]
            is_right = answer["label"] == RIGHT[text]
            said = {"prediction_id": answer["prediction_id"], **({"comment": "ok"} if is_right else {"thumb": "down"})}
            client.post(f"{AT}/feedback", json=said)
        n += 1


def test_a_canary_that_is_worse_is_rolled_back_by_itself_under_load_and_no_request_fails(client, project, sealed):
    good, wrong = sealed["good"][0], sealed["wrong"][0]
    stop, seen = threading.Event(), []
    talkers = [
        threading.Thread(target=talk, args=(client,), kwargs={"stop": stop, "seen": seen, "name": f"t{n}"})
        for n in range(2)
    ]
    for talker in talkers:
        talker.start()
    begun = release(client, action="canary", model_id=wrong, share=0.5).json()
    wait_until(lambda: project.list_releases()[0]["action"] == "rollback", within_s=240)
    wait_until(lambda: project.stage.challenger_id is None)
    ended_at = len(seen) + len(talkers)  # what is under way may still name it
    wait_until(lambda: len(seen) > ended_at + 20, within_s=120)
    stop.set()
    for talker in talkers:
        talker.join()
    assert {status for status, _ in seen} == {200}
    assert {model for _, model in seen} == {good, wrong}
    assert {model for _, model in seen[ended_at:]} == {good}
    entry, canary = project.list_releases()[:2]
    assert canary["release_id"] == begun["release_id"]
    assert (entry["model_id"], entry["previous_model_id"], entry["actor"]) == (good, wrong, "guard")
    assert entry["reason_code"] == "guard_worse"
    assert entry["en"].startswith("Rolled back by the guard. The canary is worse: it was contradicted on")
    assert entry["zh"].startswith("由护栏自动回滚。") and "被人否定" in entry["zh"]
    assert project.watch_canary() is None  # it ended once


@pytest.mark.journey
def test_two_servers_draw_the_same_and_one_of_them_ends_the_canary(place, sealed):
    good, wrong = sealed["good"][0], sealed["wrong"][0]
    with ExitStack() as closing:
        addresses = [closing.enter_context(server(place))[1] for _ in range(2)]
        here, there = (closing.enter_context(httpx.Client(base_url=address, timeout=60)) for address in addresses)
        assert release(here, action="canary", model_id=wrong, share=0.5).status_code == 201
        users = [f"user {n}" for n in range(20)]
        met = {user: ask(here, TEXTS[0], user=user)["model_version"] for user in users}
        drawn = next(user for user in users if met[user] == wrong)
        wait_until(lambda: ask(there, TEXTS[0], user=drawn)["model_version"] == wrong)
        assert {user: ask(there, TEXTS[0], user=user)["model_version"] for user in users} == met
        for n in range(2000):
            client, text = (here, there)[n % 2], TEXTS[n % len(TEXTS)]
            answer = ask(client, f"{text} {n}", user=f"more {n}")
            if answer["label"] != RIGHT[text]:
                said = {"prediction_id": answer["prediction_id"], "thumb": "down"}
                client.post(f"{AT}/feedback", json=said).raise_for_status()
            if traffic(client)["challenge"] is None:
                break
        wait_until(lambda: all(ask(one, TEXTS[0], user=drawn)["model_version"] == good for one in (here, there)))
        log = there.get(f"{AT}/releases").json()["releases"]
        assert [(row["action"], row["actor"]) for row in log[:2]] == [("rollback", "guard"), ("canary", "loopback")]
        assert [row["actor"] for row in log].count("guard") == 1


def test_an_equal_canary_is_promoted_by_itself_only_where_the_settings_say_so_and_the_goal_is_met(
    opened, place, sealed
):
    good, alike = sealed["good"][0], sealed["alike"][0]

    def open_with(**more) -> Project:
        lines = "".join(f"{name} = {value}\n" for name, value in more.items())
        (place / "feilun.toml").write_text(f"{SETTINGS}{lines}", "utf-8")
        return opened()

    project = open_with()
    project.canary(alike, actor="ann", share=0.5)
    for n in range(60):
        for user in (f"a{n}", f"b{n}"):
            project.answer([{"text": f"{TEXTS[n % len(TEXTS)]} {n}"}], user=user)
    project.store.writer.flush()
    assert project.traffic().state == "watching" and project.watch_canary() is None
    assert [arm.n_failed for arm in project.traffic().arms] == [0, 0]
    missed = open_with(promote_after=40, **{"[goal]\nat_least": 0.99})
    assert missed.traffic().state == "proven" and missed.watch_canary() is None
    willing = open_with(promote_after=40)
    entry = willing.watch_canary()
    assert (entry["action"], entry["model_id"], entry["previous_model_id"]) == ("promote", alike, good)
    assert (entry["actor"], entry["reason_code"]) == ("guard", "guard_proven")
    assert willing.store.find_champion("support") == alike and willing.traffic().challenge is None


def test_a_challenger_that_fails_is_answered_for_by_the_champion_and_it_is_counted(
    client, project, sealed, monkeypatch
):
    good, alike = sealed["good"][0], sealed["alike"][0]
    release(client, action="canary", model_id=alike, share=1.0)
    assert ask(client, TEXTS[0])["model_version"] == alike
    broken, real = project.stage._challenger.model.encoder, Encoder.run_rows

    def run_rows(self, *args, **kwargs):
        if self is broken:
            raise RuntimeError("no memory left")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Encoder, "run_rows", run_rows)
    assert [ask(client, text)["model_version"] for text in TEXTS[:3]] == [good] * 3
    wait_until(lambda: traffic(client)["arms"][1]["n_messages"] == 4)
    assert traffic(client)["arms"][1]["n_failed"] == 3
    assert traffic(client)["state"] == "alone"


def test_a_damaged_challenger_never_disturbs_the_champion(project, opened, sealed, serve, caplog):
    good, alike = sealed["good"][0], sealed["alike"][0]
    project.canary(alike, actor="ann", share=1.0)
    graph = project.store.model_path(alike) / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    client = serve(opened())
    assert client.get("/ready").json() == {"ready": True, "reasons": []}
    assert {ask(client, text)["model_version"] for text in TEXTS} == {good}
    seen = traffic(client, **{"Accept-Language": "zh"})
    assert seen["challenge"]["model_id"] == alike and "model.onnx" in seen["trouble"]
    assert seen["arms"][1]["n_messages"] == 0  # it was not asked, so nothing speaks against it
    refused = release(client, action="canary", model_id=alike, share=0.5)
    assert (refused.status_code, refused.json()["code"]) == (409, "bundle.damaged")


def test_a_release_during_a_canary_ends_it(client, project, sealed):
    good, alike, wrong = (sealed[name][0] for name in ("good", "alike", "wrong"))

    def answering() -> set[str]:
        return {ask(client, TEXTS[0], user=f"user {n}")["model_version"] for n in range(30)}

    release(client, action="promote", model_id=alike)
    release(client, action="canary", model_id=wrong, share=0.5)
    assert answering() == {alike, wrong}
    back = release(client, action="rollback", reason="too many complaints").json()
    assert (back["model_id"], back["previous_model_id"], back["reason_code"]) == (alike, wrong, "canary_by_hand")
    assert answering() == {alike}
    assert release(client, action="rollback").json()["model_id"] == good  # and the one before
    release(client, action="canary", model_id=wrong, share=0.5)
    release(client, action="promote", model_id=alike)
    assert answering() == {alike} and traffic(client)["challenge"] is None
    log = [(row["action"], row["model_id"]) for row in project.list_releases()]
    assert log[:6] == [
        ("promote", alike),
        ("canary", wrong),
        ("rollback", good),
        ("rollback", alike),
        ("canary", wrong),
        ("promote", alike),
    ]


def test_what_cannot_be_is_refused_and_not_logged(client, project, serve, bare_project, sealed):
    good, alike = sealed["good"][0], sealed["alike"][0]
    before = project.list_releases()
    cases = [
        ({"action": "canary"}, 422, "request.invalid"),
        ({"action": "canary", "model_id": alike, "share": 0}, 422, "request.invalid"),
        ({"action": "shadow", "model_id": alike, "share": 1.01}, 422, "request.invalid"),
        ({"action": "canary", "model_id": good}, 409, "release.answers_already"),
        ({"action": "shadow", "model_id": "m_404"}, 404, "store.not_found"),
        ({"action": "stop"}, 404, "release.nothing_to_stop"),
    ]
    for body, status, code in cases:
        refused = release(client, **body)
        assert (refused.status_code, refused.json()["code"]) == (status, code), body
    assert project.list_releases() == before
    for user in ("", "x" * 257, 7, "\ud800"):
        body = json.dumps({"inputs": [{"text": "x"}], "user": user})
        refused = client.post(f"{AT}/predictions", content=body, headers={"Content-Type": "application/json"})
        assert refused.status_code == 422, user


def test_a_model_that_misses_the_goal_may_be_a_shadow_but_a_canary_only_over_somebody_s_name(opened, place, sealed):
    (place / "feilun.toml").write_text(f"{SETTINGS}[goal]\nat_least = 0.99\n", "utf-8")
    project, alike = opened(), sealed["alike"][0]
    assert project.shadow(alike, actor="ann")["action"] == "shadow"
    with pytest.raises(Exception, match="does not meet the goal"):
        project.canary(alike, actor="ann")
    assert project.list_releases()[0]["action"] == "shadow"
    entry = project.canary(alike, actor="Li Hua", override=True, reason="the new classes")
    assert entry["reason_code"] == "override" and "Li Hua over the goal" in entry["en"] and "越过目标" in entry["zh"]


def test_metrics_tell_the_two_apart(client, sealed):
    release(client, action="canary", model_id=sealed["alike"][0], share=0.5)
    for n in range(30):
        ask(client, TEXTS[0], user=f"user {n}")
    found: dict[str, float] = {}
    shares = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == "feilun_predictions_total":
                found[sample.labels["variant"]] = found.get(sample.labels["variant"], 0) + sample.value
            if sample.name == "feilun_challenger_share":
                shares[sample.labels["action"], sample.labels["model_id"]] = sample.value
    assert set(found) == {"champion", "challenger"} and sum(found.values()) == 30
    assert shares == {("canary", sealed["alike"][0]): 0.5}

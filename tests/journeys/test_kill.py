"""`kill -9`, fifty times, on a server that turns the wheel while people give feedback."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from feilun.data import build_dataset, read_snapshot
from feilun.feedback import asked, corrections
from feilun.models.bundle import verify_bundle
from feilun.project import Project
from tests.journeys.conftest import Server, free_port

N_KILLS = 50
LONGEST_WAIT_S = 2.5
pytestmark = pytest.mark.journey


class Talker(threading.Thread):
    """Somebody who sends messages and corrects them, noting every acknowledgement, until the line goes dead."""

    def __init__(self, url: str, *, texts: list[str], tag: str, acked: dict[str, str], versions: set[str]) -> None:
        super().__init__(daemon=True)
        self.url, self.texts, self.tag, self.acked, self.versions = url, texts, tag, acked, versions
        self.first_ack = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=f"{self.url}/v1/projects/support", timeout=10) as client:
            for n in range(10_000):
                try:
                    body = {"inputs": [{"text": self.texts[n % len(self.texts)]}]}
                    answer = client.post("/predictions", json=body).raise_for_status().json()["predictions"][0]
                    self.versions.add(answer["model_version"])
                    key = f"{self.tag}-{n}"
                    said = {"prediction_id": answer["prediction_id"], "comment": key}
                    given = client.post("/feedback", json=said, headers={"Idempotency-Key": key}).raise_for_status()
                except httpx.TransportError:
                    return
                self.acked[key] = given.json()["feedback_id"]
                self.first_ack.set()


def test_fifty_kills_lose_nothing_and_the_turn_comes_back_to_the_same_dataset(
    tiny_project: Path, serve: Callable[..., Server]
) -> None:
    rng = random.Random(20)
    with Project(tiny_project) as project:
        project.turn(seed=1)
        texts = [json.loads(line)["text"] for line in (tiny_project / "traffic.jsonl").read_text("utf-8").splitlines()]
        project.give_feedback(inputs={"text": "an unheard-of message about my card"}, label=project.labels()[0])
        project.request_turn(note="for the kill test")
    acked: dict[str, str] = {}
    versions: set[str] = set()
    dataset_ids: set[str] = set()
    turn_ids: set[str] = set()
    port = free_port()
    for n in range(N_KILLS):
        server = serve(tiny_project, port=port)
        talker = Talker(server.url, texts=texts, tag=f"k{n}", acked=acked, versions=versions)
        talker.start()
        assert talker.first_ack.wait(30)
        time.sleep(rng.uniform(0, LONGEST_WAIT_S))
        server.kill()
        talker.join(30)
        with Project(tiny_project) as project:
            assert project.verify_audit().is_whole
            for turn in project.list_turns():
                turn_ids.add(turn["turn_id"])
                if turn["dataset_id"]:
                    dataset_ids.add(turn["dataset_id"])
            for model in project.store.models_dir.iterdir():
                if not model.name.startswith("."):
                    verify_bundle(model)
            if project.store.find_unfinished_turn("support") is None:
                project.request_turn(note="and again")

    server = serve(tiny_project, port=port)
    with Project(tiny_project) as project:
        deadline = time.monotonic() + 120
        while project.store.find_unfinished_turn("support") or project.store.find_turn_request("support"):
            assert time.monotonic() < deadline, "the turn did not finish after the restart"
            time.sleep(0.2)
        server.kill()

        stored = {
            row["idempotency_key"]: row["feedback_id"] for row in _all_feedback(project) if row["idempotency_key"]
        }
        assert {key: stored.get(key) for key in acked} == acked  # nothing acknowledged is lost …
        assert len(stored) == len(set(stored.values()))  # … or doubled
        told = [row["subject"] for row in _whole_audit(project) if row["action"] == "feedback.given"]
        assert sorted(told) == sorted(row["feedback_id"] for row in _all_feedback(project))  # each is entered, once
        assert versions <= {model["model_id"] for model in project.list_models()}
        turns = project.list_turns()
        assert all(turn["status"] == "done" for turn in turns), [turn["error"] for turn in turns]
        second = turns[-2]
        known = corrections(project.store, "support", task=project.task, up_to=second["last_feedback_seq"])
        sent = asked(project.store, "support", task=project.task, until=second["created_at"], limit=10_000)
        first = project.store.dataset_path(turns[-1]["dataset_id"])
        dataset, _ = build_dataset(
            tiny_project,
            project.settings,
            task=project.task,
            corrections=known,
            previous=read_snapshot(first),
            asked=sent,
        )
        assert second["dataset_id"] == dataset.dataset_id
        assert len(dataset_ids) <= len(turn_ids)
    assert len(acked) >= N_KILLS


def _whole_audit(project: Project) -> list[dict]:
    rows: list[dict] = []
    while page := project.audit(after=rows[-1]["seq"] if rows else 0, limit=1000):
        rows += page
    return rows


def _all_feedback(project: Project) -> list[dict]:
    rows: list[dict] = []
    while page := project.list_feedback(after=rows[-1]["seq"] if rows else 0, limit=1000):
        rows += page
    return rows

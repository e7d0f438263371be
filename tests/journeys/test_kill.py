"""`kill -9`, again and again, on a server that turns while people give feedback, promote models and back up."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from feilun.data import build_dataset, read_snapshot
from feilun.feedback import asked, corrections
from feilun.models.bundle import verify_bundle
from feilun.project import Project
from tests.hardening.sizes import by_day_or_night
from tests.journeys.conftest import Server, environment, free_port

N_KILLS = by_day_or_night(20, 200)
LONGEST_WAIT_S = 2.5
pytestmark = pytest.mark.journey


@dataclass
class History:
    """What the people outside were told, and what the database said between the kills."""

    feedback: dict[str, str] = field(default_factory=dict)  # idempotency key -> feedback_id
    releases: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    dataset_ids: set[str] = field(default_factory=set)
    turn_ids: set[str] = field(default_factory=set)
    ready_s: list[float] = field(default_factory=list)


class Talker(threading.Thread):
    """Somebody who sends messages and corrects them, noting every acknowledgement, until the line goes dead."""

    def __init__(self, url: str, *, texts: list[str], tag: str, told: History) -> None:
        super().__init__(daemon=True)
        self.url, self.texts, self.tag, self.told = url, texts, tag, told
        self.first_ack = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=f"{self.url}/v1/projects/support", timeout=10) as client:
            for n in range(10_000):
                try:
                    body = {"inputs": [{"text": self.texts[n % len(self.texts)]}]}
                    answer = client.post("/predictions", json=body).raise_for_status().json()["predictions"][0]
                    self.told.versions.add(answer["model_version"])
                    key = f"{self.tag}-{n}"
                    said = {"prediction_id": answer["prediction_id"], "comment": key}
                    given = client.post("/feedback", json=said, headers={"Idempotency-Key": key}).raise_for_status()
                except httpx.TransportError:
                    return
                self.told.feedback[key] = given.json()["feedback_id"]
                self.first_ack.set()


class Releaser(threading.Thread):
    """Somebody who promotes one model after the other, noting every acknowledgement, until the line goes dead."""

    def __init__(self, url: str, *, told: History) -> None:
        super().__init__(daemon=True)
        self.url, self.told = url, told

    def run(self) -> None:
        with httpx.Client(base_url=f"{self.url}/v1/projects/support", timeout=30) as client:
            try:
                for row in itertools.cycle(client.get("/models").raise_for_status().json()["models"]):
                    said = {"action": "promote", "model_id": row["model_id"], "override": True, "reason": "kill test"}
                    given = client.post("/releases", json=said).raise_for_status()
                    self.told.releases.append(given.json()["release_id"])
                    time.sleep(1)  # a night of kills must fit on one page of the log
            except httpx.TransportError:
                return


@contextmanager
def killed_backup(folder: Path, out: Path) -> Iterator[None]:
    """`feilun backup` in a process of its own, killed at the end if it still runs."""
    command = [sys.executable, "-m", "feilun", "backup", str(out), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    yield
    process.kill()
    process.wait()


def live_and_be_killed(server: Server, *, texts: list[str], tag: str, pause_s: float, told: History) -> None:
    """People talk to the server and release models until it is killed."""
    talker, releaser = Talker(server.url, texts=texts, tag=tag, told=told), Releaser(server.url, told=told)
    talker.start()
    releaser.start()
    assert talker.first_ack.wait(30)
    time.sleep(pause_s)
    server.kill()
    talker.join(30)
    releaser.join(30)


def look_between_kills(folder: Path, told: History) -> None:
    """Every acknowledged release is in the log, in order; every model is whole; a turn is under way."""
    with Project(folder) as project:
        assert project.verify_audit().is_whole
        for turn in project.list_turns():
            told.turn_ids.add(turn["turn_id"])
            if turn["dataset_id"]:
                told.dataset_ids.add(turn["dataset_id"])
        kept = [row["release_id"] for row in reversed(project.list_releases(limit=1000))]
        assert [one for one in kept if one in told.releases] == told.releases
        for model in project.store.models_dir.iterdir():
            if not model.name.startswith("."):
                verify_bundle(model)
        if project.store.find_unfinished_turn("support") is None:
            project.request_turn(note="and again")


def wait_for_the_turn(project: Project) -> None:
    deadline = time.monotonic() + 120
    while project.store.find_unfinished_turn("support") or project.store.find_turn_request("support"):
        assert time.monotonic() < deadline, "the turn did not finish after the restart"
        time.sleep(0.2)


def check_history(project: Project, told: History) -> None:
    """Nothing acknowledged is lost or doubled, and the second turn made the dataset that its rows make."""
    stored = {row["idempotency_key"]: row["feedback_id"] for row in _all_feedback(project) if row["idempotency_key"]}
    assert {key: stored.get(key) for key in told.feedback} == told.feedback
    assert len(stored) == len(set(stored.values()))
    entered = [row["subject"] for row in _whole_audit(project) if row["action"] == "feedback.given"]
    assert sorted(entered) == sorted(row["feedback_id"] for row in _all_feedback(project))  # each is entered, once
    assert told.versions <= {model["model_id"] for model in project.list_models()}
    turns = project.list_turns()
    assert all(turn["status"] == "done" for turn in turns), [turn["error"] for turn in turns]
    second = turns[-2]
    dataset, _ = build_dataset(
        project.folder,
        project.settings,
        task=project.task,
        corrections=corrections(project.store, "support", task=project.task, up_to=second["last_feedback_seq"]),
        previous=read_snapshot(project.store.dataset_path(turns[-1]["dataset_id"])),
        asked=asked(project.store, "support", task=project.task, until=second["created_at"], limit=10_000),
    )
    assert second["dataset_id"] == dataset.dataset_id
    assert len(told.dataset_ids) <= len(told.turn_ids)


def test_kills_lose_nothing_and_the_turn_comes_back_to_the_same_dataset(
    tiny_project: Path, tmp_path: Path, serve: Callable[..., Server], record_property: Callable[[str, object], None]
) -> None:
    rng, told, port = random.Random(20), History(), free_port()
    (backups := tmp_path / "backups").mkdir()
    with Project(tiny_project) as project:
        project.turn(seed=1)
        texts = [json.loads(line)["text"] for line in (tiny_project / "traffic.jsonl").read_text("utf-8").splitlines()]
        project.give_feedback(inputs={"text": "an unheard-of message about my card"}, label=project.labels()[0])
        project.request_turn(note="for the kill test")
    for n in range(N_KILLS):
        started = time.monotonic()
        server = serve(tiny_project, port=port)
        told.ready_s.append(time.monotonic() - started)
        with killed_backup(tiny_project, backups / f"{n}.zip") if n % 5 == 0 else nullcontext():
            live_and_be_killed(server, texts=texts, tag=f"k{n}", pause_s=rng.uniform(0, LONGEST_WAIT_S), told=told)
        look_between_kills(tiny_project, told)

    server = serve(tiny_project, port=port)
    with Project(tiny_project) as project:
        wait_for_the_turn(project)
        server.kill()
        check_history(project, told)
    assert len(told.feedback) >= N_KILLS and told.releases
    for number, archive in enumerate(backups.glob("*.zip")):  # each is there whole or not at all
        Project.restore(archive, tmp_path / f"restored-{number}")
    record_property("slowest_ready_s", round(max(told.ready_s), 2))


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

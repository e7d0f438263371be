"""Many who write, some who read, one who backs up: nobody waits in vain, nothing is lost, nothing counts twice."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from feilun.data import build_dataset
from feilun.feedback import corrections
from feilun.project import Project
from tests.hardening.sizes import by_day_or_night

N_WRITERS, N_READERS = 32, 4
ROWS_EACH = by_day_or_night(20, 1000)
AT = "/v1/projects/support"


def test_thirty_two_writers_four_readers_and_backups_lose_nothing_and_lock_nobody_out(
    folder: Path, tmp_path: Path
) -> None:
    done = threading.Event()

    def write(project: Project, writer: int) -> list[str]:
        said = [{"inputs": {"text": f"message {writer} {n}"}, "label": "refund"} for n in range(ROWS_EACH)]
        return [
            project.give_feedback(**one, idempotency_key=f"{writer}-{n}")[0]["feedback_id"]
            for n, one in enumerate(said)
        ]

    def read(project: Project) -> int:
        return next(n for n in itertools.count() if not project.list_feedback(limit=1000) or done.is_set())

    def back_up(project: Project) -> int:
        for n in itertools.count():
            project.backup(tmp_path / f"{n}.zip")
            if done.is_set():
                return n + 1
        raise AssertionError("there is no end of numbers")

    with Project(folder) as here, Project(folder) as there, ThreadPoolExecutor(N_WRITERS + N_READERS + 1) as pool:
        writers = [
            pool.submit(write, (here, there)[n % 2], n) for n in range(N_WRITERS)
        ]  # two processes' worth of stores
        others = [pool.submit(read, there) for _ in range(N_READERS)] + [pool.submit(back_up, here)]
        acked = [feedback_id for writer in writers for feedback_id in writer.result()]
        done.set()
        assert all(other.result() is not None for other in others)
        kept = all_feedback(here)
    assert sorted(kept) == sorted(acked) and len(acked) == N_WRITERS * ROWS_EACH


def all_feedback(project: Project) -> list[str]:
    found: list[dict] = []
    while page := project.list_feedback(after=found[-1]["seq"] if found else 0, limit=1000):
        found += page
    return [row["feedback_id"] for row in found]


def test_twins_in_flight_are_one_row_and_get_one_answer(client: httpx.Client, project: Project) -> None:
    said = {"inputs": {"text": "where is my parcel"}, "label": "delivery"}

    def send(_: int) -> httpx.Response:
        return client.post(f"{AT}/feedback", json=said, headers={"Idempotency-Key": "one"})

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(send, range(32)))
    bodies = [reply.raise_for_status().json() for reply in replies]
    assert {body["feedback_id"] for body in bodies} == set(all_feedback(project)) and len(all_feedback(project)) == 1
    assert sum(not body["replayed"] for body in bodies) == 1


def test_what_was_said_twice_teaches_once_and_a_step_run_twice_gives_the_same_dataset(project: Project) -> None:
    for key in ("a", "a", "b"):
        project.give_feedback(inputs={"text": "an unheard-of message"}, label="refund", idempotency_key=key)

    def build() -> tuple[str, list[str]]:
        known = corrections(project.store, project.name, task=project.task)
        dataset, _ = build_dataset(project.folder, project.settings, task=project.task, corrections=known)
        return dataset.dataset_id, [example.inputs["text"] for example in (*dataset.train, *dataset.holdout)]

    once, twice = build(), build()
    assert once == twice
    assert once[1].count("an unheard-of message") == 1

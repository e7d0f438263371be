"""Several servers, as on several machines, on one PostgreSQL and one shared folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
import tomlkit

from feilun.project import Project
from feilun.store import Store
from feilun.store import tables as t
from tests.journeys.conftest import Server, environment

N_STARTS = 20
N_KILLS = 2
pytestmark = pytest.mark.journey


@pytest.fixture
def shared(tiny_project: Path, postgres_url: str) -> Path:
    """The small project, its rows on PostgreSQL."""
    path = tiny_project / "feilun.toml"
    document = tomlkit.parse(path.read_text("utf-8"))
    document["store"] = {"url": postgres_url}
    document["train"]["tune"]["enabled"] = False  # who turns is the question, not how well
    path.write_text(tomlkit.dumps(document), "utf-8")
    return tiny_project


def wait(is_so: Callable[[], bool], *, within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_a_turn_of_a_killed_server_is_finished_by_the_other_one_on_the_same_dataset(
    shared: Path, serve: Callable[..., Server]
) -> None:
    rng = random.Random(7)
    with Project(shared) as project:
        project.turn(seed=1)
        for _ in range(N_KILLS):
            one, two = serve(shared), serve(shared)
            project.request_turn(note="for the kill test")
            wait(lambda: project.store.find_unfinished_turn("support") is not None)
            turn = project.store.find_unfinished_turn("support")
            assert turn is not None
            time.sleep(rng.uniform(0, 3))
            before = project.store.get_turn("support", turn["turn_id"])["dataset_id"]
            one.kill()
            wait(lambda: project.store.find_unfinished_turn("support") is None)
            done = project.store.get_turn("support", turn["turn_id"])
            assert (done["status"], done["error"]) == ("done", None)
            assert before in (None, done["dataset_id"])
            assert [row["action"] for row in project.list_releases() if row["turn_id"] == turn["turn_id"]] != []
            two.kill()
        assert len(project.list_turns()) == len(project.list_releases()) == N_KILLS + 1  # each turn decided once


TURNER = """
import sys, time
from pathlib import Path
from feilun.store import Store, leases
leases.DEAD_AFTER_S = 3.0
with Store(Path(sys.argv[1]), url=sys.argv[2]) as store:
    print("ready", flush=True)
    while sys.stdin.readline():
        turn = store.add_turn("support", settings={}, seed=0, budget_s=1, requested_by="test")
        with store.alone("support", is_patient=True):
            if store.get_turn("support", turn["turn_id"])["status"] == "running":
                print("mine", flush=True)
                sys.stdin.readline()
                store.finish_turn("support", turn["turn_id"], status="done", result={"by": sys.argv[3]})
        print("end", flush=True)
"""


class Turner:
    """A process that starts a turn when told to, and ends it when told to; again and again."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-c", TURNER, str(store.workspace), store.url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.hear() == "ready"

    def say(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def holder(store: Store, turners: list[Turner]) -> Turner:
    """The one of two that has the project."""

    def pid() -> int:
        row = store._find(sa.select(t.leases.c.holder))
        return int(row["holder"].split()[-2]) if row and row["holder"] else 0

    wait(lambda: pid() in [one.process.pid for one in turners])
    return next(one for one in turners if one.process.pid == pid())


def test_of_two_that_start_at_once_one_turns_and_when_it_dies_the_other_one_does(tmp_path: Path, postgres_url: str):
    rng = random.Random(3)
    with Store(tmp_path / ".feilun", url=postgres_url) as store:
        turners = [Turner(store, "0"), Turner(store, "1")]
        for n in range(N_STARTS):
            for one in turners:
                one.say()
            winner = holder(store, turners)
            loser = next(one for one in turners if one is not winner)
            time.sleep(rng.uniform(0, 0.2))
            winner.end()
            assert loser.hear() == "mine"
            loser.say()
            assert loser.hear() == "end"
            done = store.list_turns("support")
            assert len(done) == n + 1
            assert (done[0]["status"], done[0]["result"]) == ("done", {"by": loser.name})
            turners = [loser, Turner(store, str(n + 2))]
        for one in turners:
            one.end()


def test_a_machine_that_stops_is_replaced_and_comes_back_too_late(tmp_path: Path, postgres_url: str):
    with Store(tmp_path / ".feilun", url=postgres_url) as store:
        first, second = Turner(store, "first"), Turner(store, "second")
        first.say()
        assert first.hear() == "mine"
        os.kill(first.process.pid, signal.SIGSTOP)
        second.say()
        assert second.hear() == "mine"  # after so long a silence that it must be dead
        os.kill(first.process.pid, signal.SIGCONT)
        first.say()
        assert first.hear() == ""  # HoldLost ended it
        assert first.process.wait() != 0
        assert store.find_unfinished_turn("support") is not None
        second.say()
        assert second.hear() == "end"
        assert store.list_turns("support")[0]["result"] == {"by": "second"}
        for one in (first, second):
            one.end()

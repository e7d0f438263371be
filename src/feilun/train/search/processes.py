"""Trials in processes of their own, which talk through pipes in lines of JSON; one that dies loses its trial only.

The parent alone touches the study, so any number of workers may come and go without a lock or a heartbeat.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from feilun.network.budget import n_threads
from feilun.process import child_environment
from feilun.train.search.desk import Desk, Executor
from feilun.train.search.trial import Heard, Judged, Work

LOOK_EVERY_S = 0.5
GRACE_S = 10.0
"""So long past its time limit a worker is waited for: it looks at the clock itself, between two batches."""
MOST_DEATHS = 3
"""So many workers in a row that die before saying anything: then it is not the trials."""


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    work: Work
    pending: bytes = b""

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died; its closed end says so in a moment

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout


def in_processes(job: Path, *, n_workers: int) -> Executor:
    """`n_workers` trials at once, the threads shared out among them. `job`: the folder of `write_job`."""

    def run(desk: Desk) -> None:
        _Crew(desk, job, n_threads=max(1, n_threads() // n_workers)).run(n_workers)

    return run


class _Crew:
    """The workers of one search."""

    def __init__(self, desk: Desk, job: Path, *, n_threads: int) -> None:
        self.desk, self.job, self.n_threads = desk, job, n_threads
        self.selector = selectors.DefaultSelector()
        self.n_deaths = 0

    def run(self, n_workers: int) -> None:
        try:
            for _ in range(n_workers):
                self._hire()
            while self.selector.get_map():
                for key, _ in self.selector.select(LOOK_EVERY_S):
                    self._attend(key.data)
                if self.desk.left_s < -GRACE_S:
                    self._give_up()
        finally:
            for key in list(self.selector.get_map().values()):
                self._dismiss(key.data, kill=True)
            self.selector.close()

    def _hire(self) -> None:
        work = self.desk.next()
        if work is None:
            return
        process = subprocess.Popen(
            [sys.executable, "-m", "feilun.train.search.worker", str(self.job), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(OMP_NUM_THREADS=str(self.n_threads)),
        )
        worker = _Worker(process, work)
        self.selector.register(worker.output, selectors.EVENT_READ, worker)
        worker.send(vars(work))

    def _attend(self, worker: _Worker) -> None:
        some = os.read(worker.output.fileno(), 65536)
        if not some:
            self._bury(worker)
            return
        *lines, worker.pending = (worker.pending + some).split(b"\n")
        for line in lines:
            self.n_deaths = 0
            self._answer(worker, json.loads(line))

    def _answer(self, worker: _Worker, message: dict[str, Any]) -> None:
        number = worker.work.number
        if self.desk.hear(number, heard_from(message, self.job)):
            worker.send({"go_on": True})
            return
        answers_of(self.job, number).unlink(missing_ok=True)
        worker.send({"go_on": False})
        work = self.desk.next()
        if work is None:
            self._dismiss(worker)
            return
        worker.work = work
        worker.send(vars(work))

    def _bury(self, worker: _Worker) -> None:
        self._dismiss(worker, kill=True)
        self.desk.lost(worker.work.number)
        self.n_deaths += 1
        if self.n_deaths >= MOST_DEATHS:
            self.desk.stop("workers_die")
        self._hire()

    def _give_up(self) -> None:
        for key in list(self.selector.get_map().values()):
            self._dismiss(key.data, kill=True)
            self.desk.hear(key.data.work.number, Heard(None, 0.0, 0.0, "out_of_time"))

    def _dismiss(self, worker: _Worker, *, kill: bool = False) -> None:
        self.selector.unregister(worker.output)
        if kill:
            worker.process.kill()
        with worker.process:  # closes the pipes, which ends the worker, and waits for it
            pass


def answers_of(job: Path, number: int) -> Path:
    """Where a worker leaves the logits of a trial whose folds are all judged."""
    return job / f"trial-{number}.safetensors"


def message_of(heard: Heard, job: Path, number: int, *, is_last: bool) -> dict[str, Any]:
    """What is heard of a trial, as JSON; the logits go into a file, and only at the end."""
    judged = heard.judged
    if judged is not None and is_last:
        from safetensors.numpy import save_file

        save_file({"logits": np.ascontiguousarray(judged.logits)}, answers_of(job, number))
    about = {"cpu_s": heard.cpu_s, "wall_s": heard.wall_s, "reason": heard.reason, "told": heard.told}
    if judged is None:
        return {"number": number, **about}
    return {"number": number, "n_folds": judged.n_folds, "metrics": judged.metrics, **about}


def heard_from(message: dict[str, Any], job: Path) -> Heard:
    """The other way round."""
    judged = None
    if "metrics" in message:
        path, logits = answers_of(job, message["number"]), np.empty((0, 0), dtype=np.float32)
        if path.exists():
            from safetensors.numpy import load_file

            logits = load_file(path)["logits"]
        judged = Judged(message["n_folds"], logits, message["metrics"])
    return Heard(judged, message["cpu_s"], message["wall_s"], message["reason"], message["told"])

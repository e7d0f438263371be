"""The time that all candidates of a turn share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Budget:
    """Wall-clock seconds that run from the moment this is made; `spent_s` were spent by a process that was killed."""

    def __init__(self, budget_s: float, *, spent_s: float = 0.0) -> None:
        self.budget_s = budget_s
        self._start = time.monotonic() - spent_s

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def left_s(self) -> float:
        """Seconds left; negative when overdrawn."""
        return self.budget_s - self.spent_s


@dataclass
class Cost:
    """What a piece of work took, filled in when it is done: seconds of all cores, and of the clock."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def measured(cost: Cost) -> Iterator[Cost]:
    """Add what happens inside to `cost`."""
    cpu, wall = time.process_time(), time.monotonic()
    try:
        yield cost
    finally:
        cost.cpu_s += time.process_time() - cpu
        cost.wall_s += time.monotonic() - wall


def n_threads() -> int:
    """The compute threads to use: OMP_NUM_THREADS if set, else every core this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)

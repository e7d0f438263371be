"""One trial: tune with the settings of the trial, judged fold by fold."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from feilun.errors import FeilunError
from feilun.network.checkpoint import Checkpoints
from feilun.train.candidate import Fitted
from feilun.train.folds import FoldPlan
from feilun.train.scoring import score
from feilun.train.search.space import NOT_OF_TUNE, Params, settings_for
from feilun.train.session import Session
from feilun.train.tune import Tune
from feilun.train.tuning import make_candidate

Reason = Literal["killed", "out_of_time", "failed"]


@dataclass(frozen=True)
class Work:
    """A trial to be run: its number in the study, and the seconds there are for it."""

    number: int
    params: Params
    time_limit_s: float


@dataclass(frozen=True)
class Fixed:
    """What all trials of a study share beside the session: the folds, and what is not searched."""

    plan: FoldPlan
    epochs: int
    head_c: float


@dataclass(frozen=True)
class Judged:
    """Where a trial stands after `n_folds` folds: (n_held_so_far, n_classes) logits and their metrics, calibrated."""

    n_folds: int
    logits: np.ndarray
    metrics: dict[str, float]


class TooSlow(Exception):
    """The trial could not be finished in its time; what it had found so far says nothing fair about it."""


def play(session: Session, fixed: Fixed, work: Work) -> Iterator[Judged]:
    """Fit on one fold after another; whoever asks for no more has pruned the trial.

    Raises:
        TooSlow: the time limit came.
        FeilunError: the settings do not work, as when the loss diverges.
    """
    ends = time.monotonic() + work.time_limit_s
    parts: list[np.ndarray] = []
    with closing(candidate(session, fixed, work.params, name=f"trial-{work.number}")) as tune:
        tune.prepare(check=lambda: _check(ends))
        for fold, (train, held) in enumerate(fixed.plan.folds):
            fitted = tune.fit(train, fold=fold, time_limit_s=ends - time.monotonic())
            if fitted.facts["in_a_hurry"]:
                raise TooSlow
            parts.append(fitted.logits(held))
            yield _judge(session, fixed, parts)


def _check(ends: float) -> None:
    if time.monotonic() > ends:
        raise TooSlow


def _judge(session: Session, fixed: Fixed, parts: list[np.ndarray]) -> Judged:
    logits = np.concatenate(parts)
    held = np.concatenate([held for _, held in fixed.plan.folds[: len(parts)]])
    found = score(logits, session.rows.targets[held], task=session.task)
    return Judged(n_folds=len(parts), logits=logits, metrics=found.metrics)


def candidate(session: Session, fixed: Fixed, params: Params, *, name: str) -> Tune:
    """Tune with the settings of a trial; it says nothing of single updates, for there are too many.

    Args:
        name: of its own scratch folder, for several may be open at once.
    """
    scratch = session.scratch / name
    scratch.mkdir(exist_ok=True)
    settings = settings_for(session.settings, params, epochs=fixed.epochs)
    checkpoints = Checkpoints(scratch / "checkpoints", key=name)  # of its own: trials share the names of their folds
    quiet = replace(session, settings=settings, scratch=scratch, checkpoints=checkpoints, emit=lambda kind, data: None)
    return make_candidate(quiet, "tune", head_c=float(params.get(NOT_OF_TUNE, fixed.head_c)))


class Winner:
    """The best trial as a candidate of the ladder, made only when it is fitted on all rows. See `Candidate`."""

    method = "search"

    def __init__(self, session: Session, fixed: Fixed, params: Params) -> None:
        self._session, self._fixed, self._params = session, fixed, params

    @property
    def params(self) -> dict[str, Any]:
        """The hyper-parameters, for the leaderboard."""
        return {"epochs": self._fixed.epochs, **self._params}

    def fit(self, rows: np.ndarray, *, fold: int | None, time_limit_s: float) -> Fitted:
        """One network for these rows."""
        started = time.monotonic()
        tune = candidate(self._session, self._fixed, self._params, name="winner")
        tune.emit = self._session.emit
        tune.prepare(check=lambda: None)
        return tune.fit(rows, fold=fold, time_limit_s=max(1.0, time_limit_s - (time.monotonic() - started)))

    def finish(self, rows: np.ndarray, fits: Sequence[Fitted], *, time_limit_s: float) -> Fitted:
        """A fit on all rows: the networks of trials are not kept."""
        return self.fit(rows, fold=None, time_limit_s=time_limit_s)


@dataclass(frozen=True)
class Heard:
    """What a running trial says: so it stands after one more fold, or it has failed. Costs: since the trial began."""

    judged: Judged | None
    cpu_s: float
    wall_s: float
    reason: Reason | None = None
    told: str = ""


def listen(
    session: Session, fixed: Fixed, work: Work, *, cpu_began_s: float | None = None
) -> Generator[Heard, None, None]:
    """`play`, with what it costs, and mistakes as words.

    Args:
        cpu_began_s: CPU time of this process from which the trial is charged; None means from now.
    """
    wall = time.monotonic()
    cpu = time.process_time() if cpu_began_s is None else cpu_began_s

    def say(judged: Judged | None, reason: Reason | None = None, told: str = "") -> Heard:
        return Heard(judged, time.process_time() - cpu, time.monotonic() - wall, reason, told)

    try:
        for judged in play(session, fixed, work):
            yield say(judged)
    except TooSlow:
        yield say(None, "out_of_time")
    except FeilunError as error:
        yield say(None, "failed", error.code)

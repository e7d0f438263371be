"""The holdout as a model answered it: the one reading of its logits, for the report and for whoever looks at rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feilun.evaluate.arrays import align
from feilun.evaluate.errors import HoldoutEmpty
from feilun.records import Example, Thresholds
from feilun.tasks import Task


@dataclass(frozen=True, eq=False)
class Holdout:
    """The labelled holdout rows. `space` is the model's labels and, after them, those only the holdout knows."""

    rows: tuple[Example, ...]
    kept: np.ndarray  # (n_holdout,) bool, the labelled ones
    outside: np.ndarray  # (n,) bool, out of scope
    space: tuple[str, ...]
    unknown: tuple[str, ...]
    n_unknown_rows: int


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of n rows, c its own classes, s those of the holdout's `space`."""

    own: np.ndarray  # (n, c) calibrated
    probs: np.ndarray  # (n, s), the same in the columns of the space
    targets: np.ndarray  # (n, s) of 0 and 1
    given: np.ndarray  # (n, s) bool
    confidence: np.ndarray  # (n,)
    in_scope: np.ndarray  # (n,)
    correct: np.ndarray  # (n,) bool; a row out of scope is never right

    def answered(self, thresholds: Thresholds) -> np.ndarray:
        """(n,) bool: not handed over."""
        return np.asarray((self.confidence >= thresholds.answer) & self.is_accepted(thresholds))

    def is_accepted(self, thresholds: Thresholds) -> np.ndarray:
        """(n,) bool: taken for one of the classes, however sure."""
        return np.asarray(self.in_scope >= (thresholds.out_of_scope or 0.0))


def hold_out(task: Task, labels: Sequence[str], holdout: Sequence[Example]) -> Holdout:
    """The rows of `holdout` that can be judged.

    Raises:
        HoldoutEmpty: no row has a label in scope.
    """
    kept = np.array([example.target is not None for example in holdout], dtype=bool)
    rows = tuple(example for example in holdout if example.target is not None)
    outside_label = task.settings.out_of_scope_label
    outside = np.array([bool(outside_label) and outside_label in (row.target or ()) for row in rows], dtype=bool)
    if not rows or outside.all():
        raise HoldoutEmpty(n_rows=len(holdout))
    known = set(labels)
    unknown = tuple(label for label in task.label_space(rows) if label not in known)
    strange = known.union([outside_label])
    n_unknown_rows = sum(any(label not in strange for label in row.target or ()) for row in rows)
    return Holdout(rows, kept, outside, (*labels, *unknown), unknown, n_unknown_rows)


def read_answers(
    task: Task,
    held: Holdout,
    logits: np.ndarray,
    *,
    labels: Sequence[str],
    temperature: float,
    thresholds: Thresholds,
) -> Answers:
    """The answers that `logits` (len(held.rows), len(labels)) come to."""
    own = task.probs(logits, temperature=temperature)
    probs, targets = align(own, labels, to=held.space), task.encode_targets(held.rows, held.space)
    return Answers(
        own=own,
        probs=probs,
        targets=targets,
        given=task.given(probs, thresholds),
        confidence=task.confidence(probs),
        in_scope=task.in_scope(own),  # of the columns that the model has, as when it serves
        correct=task.correct(probs, targets, thresholds) & ~held.outside,
    )

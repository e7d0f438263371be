"""What goes into `judge` and what comes out; and how probabilities move from one label set to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feilun.evaluate.errors import NotFinite, ShapeMismatch
from feilun.records import (
    Calibration,
    ClassMetrics,
    Comparison,
    ConfusedPair,
    Interval,
    OutOfScope,
    Record,
    Thresholds,
)


@dataclass(frozen=True)
class ValidationArrays:
    """The training examples as models saw them that had not learnt from them (out of fold).

    logits: (n, c) float32, classes in the model's order
    targets: (n, c) of 0 and 1
    out_of_scope: (n,) bool, rows that belong to no class; None when there are none
    """

    logits: np.ndarray
    targets: np.ndarray
    out_of_scope: np.ndarray | None = None

    @property
    def outside(self) -> np.ndarray:
        """(n,) bool: the out-of-scope rows."""
        return np.zeros(len(self.logits), dtype=bool) if self.out_of_scope is None else self.out_of_scope.astype(bool)


@dataclass(frozen=True)
class ChampionView:
    """What the comparison needs of the champion: its answers to the same holdout rows, from the graph it ships.

    holdout_logits: (n_holdout, len(labels)) float32, the rows of the challenger's holdout in the same order
    """

    model_id: str
    labels: tuple[str, ...]
    holdout_logits: np.ndarray
    temperature: float
    thresholds: Thresholds


class Judgement(Record):
    """All that `judge` found; its fields are those of `records.Report`, so Report(**dict(judgement), ...) works."""

    metrics: dict[str, Interval]
    per_class: tuple[ClassMetrics, ...]
    confused: tuple[ConfusedPair, ...]
    calibration: Calibration
    thresholds: Thresholds
    out_of_scope: OutOfScope | None
    comparison: Comparison | None
    warnings_en: tuple[str, ...]
    warnings_zh: tuple[str, ...]


def align(probs: np.ndarray, labels: Sequence[str], *, to: Sequence[str]) -> np.ndarray:
    """Probabilities (n, len(labels)) in the columns of `to`; a class the model does not know gets probability 0.

    `to` contains every one of `labels`, so that an answer never gets lost.
    """
    column = {label: i for i, label in enumerate(to)}
    aligned = np.zeros((len(probs), len(to)), dtype=probs.dtype)
    aligned[:, [column[label] for label in labels]] = probs
    return aligned


def check_logits(logits: np.ndarray, *, what: str, n_rows: int, n_classes: int) -> None:
    """Raise ShapeMismatch or NotFinite unless `logits` is (n_rows, n_classes) and finite."""
    if logits.shape != (n_rows, n_classes):
        raise ShapeMismatch(what=what, found=tuple(logits.shape), expected=(n_rows, n_classes))
    check_rows(logits, what=what, n_rows=n_rows)


def check_rows(values: np.ndarray, *, what: str, n_rows: int) -> None:
    """Raise ShapeMismatch or NotFinite unless `values` is a table of n_rows finite rows."""
    if values.ndim != 2 or len(values) != n_rows:
        raise ShapeMismatch(what=what, found=tuple(values.shape), expected=(n_rows, *values.shape[1:]))
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise NotFinite(what=what, n_rows=int(broken.sum()))

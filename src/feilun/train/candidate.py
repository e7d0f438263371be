"""What every rung of the ladder has in common: it is fitted on some rows and then answers for others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from feilun.models.neighbours import Neighbours
from feilun.train.folds import FoldPlan


@dataclass(frozen=True)
class Fitted:
    """A finished network: logits = weight · e + bias, with e the embedding of unit length.

    weight: (n_classes, n_hidden); bias: (n_classes,); tensors: what changed in the backbone, by Hugging Face name;
    embed: row numbers -> (n, n_hidden) float32, by this network; head: weight and bias as they were trained along with
    the layers, before they were averaged with the convex ones; files: what else belongs to the result, by name;
    neighbours: the votes that are added to the logits of the head.
    """

    weight: np.ndarray
    bias: np.ndarray
    embed: Callable[[np.ndarray], np.ndarray]
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    head: tuple[np.ndarray, np.ndarray] | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    neighbours: Neighbours | None = None

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """(n, n_classes) float32."""
        embeddings = self.embed(rows)
        logits = np.asarray(embeddings @ self.weight.T + self.bias, dtype=np.float32)
        return logits if self.neighbours is None else logits + self.neighbours.logits(embeddings)


class Candidate(Protocol):
    """One method with its hyper-parameters. Fitting never looks at rows it was not given."""

    method: str

    @property
    def params(self) -> dict[str, Any]:
        """The hyper-parameters, for the leaderboard."""

    def fit(self, rows: np.ndarray, *, fold: int | None, time_limit_s: float) -> Fitted:
        """Learn from `rows` (numbers into the TrainingRows), ending after `time_limit_s` seconds at the latest.

        Args:
            fold: which fold this fit is for, for progress events; None is the final fit.
        """

    def finish(self, rows: np.ndarray, fits: Sequence[Fitted], *, time_limit_s: float) -> Fitted:
        """The network that ships, for all `rows`: made from the `fits` of folds where that is as good, else fitted."""


def out_of_fold(candidate: Candidate, plan: FoldPlan, *, left_s: Callable[[], float], first: int = 0) -> np.ndarray:
    """(len(plan.held_out), n_classes) float32: each held-out row answered by a fit that never saw it.

    Each fit may use an equal share of the time that is left. `first` is the number of the plan's first fold.
    """
    parts = []
    for fold, (train, held) in enumerate(plan.folds):
        share = left_s() / (len(plan.folds) - fold)
        parts.append(candidate.fit(train, fold=first + fold, time_limit_s=share).logits(held))
    return np.concatenate(parts)

"""How good a candidate is on rows it has not seen, and whether another is better by more than noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feilun.records import Thresholds
from feilun.tasks import Task

MAX_ROWS_FOR_TEMPERATURE = 5000
TEMPERATURES = (0.05, 20.0)
N_BLOCKS = 50
"""The paired standard error is taken over so many blocks of rows: the task gives mean losses, not losses of rows."""

TIE = 0.25
"""Candidates whose leads average to less than this many standard errors are equally good."""
HEAD_START = -0.5
"""Against a probe, a candidate that trains layers needs no lead: it may even be so many standard errors behind. With
few rows to judge on, a true lead of two points does not show (docs/notes/005-training-loop.md)."""
MOST_LEAD = 5.0


@dataclass(frozen=True)
class Score:
    """Out-of-fold result of one candidate.

    metrics: the task's own, and `log_loss` after calibration; block_losses: (n_blocks,) mean log-loss of each block;
    hits: (n,) bool, which answers are right.
    """

    metrics: dict[str, float]
    block_losses: np.ndarray
    hits: np.ndarray
    temperature: float

    @property
    def log_loss(self) -> float:
        """Mean calibrated log-loss; lower is better."""
        return self.metrics["log_loss"]


def score(logits: np.ndarray, targets: np.ndarray, *, task: Task, thresholds: Thresholds | None = None) -> Score:
    """Judge out-of-fold logits (n, n_classes), after calibration with one temperature.

    Calibration comes first because the model that ships is calibrated too: a candidate must not lose for its scale.
    """
    temperature = best_temperature(logits, targets, task=task)
    probs = task.probs(logits, temperature=temperature)
    metrics = {"log_loss": task.log_loss(probs, targets), **task.metrics(probs, targets, thresholds)}
    n_blocks = min(N_BLOCKS, len(logits))
    blocks = np.array_split(np.random.default_rng(0).permutation(len(logits)), n_blocks)
    losses = np.array([task.log_loss(probs[block], targets[block]) for block in blocks])
    hits = task.correct(probs, targets, thresholds)
    return Score(metrics=metrics, block_losses=losses, hits=hits, temperature=temperature)


def best_temperature(logits: np.ndarray, targets: np.ndarray, *, task: Task) -> float:
    """The temperature with the lowest log-loss, by golden-section search over its logarithm."""
    if len(logits) > MAX_ROWS_FOR_TEMPERATURE:
        some = np.random.default_rng(0).choice(len(logits), MAX_ROWS_FOR_TEMPERATURE, replace=False)
        logits, targets = logits[some], targets[some]

    def loss(log_temperature: float) -> float:
        return task.log_loss(task.probs(logits, temperature=float(np.exp(log_temperature))), targets)

    from scipy.optimize import minimize_scalar

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x))


def is_better(challenger: Score, incumbent: Score, *, needs: float = TIE) -> bool:
    """Whether the challenger leads by more than `needs` standard errors, on the same rows; else it is a tie at best.

    Two leads are averaged, each in units of its own standard error: in log-loss, which uses how sure each answer was
    and is what thresholds stand on, and in right answers, which is what people see. The bar is low on purpose: all
    candidates are equally large and fast when they serve, so nothing but the time of a fit speaks for the cheaper one.
    """
    return lead(challenger, incumbent) > needs


def lead(challenger: Score, incumbent: Score) -> float:
    """How far the challenger is ahead on the same rows, in standard errors; negative when it is behind."""
    in_loss = _lead(incumbent.block_losses - challenger.block_losses)
    in_hits = _lead(challenger.hits.astype(float) - incumbent.hits)
    return (in_loss + in_hits) / 2


def _lead(differences: np.ndarray) -> float:
    """The mean of paired differences in units of its standard error, in [-MOST, MOST]."""
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / np.sqrt(len(differences))) if len(differences) > 1 else 0.0
    if error == 0:
        return float(np.sign(mean)) * MOST_LEAD
    return float(np.clip(mean / error, -MOST_LEAD, MOST_LEAD))

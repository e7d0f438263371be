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


@dataclass(frozen=True)
class Score:
    """Out-of-fold result of one candidate.

    metrics: the task's own, and `log_loss` after calibration; block_losses: (n_blocks,) mean log-loss of each block.
    """

    metrics: dict[str, float]
    block_losses: np.ndarray
    temperature: float

    @property
    def log_loss(self) -> float:
        """Mean calibrated log-loss, the figure candidates are compared on; lower is better."""
        return self.metrics["log_loss"]


def score(logits: np.ndarray, targets: np.ndarray, *, task: Task, thresholds: Thresholds | None = None) -> Score:
    """Judge out-of-fold logits (n, n_classes).

    Candidates are compared on the log-loss after calibration rather than on accuracy: it uses how sure each answer
    was, so it tells candidates apart on far fewer rows, and it is what thresholds stand on later. Calibration comes
    first because the model that ships is calibrated too: a candidate must not lose for its scale alone.
    """
    temperature = best_temperature(logits, targets, task=task)
    probs = task.probs(logits, temperature=temperature)
    metrics = {"log_loss": task.log_loss(probs, targets), **task.metrics(probs, targets, thresholds)}
    n_blocks = min(N_BLOCKS, len(logits))
    blocks = np.array_split(np.random.default_rng(0).permutation(len(logits)), n_blocks)
    losses = np.array([task.log_loss(probs[block], targets[block]) for block in blocks])
    return Score(metrics=metrics, block_losses=losses, temperature=temperature)


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


def is_better(challenger: Score, incumbent: Score) -> bool:
    """Whether the challenger's lead is more than one standard error of the paired difference."""
    lead = incumbent.block_losses - challenger.block_losses
    if len(lead) < 2:
        return bool(lead.sum() > 0)
    return bool(lead.mean() > lead.std(ddof=1) / np.sqrt(len(lead)))

"""Making confidence honest: temperature scaling, and how far confidence still is from accuracy."""

from __future__ import annotations

import math

import numpy as np

from feilun.evaluate.intervals import Resamples, bootstrap_interval
from feilun.records import Interval, ReliabilityBin
from feilun.tasks import Task

N_BINS = 15
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.02, 50.0


def fit_temperature(task: Task, logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature that makes the log loss of logits / temperature smallest; 1.0 when there are no rows.

    A faint pull towards 1 (a normal prior of deviation 1 on the logarithm, worth one example in all) keeps the
    temperature finite when a handful of rows are all right; with a hundred rows it no longer shows.

    Args:
        logits: (n, c), from models that did not learn from these rows. Such models saw fewer rows than the final
            one, so they are a little less right and the temperature errs towards modesty.
        targets: (n, c) of 0 and 1.
    Source:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599.
    """
    from scipy.optimize import minimize_scalar

    if len(logits) == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        probs = task.probs(logits, temperature=math.exp(log_temperature))
        return task.log_loss(probs, targets) + log_temperature**2 / (2 * len(logits))

    bounds = (math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return float(math.exp(found.x))


def bin_of(confidence: np.ndarray, *, n_bins: int = N_BINS) -> np.ndarray:
    """(n,) int: the equal-width bin of each confidence; 1.0 belongs to the last one."""
    return np.minimum((np.asarray(confidence, dtype=np.float64) * n_bins).astype(int), n_bins - 1)


def _gaps(confidence: np.ndarray, correct: np.ndarray, n_bins: int) -> np.ndarray:
    """(n, n_bins): confidence minus correctness of each row, in the column of its bin."""
    gaps = np.zeros((len(confidence), n_bins))
    gaps[np.arange(len(confidence)), bin_of(confidence, n_bins=n_bins)] = confidence - correct
    return gaps


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, *, n_bins: int = N_BINS) -> float:
    """How far confidence is from accuracy, averaged over equal-width bins.

    Args:
        confidence: (n,) in [0, 1], n > 0.
        correct: (n,) bool, whether the answer was right.
    Returns:
        A fraction in [0, 1]; 0 is perfectly calibrated.
    Source:
        Guo et al. 2017, arXiv 1706.04599. |sum of (confidence - correct)| over a bin is the bin's size times the
        difference of its mean confidence and its accuracy.
    """
    return float(np.abs(_gaps(confidence, correct, n_bins).sum(axis=0)).sum() / len(confidence))


def ece_interval(confidence: np.ndarray, correct: np.ndarray, *, resamples: Resamples, level: float) -> Interval:
    """`expected_calibration_error` with a bootstrap interval over the rows."""
    gaps = _gaps(confidence, correct, N_BINS).astype(np.float32)
    n = len(confidence)
    resampled = np.concatenate([np.abs(block @ gaps).sum(axis=1) / n for block in resamples])
    value = expected_calibration_error(confidence, correct)
    return bootstrap_interval(value, resampled, n=n, level=level)


def reliability_bins(
    confidence: np.ndarray, correct: np.ndarray, *, n_bins: int = N_BINS
) -> tuple[ReliabilityBin, ...]:
    """Mean confidence and accuracy of each equal-width bin that has a row, from low to high."""
    which = bin_of(confidence, n_bins=n_bins)
    return tuple(
        ReliabilityBin(
            low=b / n_bins,
            high=(b + 1) / n_bins,
            n_examples=int((which == b).sum()),
            confidence=float(confidence[which == b].mean()),
            accuracy=float(correct[which == b].mean()),
        )
        for b in np.unique(which)
    )

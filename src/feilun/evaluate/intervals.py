"""Error bars: closed forms where there are good ones, resampling of rows where there are none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from feilun.records import Interval

BLOCK_CELLS = 4_000_000  # resampling weights held in memory at a time; 16 MB of float32


def z_value(level: float) -> float:
    """The normal quantile of a two-sided interval, e.g. 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(count: float, n: float, *, level: float = 0.95) -> Interval:
    """A proportion with Wilson's score interval; 0 of 0 is 0 with the interval [0, 1]: nothing is known.

    Source:
        Wilson 1927, JASA 22; recommended for small n by Brown, Cai & DasGupta 2001, Statistical Science 16.
    """
    if n <= 0:
        return Interval(value=0.0, low=0.0, high=1.0, level=level)
    z2 = z_value(level) ** 2
    p = count / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # at 0 and n the bound is exactly 0 or 1; rounding must not push the value out of its own interval
    return Interval(value=p, low=min(p, max(0.0, centre - half)), high=max(p, min(1.0, centre + half)), level=level)


def f1_interval(hit: int, n_given: int, n_gold: int, *, level: float = 0.95) -> Interval:
    """F1 of one class with an interval.

    Of the u = given + gold - hit rows that were given the class or belong to it, `hit` are both. Given u, hit is
    binomial and hit/u is the Jaccard index J, so Wilson's interval holds for J; F1 = 2J / (1 + J) grows with J,
    so it carries over.
    """
    jaccard = wilson(hit, n_given + n_gold - hit, level=level)
    value, low, high = (2 * j / (1 + j) for j in (jaccard.value, jaccard.low, jaccard.high))
    return Interval(value=value, low=low, high=high, level=level)


class Resamples:
    """`n_resamples` draws of n rows with replacement; walking it twice gives the same draws.

    Yields blocks (b_i, n) float32 that say how often each row was drawn, small enough for the memory.
    """

    def __init__(self, n: int, n_resamples: int, *, seed: int) -> None:
        self.n, self.n_resamples, self.seed = n, n_resamples, seed

    def __iter__(self) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        block = max(1, BLOCK_CELLS // self.n)
        for start in range(0, self.n_resamples, block):
            rows = min(block, self.n_resamples - start)
            drawn = rng.integers(0, self.n, size=(rows, self.n))
            drawn += np.arange(rows)[:, None] * self.n
            yield np.bincount(drawn.ravel(), minlength=rows * self.n).reshape(rows, self.n).astype(np.float32)


def bootstrap_interval(value: float, resampled: np.ndarray, *, n: int, level: float = 0.95) -> Interval:
    """The interval of a figure in [0, 1] from its values on resamples.

    The spread of the resamples is laid around the value itself instead of around their mean: resamples lack some
    rows, so that F1 comes out too low and calibration error too high in them, and plain percentiles miss the truth
    far too often when classes are small. When every resample gives the same (no mistake was seen, say), the rows
    still leave doubt: then it is Wilson's interval for that share of n rows.

    Args:
        value: the figure on the rows themselves.
        resampled: (b,) the figure on each resample.
        n: the number of rows.
    Source:
        Efron & Tibshirani 1993, chapter 13; the shift corrects the bootstrap's own estimate of bias.
    """
    if np.ptp(resampled) < 1e-9:
        interval = wilson(value * n, n, level=level)
        return interval.model_copy(update={"value": value})
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2]) - resampled.mean()
    return Interval(
        value=value,
        low=min(value, max(0.0, value + float(low))),
        high=max(value, min(1.0, value + float(high))),
        level=level,
    )


def auc_interval(auc: float, influence: np.ndarray, *, n_rarer: int, level: float = 0.95) -> Interval:
    """One AUC with DeLong's variance on the logit scale, which keeps the interval inside [0, 1].

    A perfect (or perfectly wrong) separation has variance 0; then it is Wilson's interval for `n_rarer` rows, the
    size of the smaller group.

    Args:
        influence: (n,) from `feilun.tasks.auc.auc_influence`.
    Source:
        DeLong, DeLong & Clarke-Pearson 1988; the logit scale: Pepe 2003, section 5.2.
    """
    deviation = math.sqrt(float((influence**2).mean()) / len(influence))
    if not 0 < auc < 1 or deviation == 0:
        return wilson(auc * n_rarer, n_rarer, level=level)
    centre, half = math.log(auc / (1 - auc)), z_value(level) * deviation / (auc * (1 - auc))
    low, high = (_logistic(centre - half), _logistic(centre + half))
    return Interval(value=auc, low=low, high=high, level=level)


def _logistic(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))

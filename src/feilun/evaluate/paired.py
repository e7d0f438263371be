"""The paired test of challenger against champion on the same holdout rows."""

from __future__ import annotations

import math

import numpy as np

from feilun.evaluate.intervals import z_value
from feilun.records import Comparison, Interval


def mcnemar_exact(n_fixed: int, n_broken: int) -> float:
    """The chance of fixing at least so many rows if fixing and breaking were equally likely (one-sided, exact).

    Args:
        n_fixed: rows that only the challenger gets right.
        n_broken: rows that only the champion gets right.
    Returns:
        p in (0, 1]; 1 when no row differs.
    Source:
        McNemar 1947, Psychometrika 12, in its exact binomial form. One-sided, since the one question is whether the
        challenger is better; a two-sided p would be twice as large.
    """
    from scipy.special import bdtrc

    return 1.0 if n_fixed == 0 else float(bdtrc(n_fixed - 1, n_fixed + n_broken, 0.5))


def paired_difference(n_fixed: int, n_broken: int, n: int, *, level: float = 0.95) -> Interval:
    """Challenger's accuracy minus champion's, in [-1, 1], with Tango's score interval for paired proportions.

    Args:
        n: all rows, n > 0, those on which the two agree included.
    Source:
        Tango 1998, Statistics in Medicine 17; recommended by Fagerland, Lydersen & Laake 2014,
        Statistics in Medicine 33.
    """
    from scipy.optimize import brentq

    difference, z = (n_fixed - n_broken) / n, z_value(level)

    def score(delta: float) -> float:
        return _tango_score(n_fixed, n_broken, n, delta)

    low = -1.0 if difference <= -1 else brentq(lambda delta: score(delta) - z, -1.0, difference)
    high = 1.0 if difference >= 1 else brentq(lambda delta: score(delta) + z, difference, 1.0)
    return Interval(value=difference, low=min(low, difference), high=max(high, difference), level=level)


def _tango_score(b: int, c: int, n: int, delta: float) -> float:
    """How many standard errors the observed difference (b - c) / n lies above `delta`; falls as delta grows."""
    distance = b - c - n * delta
    linear = -b - c + (2 * n - b + c) * delta
    discriminant = linear**2 + 8 * n * c * delta * (1 - delta)
    q = max(0.0, (math.sqrt(max(0.0, discriminant)) - linear) / (4 * n))
    variance = n * (2 * q + delta * (1 - delta))
    if variance <= 1e-12:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def compare(champion: np.ndarray, challenger: np.ndarray, *, champion_id: str, metric: str, level: float) -> Comparison:
    """Both models on the same rows.

    Args:
        champion, challenger: (n,) bool, whether each answer is right; n > 0.
    """
    n_fixed, n_broken = int((challenger & ~champion).sum()), int((champion & ~challenger).sum())
    return Comparison(
        champion_id=champion_id,
        metric=metric,
        champion=float(champion.mean()),
        challenger=float(challenger.mean()),
        difference=paired_difference(n_fixed, n_broken, len(champion), level=level),
        n_fixed=n_fixed,
        n_broken=n_broken,
        p_value=mcnemar_exact(n_fixed, n_broken),
        n_rows=len(champion),
    )

"""Whether a canary does worse than the champion: a test that may be looked at after every message."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

PRIOR_SPREAD = 0.1  # differences that the test is made to find soon: some ten points
FEWEST_UNITS = 20  # of one model, before a variance between them means anything
MOST_EXPONENT = 700.0  # beyond it exp overflows, and nobody asks how much more


@dataclass(frozen=True)
class Outcomes:
    """What one model did, by unit: a user, or those users that share a lot.

    n: shape (n_units,), messages of each, >= 1; bad: shape (n_units,), those that went wrong, in [0, n].
    """

    n: np.ndarray
    bad: np.ndarray

    @property
    def n_messages(self) -> int:
        return int(self.n.sum())

    @property
    def share(self) -> float:
        """Of all messages, those that went wrong; 0 when there are none."""
        return float(self.bad.sum() / self.n.sum()) if len(self.n) else 0.0


def evidence(challenger: Outcomes, champion: Outcomes, *, tolerance: float) -> float:
    """How strongly the outcomes speak for the challenger being worse than the champion by more than `tolerance`.

    An e-value: of challengers that are no worse than that, at most a share `level` ever reaches 1 / level, however
    often one looks and whenever one stops. It is a likelihood ratio: of differences above the tolerance, spread like
    half a normal distribution, against the tolerance itself. The messages of one user are alike and stay with one
    model, so variances are taken between units, and the shares are ratios of sums (delta method). One message of each
    outcome is added to both sides, so that what has never gone wrong is not taken for certain.

    Args:
        tolerance: difference of the shares that is put up with, in [0, 1).
    Returns:
        >= 0; 1 says nothing.
    Source:
        Robbins 1970, "Statistical Methods Related to the Law of the Iterated Logarithm" (the mixture); Johari et al.
        2022, "Always Valid Inference: Continuous Monitoring of A/B Tests", arXiv 1512.04922 (its use here); Deng et
        al. 2018, "Applying the Delta Method in Metric Analytics", arXiv 1803.06336 (the variance).
    """
    (worse, spread_1), (before, spread_0) = _ratio(challenger), _ratio(champion)
    variance = spread_1 + spread_0
    z = (worse - before - tolerance) / math.sqrt(variance)
    information = PRIOR_SPREAD**2 / variance
    shrunk = information / (1 + information)
    above = math.erfc(-z * math.sqrt(shrunk / 2))  # twice the normal distribution: half of the mixture is left out
    return above / math.sqrt(1 + information) * math.exp(min(z * z / 2 * shrunk, MOST_EXPONENT))


def has_enough(outcomes: Outcomes, *, min_messages: int) -> bool:
    """Whether a model has answered enough, and for enough units, to be judged."""
    return outcomes.n_messages >= min_messages and len(outcomes.n) >= FEWEST_UNITS


def _ratio(outcomes: Outcomes) -> tuple[float, float]:
    """The share that went wrong and its variance, with a unit more of one message of each outcome."""
    n, bad = np.append(outcomes.n, 2), np.append(outcomes.bad, 1)
    share = bad.sum() / n.sum()
    residuals = bad - share * n
    n_units = max(len(n), 2)
    return float(share), float((residuals**2).sum() * n_units / (n_units - 1) / n.sum() ** 2)

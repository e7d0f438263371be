"""Curves through (labels, metric) points, and where they lead: several families at once, weighted by fit."""

from __future__ import annotations

import numpy as np

POWERS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
SPANS = (0.6, 1.2)
"""Of an exponential, in units of the most labels learnt from. Steeper families have all but reached their limit where
the points end, and so forecast too little: left out after trying them, see design note 008."""
LOOSENESS = 4.0
"""The noise that a family's misfit is measured in, over the noise of the best fit: on five points the best family is
often the best by chance, so the others keep a say."""
LEAST_NOISE = 1e-5
N_LAST = 3
"""The luck of a fit is read from so many points with the most labels: the first ones lie off the curve for other
reasons, such as classes that only their name stands for."""


def extrapolate(
    n_labels: np.ndarray, values: np.ndarray, at: np.ndarray, *, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """The metric at other numbers of labels: the expected value, draws of what it may be, and the luck of one fit.

    Every family is value = a - b * g(n) with b >= 0 and a <= 1: power laws g = n**-p, exponentials g = exp(-n / span)
    and the logarithm g = -log(n), each fitted by least squares to the whole curve and to every resampled one. A draw
    takes one resampled curve and one family, with the weight that its fit gives it.

    Args:
        n_labels: (k,) labels learnt from, at least three.
        values: (1 + b, k); the first row is the measured curve, the others are resampled ones.
        at: (t,) numbers of labels.
    Returns:
        (t,) expected values; (b, t) draws of the curve, laid around them; and the standard deviation by which a single
        fit on so many labels lies beside its curve.
    Source:
        Viering & Loog 2023, "The Shape of Learning Curves: a Review", IEEE TPAMI 45: no family wins on every problem.
    """
    n, at = np.asarray(n_labels, dtype=np.float64), np.asarray(at, dtype=np.float64)
    fitted, misfit = _fit_families(n, values, np.concatenate([n, at]))
    noise = max(float(misfit[:, 0].min()) / max(len(n) - 2, 1), LEAST_NOISE) * LOOSENESS
    weights = np.exp(-(misfit - misfit.min(axis=0)) / (2 * noise))
    weights /= weights.sum(axis=0)
    expected = weights[:, 0] @ fitted[:, 0]
    beside = (values[0] - expected[: len(n)])[-N_LAST:]
    luck = np.sqrt(max(float((beside**2).mean()), LEAST_NOISE) * LOOSENESS)
    expected, fitted = expected[len(n) :], fitted[:, :, len(n) :]
    n_draws = len(values) - 1
    chosen = (np.random.default_rng(seed).random(n_draws) > np.cumsum(weights[:, 1:], axis=0)[:-1]).sum(axis=0)
    draws = fitted[chosen, np.arange(1, n_draws + 1)]
    return expected, np.clip(draws - draws.mean(axis=0) + expected, 0.0, 1.0), float(luck)


def _fit_families(n: np.ndarray, values: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(families, 1 + b, t) values at `at`, and (families, 1 + b) sums of squared misfit."""
    largest = n.max()
    shapes = [(n**-power, at**-power, True) for power in POWERS]
    shapes += [(np.exp(-n / (span * largest)), np.exp(-at / (span * largest)), True) for span in SPANS]
    shapes.append((-np.log(n), -np.log(at), False))
    fits = [_fit_line(*shape, values) for shape in shapes]
    return np.stack([fitted for fitted, _ in fits]), np.stack([misfit for _, misfit in fits])


def _fit_line(x: np.ndarray, x_at: np.ndarray, has_limit: bool, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of value = a - b * x under the bounds; a curve that would end above 1 ends at 1."""
    centred = x - x.mean()
    b = np.maximum(-(values @ centred) / (centred @ centred), 0.0)
    a = values.mean(axis=1) + b * x.mean()
    if has_limit:
        too_high = a > 1
        b = np.where(too_high, np.maximum(((1 - values) @ x) / (x @ x), 0.0), b)
        a = np.where(too_high, 1.0, a)
    misfit = ((values - (a[:, None] - b[:, None] * x)) ** 2).sum(axis=1)
    return np.clip(a[:, None] - b[:, None] * x_at, 0.0, 1.0), misfit

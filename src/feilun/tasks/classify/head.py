"""The linear head on frozen embeddings: logistic regression, softmax or one sigmoid a label."""

from __future__ import annotations

from typing import Any

import numpy as np

MAX_ITERATIONS = 300
# Below this many multiplications a pass, threads wait for each other longer than they work (measured: 385 rows of 384
# numbers and 77 classes take 1.05 s on two busy cores with two threads, 0.04 s with one).
ONE_THREAD_BELOW = 1_000_000_000

Head = tuple[np.ndarray, np.ndarray]


def fit_linear(
    embeddings: np.ndarray,
    targets: np.ndarray,
    *,
    c: float,
    sample_weight: np.ndarray | None,
    seed: int,
    multi_label: bool,
) -> Head:
    """Weight (n_classes, n_hidden) and bias (n_classes,), float32, of an L2-regularised logistic regression.

    Args:
        embeddings: (n, n_hidden) float32.
        targets: (n, n_classes) of 0 and 1. Rows without a 1 are left out unless multi_label.
        c: inverse regularisation strength, > 0.
        sample_weight: (n,) or None.
    """
    from threadpoolctl import threadpool_limits

    n_products = embeddings.shape[0] * embeddings.shape[1] * targets.shape[1]
    fit = _fit_sigmoids if multi_label else _fit_softmax
    with threadpool_limits(limits=1 if n_products < ONE_THREAD_BELOW else None):
        return fit(embeddings, targets > 0, c, sample_weight, seed)


def _fit_sigmoids(x: np.ndarray, targets: np.ndarray, c: float, sample_weight: np.ndarray | None, seed: int) -> Head:
    """One yes-or-no regression a label."""
    weight, bias = _nothing(x, targets)
    for column, y in enumerate(targets.T):
        if y.all() or not y.any():
            bias[column] = 10.0 if y.all() else -10.0  # a label that is always or never there
            continue
        model = _regression(c, seed).fit(x, y, sample_weight)
        weight[column], bias[column] = model.coef_[0], model.intercept_[0]
    return weight, bias


def _fit_softmax(x: np.ndarray, targets: np.ndarray, c: float, sample_weight: np.ndarray | None, seed: int) -> Head:
    """One regression over the classes that have a row."""
    weight, bias = _nothing(x, targets)
    known = targets.any(axis=1)
    y = targets[known].argmax(axis=1)
    present = np.unique(y)
    if len(present) < targets.shape[1]:
        bias[:] = -20.0  # classes without a row are never answered
    if len(present) == 1:
        bias[present] = 0.0
        return weight, bias
    model = _regression(c, seed).fit(x[known], y, None if sample_weight is None else sample_weight[known])
    if len(present) == 2:
        half = model.coef_[0] / 2  # one logit becomes two whose softmax is the same
        weight[present[0]], weight[present[1]] = -half, half
        bias[present[0]], bias[present[1]] = -model.intercept_[0] / 2, model.intercept_[0] / 2
    else:
        weight[present], bias[present] = model.coef_, model.intercept_
    return weight, bias


def _nothing(x: np.ndarray, targets: np.ndarray) -> Head:
    return np.zeros((targets.shape[1], x.shape[1]), dtype=np.float32), np.zeros(targets.shape[1], dtype=np.float32)


def _regression(c: float, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, max_iter=MAX_ITERATIONS, random_state=seed)

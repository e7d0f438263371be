"""The linear head on frozen embeddings: logistic regression, softmax or one sigmoid a label."""

from __future__ import annotations

import numpy as np

MAX_ITERATIONS = 300
# Below this many multiplications a pass, threads wait for each other longer than they work (measured: 385 rows of 384
# numbers and 77 classes take 1.05 s on two busy cores with two threads, 0.04 s with one).
ONE_THREAD_BELOW = 1_000_000_000


def fit_linear(
    embeddings: np.ndarray,
    targets: np.ndarray,
    *,
    c: float,
    sample_weight: np.ndarray | None,
    seed: int,
    multi_label: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Weight (n_classes, n_hidden) and bias (n_classes,), float32, of an L2-regularised logistic regression.

    Args:
        embeddings: (n, n_hidden) float32.
        targets: (n, n_classes) of 0 and 1. Rows without a 1 are left out unless multi_label.
        c: inverse regularisation strength, > 0.
        sample_weight: (n,) or None.
    """
    from threadpoolctl import threadpool_limits

    n_products = embeddings.shape[0] * embeddings.shape[1] * targets.shape[1]
    with threadpool_limits(limits=1 if n_products < ONE_THREAD_BELOW else None):
        return _fit(embeddings, targets, c=c, sample_weight=sample_weight, seed=seed, multi_label=multi_label)


def _fit(
    embeddings: np.ndarray,
    targets: np.ndarray,
    *,
    c: float,
    sample_weight: np.ndarray | None,
    seed: int,
    multi_label: bool,
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    n_classes = targets.shape[1]
    weight = np.zeros((n_classes, embeddings.shape[1]), dtype=np.float32)
    bias = np.zeros(n_classes, dtype=np.float32)
    if multi_label:
        for column in range(n_classes):
            y = targets[:, column] > 0
            if y.all() or not y.any():
                bias[column] = 10.0 if y.all() else -10.0  # a label that is always or never there
                continue
            model = LogisticRegression(C=c, max_iter=MAX_ITERATIONS, random_state=seed).fit(
                embeddings, y, sample_weight
            )
            weight[column], bias[column] = model.coef_[0], model.intercept_[0]
        return weight, bias

    known = targets.sum(axis=1) > 0
    y = targets[known].argmax(axis=1)
    weights = None if sample_weight is None else sample_weight[known]
    present = np.unique(y)
    if len(present) < n_classes:
        bias[:] = -20.0  # classes without a row are never answered
    if len(present) == 1:
        bias[present] = 0.0
        return weight, bias
    model = LogisticRegression(C=c, max_iter=MAX_ITERATIONS, random_state=seed).fit(embeddings[known], y, weights)
    if len(present) == 2:
        half = model.coef_[0] / 2  # one logit becomes two whose softmax is the same
        weight[present[0]], weight[present[1]] = -half, half
        bias[present[0]], bias[present[1]] = -model.intercept_[0] / 2, model.intercept_[0] / 2
    else:
        weight[present], bias[present] = model.coef_, model.intercept_
    return weight, bias

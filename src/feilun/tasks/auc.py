"""Area under the ROC curve, with what each row contributes to it."""

from __future__ import annotations

import numpy as np


def auc_influence(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The AUC of every column, and how far each row pulls it.

    The influence values sum to 0 in every column; the mean of their squares over n is DeLong's variance, and
    `auc + weights @ influence / n` is, to first order, the AUC of a resample in which row i occurs weights[i] times.

    Args:
        scores: (n, k) float; higher means more likely positive. Ties count half.
        positive: (n, k) bool; every column has at least one positive and one negative row.
    Returns:
        auc (k,) in [0, 1] and influence (n, k), both float64.
    Source:
        DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44; computed from ranks as in Sun & Xu 2014, IEEE SPL 21.
    """
    from scipy.stats import rankdata

    n, n_columns = scores.shape
    auc = np.empty(n_columns)
    influence = np.empty((n, n_columns))
    for column in range(n_columns):
        score, is_positive = scores[:, column], positive[:, column]
        ranks = rankdata(score)
        n_positive = int(is_positive.sum())
        n_negative = n - n_positive
        # for each positive row, the share of negatives below it; for each negative row, of positives above it
        share = np.empty(n)
        share[is_positive] = (ranks[is_positive] - rankdata(score[is_positive])) / n_negative
        share[~is_positive] = 1 - (ranks[~is_positive] - rankdata(score[~is_positive])) / n_positive
        auc[column] = share[is_positive].mean()
        influence[:, column] = (share - auc[column]) * n / np.where(is_positive, n_positive, n_negative)
    return auc, influence

"""Telling messages apart that belong to no class: how little like any class a message must look to be out of scope."""

from __future__ import annotations

import numpy as np

from feilun.evaluate.intervals import auc_interval
from feilun.records import OutOfScope
from feilun.tasks.auc import auc_influence

MIN_OUTSIDE = 5  # out-of-scope rows needed to learn a threshold


def scope_threshold(
    in_scope: np.ndarray, correct: np.ndarray, outside: np.ndarray, *, max_refused: float
) -> float | None:
    """The score below which a message counts as out of scope; None with fewer than 5 out-of-scope rows.

    It makes (share of in-scope rows that are accepted and right) x (share of out-of-scope rows that are refused)
    largest, as long as at most `max_refused` of the in-scope rows that are right are refused. Neither share depends on
    how many rows of each kind happen to be in the data.

    Args:
        in_scope: (n,), `Task.in_scope` of calibrated probabilities.
        correct: (n,) bool.
        outside: (n,) bool, the out-of-scope rows.
        max_refused: in [0, 1].
    """
    if outside.sum() < MIN_OUTSIDE or outside.all():
        return None
    right = np.sort(in_scope[~outside & correct].astype(np.float64))
    beyond = np.sort(in_scope[outside].astype(np.float64))
    steps = np.unique(in_scope.astype(np.float64))
    cuts = np.concatenate([[0.0], (steps[:-1] + steps[1:]) / 2, [1.0]])
    lost = np.searchsorted(right, cuts)
    gained = (len(right) - lost) * np.searchsorted(beyond, cuts)
    return float(cuts[np.where(lost <= max_refused * len(right), gained, -1).argmax()])


def judge_scope(
    in_scope: np.ndarray, correct: np.ndarray, outside: np.ndarray, *, threshold: float, level: float
) -> OutOfScope:
    """How well out-of-scope rows are told apart on the holdout.

    Args:
        in_scope, correct, outside: (n,), with rows of both kinds.
        threshold: score below which a row is refused.
    Returns:
        auroc: chance that an out-of-scope row has a lower score than one in scope
        fpr95: share of out-of-scope rows accepted when 95 % of those in scope are (Hendrycks & Gimpel 2017,
            arXiv 1610.02136)
        recall: share of out-of-scope rows refused at the threshold
        in_scope_accuracy: share of in-scope rows accepted and right
    """
    auc, influence = auc_influence(-in_scope[:, None], outside[:, None])
    inside = ~outside
    within = np.sort(in_scope[inside])
    accept_95 = within[int(0.05 * len(within))]  # at most 5 % lie strictly below
    return OutOfScope(
        n_examples=int(outside.sum()),
        auroc=auc_interval(float(auc[0]), influence[:, 0], n_rarer=int(min(outside.sum(), inside.sum())), level=level),
        fpr95=float((in_scope[outside] >= accept_95).mean()),
        recall=float((in_scope[outside] < threshold).mean()),
        in_scope_accuracy=float((correct[inside] & (in_scope[inside] >= threshold)).mean()),
    )

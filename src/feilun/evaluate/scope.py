"""Telling messages apart that belong to no class: the confidence below which a message is out of scope."""

from __future__ import annotations

import numpy as np

from feilun.evaluate.intervals import auc_interval
from feilun.records import OutOfScope
from feilun.tasks.auc import auc_influence

MIN_OUTSIDE = 5  # out-of-scope rows needed to learn a threshold


def scope_threshold(confidence: np.ndarray, correct: np.ndarray, outside: np.ndarray) -> float | None:
    """The confidence below which a message counts as out of scope; None with fewer than 5 out-of-scope rows.

    It makes (share of in-scope rows that are accepted and right) x (share of out-of-scope rows that are refused)
    largest: the product is 0 when either side is given up, and does not depend on how many rows of each kind
    happen to be in the data.

    Args:
        confidence: (n,) calibrated.
        correct: (n,) bool.
        outside: (n,) bool, the out-of-scope rows.
    """
    if outside.sum() < MIN_OUTSIDE or outside.all():
        return None
    right = np.sort(confidence[~outside & correct].astype(np.float64))
    beyond = np.sort(confidence[outside].astype(np.float64))
    steps = np.unique(confidence.astype(np.float64))
    cuts = np.append((steps[:-1] + steps[1:]) / 2, 1.0) if len(steps) > 1 else np.array([0.0])
    accepted = (len(right) - np.searchsorted(right, cuts)) / (~outside).sum()
    refused = np.searchsorted(beyond, cuts) / len(beyond)
    return float(cuts[(accepted * refused).argmax()])


def judge_scope(
    confidence: np.ndarray, correct: np.ndarray, outside: np.ndarray, *, threshold: float, level: float
) -> OutOfScope:
    """How well out-of-scope rows are told apart on the holdout, by confidence.

    Args:
        confidence, correct, outside: (n,), with rows of both kinds.
        threshold: confidence below which a row is refused.
    Returns:
        auroc: chance that an out-of-scope row has less confidence than one in scope
        fpr95: share of out-of-scope rows accepted when 95 % of those in scope are (Hendrycks & Gimpel 2017,
            arXiv 1610.02136)
        recall: share of out-of-scope rows refused at the threshold
        in_scope_accuracy: share of in-scope rows accepted and right
    """
    auc, influence = auc_influence(-confidence[:, None], outside[:, None])
    inside = ~outside
    within = np.sort(confidence[inside])
    accept_95 = within[int(0.05 * len(within))]  # at most 5 % lie strictly below
    return OutOfScope(
        n_examples=int(outside.sum()),
        auroc=auc_interval(float(auc[0]), influence[:, 0], n_rarer=int(min(outside.sum(), inside.sum())), level=level),
        fpr95=float((confidence[outside] >= accept_95).mean()),
        recall=float((confidence[outside] < threshold).mean()),
        in_scope_accuracy=float((correct[inside] & (confidence[inside] >= threshold)).mean()),
    )

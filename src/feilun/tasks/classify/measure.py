"""Metrics of classification, over given labels and probabilities."""

from __future__ import annotations

import numpy as np


def classification_metrics(given: np.ndarray, probs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """accuracy, macro_f1, micro_f1 and roc_auc, in that order, each in [0, 1].

    Args:
        given: (n, n_classes) bool, the labels that were answered.
        probs: (n, n_classes) float.
        targets: (n, n_classes) of 0 and 1.
    Returns:
        macro_f1 averages over the classes that occur in targets or given; roc_auc is macro one-vs-rest over the classes
        that have both positives and negatives, and is left out when there are none.
    Source:
        Macro one-vs-rest AUC: Hand & Till 2001; F1: van Rijsbergen 1979.
    """
    gold = targets > 0
    hit = (given & gold).sum(axis=0).astype(np.float64)
    denominator = given.sum(axis=0) + gold.sum(axis=0)
    seen = denominator > 0
    per_class = np.divide(2 * hit, denominator, out=np.zeros_like(hit), where=seen)
    total = given.sum() + gold.sum()
    metrics = {
        "accuracy": float((given == gold).all(axis=1).mean()),
        "macro_f1": float(per_class[seen].mean()) if seen.any() else 0.0,
        "micro_f1": float(2 * hit.sum() / total) if total else 0.0,
    }
    auc = _macro_auc(probs, gold)
    if auc is not None:
        metrics["roc_auc"] = auc
    return metrics


def _macro_auc(probs: np.ndarray, gold: np.ndarray) -> float | None:
    from scipy.stats import rankdata

    n_positive = gold.sum(axis=0)
    usable = (n_positive > 0) & (n_positive < len(gold))
    if not usable.any():
        return None
    ranks = rankdata(probs[:, usable], axis=0)
    positives = n_positive[usable]
    negatives = len(gold) - positives
    u = (ranks * gold[:, usable]).sum(axis=0) - positives * (positives + 1) / 2
    return float((u / (positives * negatives)).mean())

"""Metrics of classification, over given labels and probabilities."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from feilun.tasks.auc import auc_influence


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
    usable = _has_both(gold)
    if usable.any():
        metrics["roc_auc"] = float(auc_influence(probs[:, usable], gold[:, usable])[0].mean())
    return metrics


def resampled_classification_metrics(
    given: np.ndarray, probs: np.ndarray, targets: np.ndarray, weights: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """The same metrics on resamples of the same rows, each (b,).

    Args:
        given, probs, targets: as in `classification_metrics`.
        weights: blocks of (b_i, n) float32; how often each row was drawn. b is the sum of the b_i.
    Returns:
        accuracy and the F1s exactly, from weighted counts; roc_auc to first order (DeLong's influence values), because
        ranking every class anew in every resample would cost a thousand times more and change the interval by little.
    """
    gold = targets > 0
    right = (given == gold).all(axis=1).astype(np.float32)
    hits = (given & gold).astype(np.float32)
    either = given.astype(np.float32) + gold
    usable = _has_both(gold)
    auc, pull = 0.0, None
    if usable.any():
        per_class, influence = auc_influence(probs[:, usable], gold[:, usable])
        auc, pull = float(per_class.mean()), influence.mean(axis=1) / len(gold)
    found: dict[str, list[np.ndarray]] = {}
    for block in weights:
        hit, denominator = block @ hits, block @ either
        seen = denominator > 0
        per_class = np.divide(2 * hit, denominator, out=np.zeros_like(hit), where=seen)
        total = denominator.sum(axis=1)
        values = {
            "accuracy": block @ right / len(right),
            "macro_f1": per_class.sum(axis=1) / np.maximum(seen.sum(axis=1), 1),
            "micro_f1": 2 * hit.sum(axis=1) / np.maximum(total, 1),
        }
        if pull is not None:
            values["roc_auc"] = auc + block @ pull
        for name, value in values.items():
            found.setdefault(name, []).append(np.asarray(value, dtype=np.float64))
    return {name: np.concatenate(values) for name, values in found.items()}


def _has_both(gold: np.ndarray) -> np.ndarray:
    """(n_classes,) bool: the classes with positive and negative rows; only they have an AUC."""
    n_positive = gold.sum(axis=0)
    return np.asarray((n_positive > 0) & (n_positive < len(gold)))

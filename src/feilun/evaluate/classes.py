"""Class by class: precision, recall, F1, and which classes are taken for each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feilun.evaluate.intervals import f1_interval, wilson
from feilun.records import ClassMetrics, ConfusedPair

N_PAIRS, N_EXAMPLES = 20, 5
NOTHING = ""  # the other side of a label that was missed, or given, without a counterpart


def per_class_metrics(
    given: np.ndarray, gold: np.ndarray, labels: Sequence[str], *, level: float
) -> tuple[ClassMetrics, ...]:
    """Precision, recall and F1 of every class, in the order of `labels`, each with an interval.

    A class that was never given has no precision, one without a row no recall: value 0, interval [0, 1].

    Args:
        given, gold: (n, c) bool.
    """
    hits, n_given, n_gold = (given & gold).sum(axis=0), given.sum(axis=0), gold.sum(axis=0)
    return tuple(
        ClassMetrics(
            label=label,
            n_examples=int(n_gold[i]),
            precision=wilson(int(hits[i]), int(n_given[i]), level=level),
            recall=wilson(int(hits[i]), int(n_gold[i]), level=level),
            f1=f1_interval(int(hits[i]), int(n_given[i]), int(n_gold[i]), level=level),
        )
        for i, label in enumerate(labels)
    )


def mistaken(given: np.ndarray, gold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels that were missed and labels given instead, both (n, c + 1) bool: the last column is NOTHING."""
    missed, extra = gold & ~given, given & ~gold
    return (
        np.column_stack([missed, ~missed.any(axis=1) & extra.any(axis=1)]),
        np.column_stack([extra, ~extra.any(axis=1) & missed.any(axis=1)]),
    )


def confused_pairs(
    given: np.ndarray, gold: np.ndarray, labels: Sequence[str], example_ids: Sequence[str]
) -> tuple[ConfusedPair, ...]:
    """The 20 pairs (class it was, class it was taken for) that occur most, with up to five example ids each.

    With several labels per message a missed label pairs with each label given instead; without one, the other side is
    the empty string.

    Args:
        given, gold: (n, c) bool.
        example_ids: n ids.
    """
    missed, extra = mistaken(given, gold)
    counts = missed.T.astype(np.float32) @ extra.astype(np.float32)  # exact below 2**24 rows
    names = [*labels, NOTHING]
    order = np.argsort(-counts, axis=None, kind="stable")[:N_PAIRS]
    pairs = []
    for g, p in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[g, p] == 0:
            break
        rows = np.flatnonzero(missed[:, g] & extra[:, p])[:N_EXAMPLES]
        pairs.append(
            ConfusedPair(
                gold=names[g],
                predicted=names[p],
                count=int(counts[g, p]),
                example_ids=tuple(example_ids[row] for row in rows),
            )
        )
    return tuple(pairs)

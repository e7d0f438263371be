"""Labels that spread along a graph of messages, from those that have one to those that have none."""

from __future__ import annotations

from typing import Any

import numpy as np

from feilun.models.neighbours import SHARPNESS, Neighbours, seen_from

N_LINKS = 15
"""Each message is linked with so many of its nearest."""
STAY = 0.1
"""Share of itself that a labelled message gives back in each pass."""
N_PASSES = 20
AT_ONCE = 1024
TINY = 1e-12


def neighbours_from(known: np.ndarray, targets: np.ndarray, unknown: np.ndarray) -> Neighbours:
    """Neighbours of both kinds: labelled messages vote for their own labels, the others for those that reach them.

    Args:
        known: (n, n_hidden) float32 embeddings of messages with a label or out of scope.
        targets: (n, n_classes) of 0 and 1; a row of zeros is out of scope, and votes for nothing.
        unknown: (m, n_hidden) float32 embeddings of messages without a label.
    """
    everything = np.concatenate([known, unknown])
    centre = everything.mean(axis=0)
    outside = targets.sum(axis=1, keepdims=True) == 0
    votes = spread(seen_from(centre, everything), np.concatenate([targets, outside], axis=1))[:, :-1]
    return Neighbours.of(everything, votes, centre=centre)


def spread(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(n + m, n_classes): how likely each class is at each point; the n labelled ones keep what they have.

    The mass that a class spreads over all points is in proportion to its labels.

    Args:
        points: (n + m, n_hidden) of unit length, the labelled ones first.
        targets: (n, n_classes) of 0 and 1.
    Source:
        Zhou et al. 2004, "Learning with Local and Global Consistency"; class mass normalisation: Zhu et al. 2003,
        "Semi-Supervised Learning Using Gaussian Fields and Harmonic Functions".
    """
    links = _links(points)
    counts = targets.sum(axis=0)
    start = np.zeros((len(points), targets.shape[1]), dtype=np.float32)
    start[: len(targets)] = targets / np.maximum(counts, 1)
    mass = start.copy()
    for _ in range(N_PASSES):
        mass = (1 - STAY) * (links @ mass) + STAY * start
    mass *= counts / np.maximum(mass.sum(axis=0), TINY)
    total = mass.sum(axis=1, keepdims=True)
    votes = np.where(total > TINY, mass / np.maximum(total, TINY), 0)
    votes[: len(targets)] = targets
    return np.asarray(votes, dtype=np.float32)


def _links(points: np.ndarray) -> Any:
    """The symmetric, normalised sparse matrix (n, n) of links between nearest neighbours."""
    import scipy.sparse as sp

    n, k = len(points), min(N_LINKS, len(points) - 1)
    columns, weights = [], []
    for start in range(0, n, AT_ONCE):
        near = points[start : start + AT_ONCE] @ points.T
        own = np.arange(len(near))
        near[own, start + own] = -1
        nearest = np.argpartition(near, -k, axis=1)[:, -k:]
        columns.append(nearest.ravel())
        weights.append(np.maximum(np.take_along_axis(near, nearest, axis=1), 0).ravel() ** SHARPNESS)
    rows = np.repeat(np.arange(n), k)
    links = sp.csr_array((np.concatenate(weights), (rows, np.concatenate(columns))), shape=(n, n), dtype=np.float32)
    links = links.maximum(links.T)
    scale = 1 / np.sqrt(np.maximum(np.asarray(links.sum(axis=1)).ravel(), TINY))
    return sp.csr_array(links.multiply(scale[:, None]).multiply(scale[None, :]), dtype=np.float32)

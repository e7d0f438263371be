"""A second opinion for a linear head: how the nearest known messages vote, most of which nobody has labelled.

A point is the embedding of a message, and its vote says how likely each class is there. Where a message has close
points, their votes count; where it has none, they add the same to every class and the head decides alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

N_NEAREST = 10
"""Points that vote on a message."""
SHARPNESS = 6
"""A point's weight is its cosine (negative ones are 0) to this power."""
PRIOR = 0.1
"""Weight of an even vote beside those of the points: with no point near, nothing is said."""
FLOOR = 1e-3
"""A class that no point votes for keeps this share of an even vote."""
STRENGTH = 2.0
"""How much the logarithm of the votes counts beside the calibrated logits of the head."""
VOTE_STEPS = 255
"""Votes are kept in steps of 1/255: a byte each."""
TINY = 1e-6

PREFIX = "neighbours."


@dataclass(frozen=True)
class Neighbours:
    """centre: (n_hidden,) float32; points: (n, n_hidden) float32, seen from the centre, of unit length;
    votes: (n, n_classes) uint8, in steps of 1/255."""

    centre: np.ndarray
    points: np.ndarray
    votes: np.ndarray

    @classmethod
    def of(cls, embeddings: np.ndarray, votes: np.ndarray, *, centre: np.ndarray) -> Neighbours:
        """From embeddings (n, n_hidden) and votes (n, n_classes) in [0, 1]."""
        return cls(
            centre=centre.astype(np.float32),
            points=seen_from(centre, embeddings),
            votes=np.rint(votes * VOTE_STEPS).astype(np.uint8),
        )

    @property
    def n_nearest(self) -> int:
        """How many points vote on a message."""
        return min(N_NEAREST, len(self.points))

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """(n, n_classes) float32: what the votes add to the logits of the head, for embeddings (n, n_hidden)."""
        n_classes, k = self.votes.shape[1], self.n_nearest
        out = np.empty((len(embeddings), n_classes), dtype=np.float32)
        for start in range(0, len(embeddings), 1024):
            near = seen_from(self.centre, embeddings[start : start + 1024]) @ self.points.T
            nearest = np.argpartition(near, -k, axis=1)[:, -k:]
            weight = np.maximum(np.take_along_axis(near, nearest, axis=1), 0) ** SHARPNESS
            votes = np.einsum("nk,nkc->nc", weight, self.votes[nearest].astype(np.float32) / VOTE_STEPS)
            share = (votes + PRIOR / n_classes) / (weight.sum(axis=1, keepdims=True) + PRIOR)
            out[start : start + 1024] = STRENGTH * np.log(share + FLOOR / n_classes)
        return out

    def arrays(self) -> dict[str, np.ndarray]:
        """As named tensors, for a file; see `neighbours_in`."""
        return {
            f"{PREFIX}centre": self.centre,
            f"{PREFIX}points": self.points,
            f"{PREFIX}votes": self.votes,
        }


def seen_from(centre: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """The directions (n, n_hidden) of embeddings from `centre`, float32 of unit length.

    Some backbones put every cosine between 0.7 and 0.9; seen from the middle of all messages, they spread out.
    """
    away = embeddings - centre
    length = np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(away / np.maximum(length, TINY), dtype=np.float32)


def neighbours_in(tensors: Mapping[str, np.ndarray]) -> Neighbours | None:
    """The neighbours among the named tensors of a network; None when it has none."""
    if f"{PREFIX}points" not in tensors:
        return None
    return Neighbours(**{name: tensors[PREFIX + name] for name in ("centre", "points", "votes")})

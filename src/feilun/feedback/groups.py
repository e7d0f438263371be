"""Messages of like meaning put together: k-means on embeddings of unit length, and how many groups there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_ITERATIONS = 25
MINI_BATCH_FROM = 20_000  # rows from which k-means looks at a batch at a time


@dataclass(frozen=True)
class Groups:
    """Rows by group. of: (n_rows,) int64 in [0, n); typicality: (n_rows,) cosine to the middle of one's own group.

    Every group has at least one row; the largest group is number 0.
    """

    of: np.ndarray
    typicality: np.ndarray
    n: int

    def members(self) -> list[np.ndarray]:
        """The rows of every group, ascending."""
        order = np.argsort(self.of, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.of, minlength=self.n))[:-1])


def group_rows(embeddings: np.ndarray, n_groups: int, *, weights: np.ndarray | None = None, seed: int = 0) -> Groups:
    """Put rows into at most `n_groups` groups by k-means; the same rows and seed give the same groups.

    Args:
        embeddings: (n, n_hidden) float32 of unit length, n >= 1.
        weights: (n,) >= 0, how much each row pulls the middle of its group; None means alike.
    """
    from threadpoolctl import threadpool_limits

    n_groups = min(n_groups, len(embeddings))
    if n_groups == len(embeddings):
        return Groups(of=np.arange(n_groups), typicality=np.ones(n_groups), n=n_groups)
    with threadpool_limits(limits=1):
        found = _k_means(embeddings, n_groups, weights=weights, seed=seed)
    return _by_size(embeddings, found, weights)


def _k_means(embeddings: np.ndarray, n_groups: int, *, weights: np.ndarray | None, seed: int) -> np.ndarray:
    import warnings

    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    kind = KMeans if len(embeddings) < MINI_BATCH_FROM else MiniBatchKMeans
    model = kind(n_clusters=n_groups, n_init=1, max_iter=MAX_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than groups: there are fewer groups
        return np.asarray(model.fit(embeddings, sample_weight=weights).labels_, dtype=np.int64)


def _by_size(embeddings: np.ndarray, of: np.ndarray, weights: np.ndarray | None) -> Groups:
    """Groups without rows left out, the largest first."""
    numbers, of = np.unique(of, return_inverse=True)
    sizes = np.bincount(of)
    rank = np.empty(len(numbers), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(numbers))
    of = rank[of]
    middles = np.zeros((len(numbers), embeddings.shape[1]))
    np.add.at(middles, of, embeddings if weights is None else embeddings * weights[:, None])
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
    return Groups(of=of, typicality=np.einsum("nh,nh->n", embeddings, middles[of]), n=len(numbers))

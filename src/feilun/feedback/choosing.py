"""Which messages of a pool to label next: several at once, none of them twice in other words.

Everything here works on arrays: embeddings of unit length, probabilities of the present model, and the embeddings of
what is labelled already. Nothing depends on where the messages came from.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import numpy as np

from feilun.config import Strategy
from feilun.feedback.errors import UnknownStrategy
from feilun.feedback.groups import group_rows

STRATEGIES: tuple[str, ...] = get_args(Strategy)

# Of "auto"; settled in benchmarks/active.py on training rows, and flat around these values.
KERNEL_WIDTH = 0.5  # a message speaks for others within about half the usual squared distance of two messages
CANDIDATES_A_PLACE, FEWEST_CANDIDATES, MOST_CANDIDATES = 20, 1000, 5000  # most in doubt, of which the batch is chosen
JUDGED_ROWS = 3000  # messages of the pool whose doubt is to be covered
MEASURED_ROWS = 1000
LEAST_DOUBT = 1e-3  # what is quite sure still counts a little, so that a pool without doubt is covered too
N_NEIGHBOURS = 10  # labelled neighbours whose labels are held against the model's
NEIGHBOUR_HEAT = 20.0  # how much more the nearest of them says: weights are exp(heat · cosine)
TYPICAL_LIMIT = (
    5_000  # rows that are grouped for "typical"; a larger pool is sampled, for k-means with many groups is slow
)


@dataclass(frozen=True)
class Pool:
    """What there is to choose from.

    embeddings: (n, n_hidden) float32 of unit length. probs: (n, n_classes) float32 by the present model.
    labelled: (m, n_hidden) float32, the messages labelled already; targets: (m, n_classes) of 0 and 1, what they are.
    exclusive: whether exactly one label is right, so that probabilities compete.
    """

    embeddings: np.ndarray
    probs: np.ndarray
    labelled: np.ndarray
    targets: np.ndarray
    exclusive: bool = True

    def __len__(self) -> int:
        return len(self.embeddings)


def choose(pool: Pool, n: int, *, strategy: str = "auto", seed: int = 0) -> np.ndarray:
    """Positions of the min(n, len(pool)) messages to label next, the most useful first; none twice.

    Args:
        strategy: one of STRATEGIES.
          auto: each the one that stands for most doubt which nothing labelled or chosen stands for yet.
          margin: the two likeliest labels are closest. entropy: probability is spread widest.
          typical: the middle of the largest groups without a label. diverse: farthest from all that is labelled.
          gradient: a label would move the model most, in directions of its own.
          disagreement: the labelled neighbours say otherwise than the model. random: drawn by lot.
    Raises:
        UnknownStrategy: `strategy` is none of them.
    """
    if strategy not in _CHOOSERS:
        raise UnknownStrategy(strategy=strategy, known=", ".join(STRATEGIES))
    n = min(n, len(pool))
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    return np.asarray(_CHOOSERS[strategy](pool, n, np.random.default_rng(seed)), dtype=np.int64)


def doubt(probs: np.ndarray, *, exclusive: bool = True) -> np.ndarray:
    """(n,) in [0, 1]: how little sets the likeliest label apart from the next (or the least sure label from a coin).

    Source:
        Margin sampling: Scheffer et al. 2001, "Active Hidden Markov Models for Information Extraction".
    """
    if not exclusive:
        return np.asarray(1 - 2 * np.abs(probs - 0.5).min(axis=1))
    if probs.shape[1] < 2:
        return np.zeros(len(probs))
    two = np.partition(probs, -2, axis=1)[:, -2:]
    return np.asarray(1 - (two[:, 1] - two[:, 0]))


def spread(probs: np.ndarray, *, exclusive: bool = True) -> np.ndarray:
    """(n,) entropy of the answer, in nats; of all its yes-or-no questions together where labels do not compete."""
    p = np.clip(probs.astype(np.float64), 1e-12, 1)
    total = -(p * np.log(p)).sum(axis=1)
    if not exclusive:
        q = np.clip(1 - probs.astype(np.float64), 1e-12, 1)
        total -= (q * np.log(q)).sum(axis=1)
    return np.asarray(total)


def neighbours_say(pool: Pool) -> np.ndarray:
    """(n, n_classes): the labels of the nearest labelled messages, nearer ones counting more; rows sum to at most 1."""
    if not len(pool.labelled):
        return np.zeros_like(pool.probs)
    k = min(N_NEIGHBOURS, len(pool.labelled))
    said = np.zeros(pool.probs.shape, dtype=np.float64)
    for start in range(0, len(pool), 4096):
        cosines = pool.embeddings[start : start + 4096] @ pool.labelled.T
        near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        heat = np.exp(NEIGHBOUR_HEAT * (np.take_along_axis(cosines, near, axis=1) - 1))
        said[start : start + 4096] = np.einsum("nk,nkc->nc", heat, pool.targets[near]) / heat.sum(axis=1, keepdims=True)
    return said


def nearest_labelled(pool: Pool) -> np.ndarray:
    """(n,) cosine of the labelled message that is nearest; -1 where nothing is labelled."""
    if not len(pool.labelled):
        return np.full(len(pool), -1.0)
    parts = [
        (pool.embeddings[start : start + 4096] @ pool.labelled.T).max(axis=1) for start in range(0, len(pool), 4096)
    ]
    return np.concatenate(parts)


def kernel(some: np.ndarray, others: np.ndarray, heat: float) -> np.ndarray:
    """(k, m) in (0, 1]: 1 for the same embedding, falling with the squared distance."""
    return np.asarray(np.exp(heat * (2 * (some @ others.T) - 2)), dtype=np.float32)


def kernel_heat(embeddings: np.ndarray) -> float:
    """How fast `kernel` falls, from the median squared distance of two of the rows: each network has its own scale."""
    some = embeddings[:MEASURED_ROWS]
    apart = (2 - 2 * some @ some.T)[np.triu_indices(len(some), 1)]
    return 1 / (KERNEL_WIDTH * (max(float(np.median(apart)), 1e-6) if len(apart) else 1.0))


# the strategies: (pool, n, rng) -> positions, most useful first; 0 < n <= len(pool)


def _auto(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    """One by one the message near which most doubt is left: doubt that no labelled or chosen message is close to.

    With few labels nearly everything is in doubt, and this is choosing what is typical; with many, doubt stands in a
    few places, and this is choosing among them, each place once.

    Source:
        Bae et al. 2025, "Uncertainty Herding: One Active Learning Method for All Label Budgets", arXiv 2412.20644.
    """
    unsure = doubt(pool.probs, exclusive=pool.exclusive) + LEAST_DOUBT
    candidates = _first(unsure, max(n, min(MOST_CANDIDATES, max(FEWEST_CANDIDATES, CANDIDATES_A_PLACE * n))))
    judged = np.sort(rng.permutation(len(pool))[:JUDGED_ROWS])
    heat = kernel_heat(pool.embeddings[judged])
    near = kernel(pool.embeddings[candidates], pool.embeddings[judged], heat)
    covered = np.zeros(len(judged), dtype=np.float32)
    for start in range(0, len(pool.labelled), 1024):
        part = kernel(pool.labelled[start : start + 1024], pool.embeddings[judged], heat)
        covered = np.maximum(covered, part.max(axis=0))
    return candidates[_greedy_cover(near, covered, unsure[judged].astype(np.float32), n)]


def _greedy_cover(near: np.ndarray, covered: np.ndarray, worth: np.ndarray, n: int) -> list[int]:
    """n rows of `near` (k, m) that together cover most: each in turn adds sum(worth · what it covers beyond `covered`).

    What a row adds only falls while others are chosen, so a row whose old figure is below another's new one need not
    be looked at again.

    Source:
        Minoux 1978, "Accelerated greedy algorithms for maximizing submodular set functions".
    """
    heap = [(-float(worth @ np.maximum(row - covered, 0)), i, 0) for i, row in enumerate(near)]
    heapq.heapify(heap)
    picked: list[int] = []
    while len(picked) < n:
        _, i, looked_at = heapq.heappop(heap)
        if looked_at == len(picked):
            picked.append(i)
            covered = np.maximum(covered, near[i])
        else:
            heapq.heappush(heap, (-float(worth @ np.maximum(near[i] - covered, 0)), i, len(picked)))
    return picked


def _margin(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    return _first(doubt(pool.probs, exclusive=pool.exclusive), n)


def _entropy(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    return _first(spread(pool.probs, exclusive=pool.exclusive), n)


def _typical(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    """As many groups as there will be labels; the middle of the largest ones that have none yet.

    Source:
        Hacohen et al. 2022, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets" (TypiClust).
    """
    rows = np.arange(len(pool))
    if len(rows) > TYPICAL_LIMIT:
        rows = np.sort(rng.choice(len(pool), max(n, TYPICAL_LIMIT), replace=False))
    everything = np.concatenate([pool.embeddings[rows], pool.labelled])
    n_groups = min(len(pool.labelled) + n, max(n, len(everything) // 2))
    groups = group_rows(everything, n_groups, seed=int(rng.integers(2**31)))
    n_labelled = np.bincount(groups.of[len(rows) :], minlength=groups.n)
    free = [members[members < len(rows)] for members in groups.members()]
    order = sorted((g for g in range(groups.n) if len(free[g])), key=lambda g: (n_labelled[g], -len(free[g])))
    picked = [int(rows[free[g][groups.typicality[free[g]].argmax()]]) for g in order[:n]]
    return _filled(picked, rows[rng.permutation(len(rows))], n)


def _diverse(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    """Each the one that is farthest from all labelled and all chosen.

    Source:
        Sener & Savarese 2018, "Active Learning for Convolutional Neural Networks: A Core-Set Approach".
    """
    distance = 1 - nearest_labelled(pool)
    picked: list[int] = []
    for _ in range(n):
        one = int(distance.argmax())
        picked.append(one)
        distance = np.minimum(distance, 1 - pool.embeddings @ pool.embeddings[one])
        distance[picked] = -np.inf
    return np.array(picked)


def _gradient(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ on the gradients that the head would get if its own answer were the label.

    A gradient is the outer product of (probs - answer) and the embedding, so distances come from two small products.

    Source:
        Ash et al. 2020, "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds" (BADGE).
    """
    given = np.eye(pool.probs.shape[1])[pool.probs.argmax(axis=1)] if pool.exclusive else pool.probs >= 0.5
    error = pool.probs - given
    length = (error * error).sum(axis=1)
    distance = length.copy()
    picked: list[int] = []
    for _ in range(n):
        total = distance.sum()
        if not picked or total <= 0:
            free = np.ones(len(pool), dtype=bool)
            free[picked] = False
            one = int(np.flatnonzero(free)[distance[free].argmax()])
        else:
            one = int(rng.choice(len(pool), p=distance / total))
        apart = length + length[one] - 2 * (error @ error[one]) * (pool.embeddings @ pool.embeddings[one])
        distance = np.maximum(apart if not picked else np.minimum(distance, apart), 0)
        picked.append(one)
        distance[picked] = 0
    return np.array(picked)


def _disagreement(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    """How much more probability the model gives its answer than the labelled neighbours do, then doubt."""
    answer = pool.probs.argmax(axis=1)
    rows = np.arange(len(pool))
    backed = neighbours_say(pool)[rows, answer]
    return _first(pool.probs[rows, answer] * (1 - backed) + 1e-3 * doubt(pool.probs, exclusive=pool.exclusive), n)


def _random(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(len(pool), n, replace=False)


def _first(score: np.ndarray, n: int) -> np.ndarray:
    """Positions of the n highest scores, highest first; of equal ones the earlier."""
    return np.argsort(-score, kind="stable")[:n]


def _filled(picked: list[int], others: np.ndarray, n: int) -> np.ndarray:
    """`picked`, and where that is fewer than n, others in their order."""
    taken = set(picked)
    more = [int(one) for one in others if int(one) not in taken]
    return np.array([*picked, *more][:n])


_CHOOSERS: dict[str, Callable[[Pool, int, np.random.Generator], np.ndarray]] = {
    "auto": _auto,
    "margin": _margin,
    "entropy": _entropy,
    "typical": _typical,
    "diverse": _diverse,
    "gradient": _gradient,
    "disagreement": _disagreement,
    "random": _random,
}

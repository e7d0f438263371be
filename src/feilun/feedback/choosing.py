"""Which messages of a pool to label next: several at once, none of them twice in other words.

Everything here works on arrays: embeddings of unit length, probabilities of the present model, and the embeddings of
what is labelled already. Nothing depends on where the messages came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from feilun.feedback.errors import UnknownStrategy
from feilun.feedback.groups import group_rows

Strategy = Literal["auto", "margin", "entropy", "typical", "diverse", "gradient", "disagreement", "random"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)

AUTO_CANDIDATES = 10  # messages in doubt that each place of the batch is chosen from (settled in benchmarks/active.py)
N_NEIGHBOURS = 10  # labelled neighbours whose labels are held against the model's
NEIGHBOUR_HEAT = 20.0  # how much more the nearest of them says: weights are exp(heat · cosine)
TYPICAL_LIMIT = 20_000  # rows that are grouped for "typical"; a larger pool is sampled


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
          auto: the messages in doubt are grouped by meaning, and each group is asked once, by its most typical one.
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


# the strategies: (pool, n, rng) -> positions, most useful first; 0 < n <= len(pool)


def _auto(pool: Pool, n: int, rng: np.random.Generator) -> np.ndarray:
    """Many in doubt, grouped into n by meaning with doubt as weight; the one in the middle of each group.

    Where a group is large and in doubt, its middle stands for many messages that the model cannot answer: typical and
    uncertain at once. With few labels nearly everything is in doubt, and this is choosing what is typical.

    Source:
        Zhdanov 2019, "Diverse mini-batch Active Learning", arXiv 1901.05954.
    """
    unsure = doubt(pool.probs, exclusive=pool.exclusive)
    wide = _first(unsure, AUTO_CANDIDATES * n)
    weights = unsure[wide] + 1e-3  # a weight of zero would leave a group without a middle
    groups = group_rows(pool.embeddings[wide], n, weights=weights, seed=int(rng.integers(2**31)))
    picked = [wide[rows[groups.typicality[rows].argmax()]] for rows in groups.members()]
    weight = {int(p): float(weights[rows].sum()) for p, rows in zip(picked, groups.members(), strict=True)}
    ordered = sorted(weight, key=lambda p: -weight[p])
    return _filled(ordered, wide, n)


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

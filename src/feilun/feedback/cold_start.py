"""From messages without any label to groups that a person can name: how many, which, and what they might be called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feilun.feedback.errors import TooFewMessages
from feilun.feedback.groups import Groups, group_rows
from feilun.feedback.naming import group_names, keywords
from feilun.records import LabelGroup

FEWEST_MESSAGES = 20
FEWEST_A_GROUP = 5  # messages a group has on average at least; fewer teach nothing
FEWEST_GROUPS, MOST_GROUPS = 8, 120  # the silhouette likes two halves that say nothing about classes
NEARLY = 0.05  # of the best silhouette
GRID_STEP = 1.3  # each number of groups that is tried is so many times the one before
JUDGED_ROWS = 3000  # messages that numbers of groups are compared on
N_EXAMPLES = 5


@dataclass(frozen=True)
class ColdStart:
    """The groups with their names, largest first; `of` and `typicality` (n,) say where each message belongs, how well.

    separation: mean silhouette in [-1, 1]; above 0.1 groups of short messages are usually meaningful.
    """

    groups: tuple[LabelGroup, ...]
    of: np.ndarray
    typicality: np.ndarray
    separation: float


def find_groups(
    texts: Sequence[str],
    embeddings: np.ndarray,
    *,
    n_groups: int | None = None,
    seed: int = 0,
    fallback: str = "group",
) -> ColdStart:
    """Group like messages, name the groups, pick examples that stand for each.

    Args:
        texts: different messages.
        embeddings: (n, n_hidden) float32 of unit length.
        n_groups: how many groups; None: the number whose groups are best told apart.
        fallback: the name of a group that no keyword describes.
    Raises:
        TooFewMessages: there are fewer than FEWEST_MESSAGES, or fewer than twice `n_groups`.
    """
    least = max(FEWEST_MESSAGES, 2 * (n_groups or 0))
    if len(texts) < least:
        raise TooFewMessages(n_messages=len(texts), least=least)
    k = n_groups or best_number(embeddings, seed=seed)
    groups = group_rows(embeddings, k, seed=seed)
    found = keywords(texts, groups.of, n_groups=groups.n)
    names = group_names(found, fallback=fallback)
    made = tuple(
        LabelGroup(
            number=number + 1,
            label=names[number],
            n_messages=len(rows),
            keywords=tuple(found[number]),
            examples=tuple(texts[i] for i in stand_for(embeddings, groups, rows)),
        )
        for number, rows in enumerate(groups.members())
    )
    return ColdStart(made, groups.of, groups.typicality, separation(embeddings, groups.of, seed=seed))


def best_number(embeddings: np.ndarray, *, seed: int = 0) -> int:
    """The largest number of groups, out of a grid, whose mean silhouette is nearly the best.

    Rather too many than too few, never fewer than FEWEST_GROUPS unless messages are few: a person merges two groups by
    one edit, and cannot take one apart.

    Source:
        Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis".
    """
    rows = np.random.default_rng(seed).permutation(len(embeddings))[:JUDGED_ROWS]
    judged = embeddings[np.sort(rows)]
    grid = _grid(len(embeddings), most=min(MOST_GROUPS, len(judged) // FEWEST_A_GROUP))
    scores = [separation(judged, group_rows(judged, k, seed=seed).of, seed=seed) for k in grid]
    good = max(scores) - NEARLY * abs(max(scores))
    return max(k for k, score in zip(grid, scores, strict=True) if score >= good)


def separation(embeddings: np.ndarray, of: np.ndarray, *, seed: int = 0) -> float:
    """Mean silhouette by cosine on at most JUDGED_ROWS rows; -1 where there is one group only."""
    from sklearn.metrics import silhouette_score

    rows = np.sort(np.random.default_rng(seed).permutation(len(embeddings))[:JUDGED_ROWS])
    n_found = len(np.unique(of[rows]))
    if not 1 < n_found < len(rows):
        return -1.0
    return float(silhouette_score(embeddings[rows], of[rows], metric="cosine"))


def stand_for(embeddings: np.ndarray, groups: Groups, rows: np.ndarray) -> list[int]:
    """Rows that show what a group is: its most typical, then others of its better half, each unlike those before."""
    best = rows[np.argsort(-groups.typicality[rows], kind="stable")]
    half = best[: max(N_EXAMPLES, len(best) // 2)]
    picked = [int(half[0])]
    likeness = embeddings[half] @ embeddings[picked[0]]
    while len(picked) < min(N_EXAMPLES, len(half)):
        likeness[[list(half).index(one) for one in picked]] = np.inf
        one = int(half[likeness.argmin()])
        picked.append(one)
        likeness = np.maximum(likeness, embeddings[half] @ embeddings[one])
    return picked


def _grid(n_rows: int, *, most: int) -> list[int]:
    largest = max(2, min(most, n_rows // FEWEST_A_GROUP))
    grid, k = [min(FEWEST_GROUPS, largest)], FEWEST_GROUPS * GRID_STEP
    while k <= largest:
        grid.append(round(k))
        k *= GRID_STEP
    return grid

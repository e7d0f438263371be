"""The review queue: what to ask a person next, each question once."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np

from feilun.feedback.choosing import kernel, kernel_heat
from feilun.feedback.reasons import speaks_from, why
from feilun.records import Why
from feilun.store import Store
from feilun.store.traffic import ASKED
from feilun.tasks import Task
from feilun.tasks.identity import normalise

ALIKE = 0.8  # Jaccard similarity of character trigrams from which two messages ask for the same label
LOOK_AHEAD = 5  # rows looked at for each one shown, so that twins are found below the first page
MAX_LOOKED_AT = 500
MOST_WITHOUT_THUMB = 1.0  # a thumb down adds 1 to what a label teaches, which is at most 1 by itself


def review_queue(
    store: Store,
    project: str,
    *,
    task: Task,
    limit: int = 20,
    embed: Callable[[Sequence[str]], np.ndarray] | None = None,
    without: Set[str] = frozenset(),
) -> list[dict[str, Any]]:
    """Predictions that wait for a person, those that teach most first; near-identical messages are one entry.

    Args:
        embed: texts -> (n, n_hidden) of unit length. With it, what means nearly the same as a row further up comes
            later, so that ten questions are about ten things; what somebody disliked stays in front.
        without: example ids to leave out.
    Returns:
        Rows with four keys more than the table: `similar`, the prediction ids of the messages that a row stands for,
        `twins`, their example ids, `why`, the reasons why it waits, and `given`, None: nobody has labelled it.
    """
    found = store.list_queue(project, limit=min(limit * LOOK_AHEAD + len(without), MAX_LOOKED_AT))
    rows = [row for row in found if row["example_id"] not in without]
    shown = group_alike(rows, texts=[task.text_of(row["inputs"]) for row in rows])
    if embed is not None and shown:
        embeddings = embed([task.text_of(row["inputs"]) for row in shown])
        shown = [shown[i] for i in each_about_another(embeddings, [row["teach"] for row in shown])]
    return [row | {"given": None, "why": waits_because(row)} for row in shown[:limit]]


def alike_in_meaning(
    store: Store,
    project: str,
    row: dict[str, Any],
    *,
    task: Task,
    embed: Callable[[Sequence[str]], np.ndarray],
    sure_from: float,
    limit: int = 20,
    without: Set[str] = frozenset(),
) -> list[dict[str, Any]]:
    """What waits in the queue beside `row` and means much the same, nearest first: one label may do for all.

    Args:
        row: a prediction; it need not wait itself.
        embed: texts -> (n, n_hidden) of unit length.
        sure_from: the cosine from which two messages mean the same for sure; those that the queue's own scale calls
            near are given too, see `speaks_from`.
        without: example ids to leave out.
    Returns:
        Rows as `review_queue` gives them, with `similarity`, the cosine, and `is_sure`.
    """
    found = store.list_queue(project, limit=MAX_LOOKED_AT)
    others = [one for one in found if one["example_id"] not in without | {row["example_id"]}]
    if not others:
        return []
    vectors = embed([task.text_of(one["inputs"]) for one in (row, *others)])
    cosines = vectors[1:] @ vectors[0]
    near_from = min(sure_from, speaks_from(vectors))
    alike = [i for i in np.argsort(-cosines, kind="stable")[:limit] if cosines[i] >= near_from]
    return [
        others[i]
        | {"given": None, "why": waits_because(others[i]), "similar": [], "twins": []}
        | {"similarity": round(float(cosines[i]), 4), "is_sure": bool(cosines[i] >= sure_from)}
        for i in alike
    ]


def is_disliked(row: dict[str, Any]) -> bool:
    """Whether somebody has said thumb down to a prediction that waits."""
    return bool(row["teach"] > MOST_WITHOUT_THUMB)


def waits_because(row: dict[str, Any]) -> tuple[Why, ...]:
    """Why a prediction waits for a person."""
    found = []
    if row["reason"] == ASKED:
        found.append(why("asked"))
    elif is_disliked(row):
        found.append(why("disliked"))
    elif row["decision"] == "hand_over":
        found.append(why("out_of_scope" if row["reason"] == "out_of_scope" else "handed_over"))
    other = row["challenger_labels"]
    if other is not None:
        found.append(why("models_disagree", first="|".join(row["labels"]), second="|".join(other)))
    return tuple(found) or (why("disliked"),)


def each_about_another(embeddings: np.ndarray, teach: Sequence[float]) -> list[int]:
    """An order of the rows: disliked ones as they are, then each the one that teaches most beyond those before it.

    A row teaches its `teach` less the share that the nearest row further up has in common with it.
    """
    worth = np.asarray(teach, dtype=np.float64)
    order = [i for i in range(len(worth)) if worth[i] > MOST_WITHOUT_THUMB]
    near = kernel(embeddings, embeddings, kernel_heat(embeddings))
    shared = near[order].max(axis=0) if order else np.zeros(len(worth))
    left = [i for i in range(len(worth)) if i not in set(order)]
    while left:
        best = max(left, key=lambda i: (worth[i] * (1 - shared[i]), -i))
        left.remove(best)
        order.append(best)
        shared = np.maximum(shared, near[best])
    return order


def group_alike(rows: Sequence[dict[str, Any]], *, texts: Sequence[str]) -> list[dict[str, Any]]:
    """`rows` in order, without those whose text is nearly an earlier row's; that row lists their
    predictions as `similar` and their messages as `twins`."""
    shown: list[tuple[dict[str, Any], frozenset[str]]] = []
    for row, text in zip(rows, texts, strict=True):
        grams = _trigrams(text)
        twin = next((entry for entry, others in shown if _jaccard(grams, others) >= ALIKE), None)
        if twin is None:
            shown.append((row | {"similar": [], "twins": []}, grams))
        else:
            twin["similar"].append(row["prediction_id"])
            twin["twins"].append(row["example_id"])
    return [entry for entry, _ in shown]


def _trigrams(text: str) -> frozenset[str]:
    padded = f"  {normalise(text)} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    if min(len(a), len(b)) < ALIKE * max(len(a), len(b)):
        return 0.0  # cannot be alike: spares the intersection
    return len(a & b) / len(a | b)

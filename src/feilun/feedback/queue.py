"""The review queue: what to ask a person next, each question once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feilun.store import Store
from feilun.tasks import Task
from feilun.tasks.identity import normalise

ALIKE = 0.8  # Jaccard similarity of character trigrams from which two messages ask for the same label
LOOK_AHEAD = 5  # rows looked at for each one shown, so that twins are found below the first page
MAX_LOOKED_AT = 500


def review_queue(store: Store, project: str, *, task: Task, limit: int = 20) -> list[dict[str, Any]]:
    """Predictions that wait for a person, those that teach most first; near-identical messages are one entry.

    Each row has one key more than the table: `similar`, the prediction ids of the messages that it stands for.
    """
    rows = store.list_queue(project, limit=min(limit * LOOK_AHEAD, MAX_LOOKED_AT))
    return group_alike(rows, texts=[task.text_of(row["inputs"]) for row in rows])[:limit]


def group_alike(rows: Sequence[dict[str, Any]], *, texts: Sequence[str]) -> list[dict[str, Any]]:
    """`rows` in order, without those whose text is nearly an earlier row's; that row lists them as `similar`."""
    shown: list[tuple[dict[str, Any], frozenset[str]]] = []
    for row, text in zip(rows, texts, strict=True):
        grams = _trigrams(text)
        twin = next((entry for entry, others in shown if _jaccard(grams, others) >= ALIKE), None)
        if twin is None:
            shown.append((row | {"similar": []}, grams))
        else:
            twin["similar"].append(row["prediction_id"])
    return [entry for entry, _ in shown]


def _trigrams(text: str) -> frozenset[str]:
    padded = f"  {normalise(text)} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    if min(len(a), len(b)) < ALIKE * max(len(a), len(b)):
        return 0.0  # cannot be alike: spares the intersection
    return len(a & b) / len(a | b)

"""Labels that look wrong: confident learning over out-of-fold probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feilun.records import Example, LabelDoubt, LabelDoubts

MAX_LISTED = 1000
# A class of fewer rows was learnt from one or two of them when the rest was judged: its scores say nothing.
LEAST_ROWS = 4
# More doubts than this in one class speak against the model, not against the labels.
MOST_OF_A_CLASS = 0.5


def find_label_doubts(
    examples: Sequence[Example],
    probs: np.ndarray,
    targets: np.ndarray,
    *,
    labels: Sequence[str],
    settled: np.ndarray,
    multi_label: bool,
) -> LabelDoubts:
    """The examples whose label is probably wrong, the least probable label first.

    How many there are is counted by confident learning: an example speaks against its label when its probability for
    another class is at least as high as is usual for members of that class. As many examples as are counted are then
    taken in the order of their probability for the given label. Settings: docs/notes/008-label-errors-and-curves.md.

    Args:
        probs: (n, c) calibrated, by models that had not learnt from the row.
        targets: (n, c) of 0 and 1; rows of zeros (out of scope) are left out unless `multi_label`.
        settled: (n,) bool; examples whose label a person has confirmed or given: never doubted.
    Source:
        Northcutt, Jiang & Chuang 2021, "Confident Learning", JAIR 70; cleanlab's filter "low_self_confidence".
    """
    try:
        import cleanlab  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "cleanlab":
            raise
        return LabelDoubts(
            note_en="Wrong labels were not looked for: that needs cleanlab. pip install 'feilun[train]'",
            note_zh="未查找标错的标签：需要 cleanlab。请运行：pip install 'feilun[train]'",
        )
    gold = np.asarray(targets) > 0
    find = _find_among_several if multi_label else _find_single
    kept = np.flatnonzero(gold.any(axis=1) | multi_label)
    if not len(kept):
        return LabelDoubts(
            note_en="Wrong labels were not looked for: there are no messages judged out of fold.",
            note_zh="未查找标错的标签：没有折外评判的消息。",
        )
    suggested, scores = find(np.asarray(probs[kept], dtype=np.float64), gold[kept])
    allowed = ~np.asarray(settled, dtype=bool)[kept] & ~np.isnan(scores)
    order = _not_flooded(np.argsort(scores, kind="stable"), gold[kept], allowed)
    doubts = [
        LabelDoubt(
            example_id=example.example_id,
            source=example.source,
            row=example.row,
            given=example.target or (),
            suggested=tuple(labels[int(column)] for column in np.flatnonzero(suggested[i])),
            score=round(float(scores[i]), 4),
        )
        for i in order
        for example in [examples[kept[i]]]
    ]
    return LabelDoubts(n_judged=len(kept), n_doubtful=len(doubts), doubts=tuple(doubts[:MAX_LISTED]))


def _find_single(probs: np.ndarray, gold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, c) bool what each row should say, and (n,) the probability of what it says; NaN where there is no doubt."""
    from cleanlab.filter import find_label_issues

    rows, given = np.arange(len(probs)), gold.argmax(axis=1)
    scores = probs[rows, given]
    present = np.flatnonzero(gold.any(axis=0))  # a class without a row has no threshold
    if len(present) < 2:
        return gold, np.full(len(probs), np.nan)
    among = probs[:, present] / np.maximum(probs[:, present].sum(axis=1, keepdims=True), 1e-12)
    is_doubtful = find_label_issues(
        np.searchsorted(present, given), among, filter_by="low_self_confidence", n_jobs=1, verbose=False
    )
    others = np.where(gold, -1.0, probs)
    suggested = np.zeros_like(gold)
    suggested[rows, others.argmax(axis=1)] = True
    # Where the given label is still the likeliest, nobody could say what else it should be.
    return suggested, np.where(is_doubtful & (others.max(axis=1) > scores), scores, np.nan)


def _find_among_several(probs: np.ndarray, gold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same where a row may carry several labels: each label is a yes or no of its own, and the worst one counts."""
    flips = np.zeros_like(gold)
    agreement = np.where(gold, probs, 1 - probs)
    for column in range(gold.shape[1]):
        yes = gold[:, column]
        if min(yes.sum(), (~yes).sum()) < LEAST_ROWS:
            continue
        both = np.column_stack([~yes, yes])
        _, scores = _find_single(np.column_stack([1 - probs[:, column], probs[:, column]]), both)
        flips[:, column] = ~np.isnan(scores)
    worst = np.where(flips, agreement, np.nan)
    found = flips.any(axis=1)
    scores = np.full(len(probs), np.nan)
    scores[found] = np.nanmin(worst[found], axis=1)
    return gold ^ flips, scores


def _not_flooded(order: np.ndarray, gold: np.ndarray, allowed: np.ndarray) -> list[int]:
    """`order` without what is not allowed, and without more than half of any class; tiny classes are left alone."""
    n_rows = gold.sum(axis=0)
    left = np.where(n_rows < LEAST_ROWS, 0, np.floor(n_rows * MOST_OF_A_CLASS))
    kept = []
    for i in order:
        columns = np.flatnonzero(gold[i])
        if allowed[i] and (left[columns] > 0).all():
            left[columns] -= 1
            kept.append(int(i))
    return kept

"""The holdout: chosen once by hash, frozen for ever.

Within a class, rows are ranked by a hash of their id and the lowest are held out, so the choice needs no seed, does
not depend on the order of rows, and hardly moves while the data grow. What has once been held out stays so; what has
once been trained on never is, and so the quota of a growing class is filled from its new rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256

from feilun.records import Example

# A class with fewer rows is trained on whole; one with so many gives at least one row to the holdout …
MIN_ROWS_TO_HOLD_OUT = 4
# … and keeps at least so many for training, whatever the fraction.
MIN_ROWS_TO_TRAIN = 2


def strata(examples: Iterable[Example]) -> dict[str, str]:
    """By id, the class each labelled example is stratified by: its rarest label, so that rare ones get their share."""
    labelled = [example for example in examples if example.target is not None]
    counts = Counter(label for example in labelled for label in example.target or ())
    return {
        example.example_id: min(example.target or ("",), key=lambda label: (counts[label], label))
        for example in labelled
    }


def draw_holdout(
    pool: Mapping[str, Example], *, held: Mapping[str, Example], trained: Collection[str], fraction: float
) -> list[str]:
    """The ids of `pool` that join the holdout.

    Args:
        pool: labelled examples that are not in the holdout, by id.
        held: examples already in it, by id.
        trained: ids that earlier turns trained on; they never join.
        fraction: share of each class that the holdout shall have.
    """
    classes = strata([*pool.values(), *held.values()])
    n_held = Counter(classes[example_id] for example_id in held if example_id in classes)
    members: dict[str, list[str]] = {}
    for example_id in pool:
        members.setdefault(classes[example_id], []).append(example_id)
    drawn: list[str] = []
    for label, ids in members.items():
        missing = _quota(len(ids) + n_held[label], fraction) - n_held[label]
        room = len(ids) - MIN_ROWS_TO_TRAIN
        fresh = sorted((example_id for example_id in ids if example_id not in trained), key=_rank)
        drawn.extend(fresh[: max(0, min(missing, room))])
    return drawn


def _quota(n_rows: int, fraction: float) -> int:
    return max(1, round(n_rows * fraction)) if n_rows >= MIN_ROWS_TO_HOLD_OUT else 0


def _rank(example_id: str) -> str:
    # Hashed once more: ids are themselves sorted by in the snapshot, and rank must not follow that order.
    return sha256(b"holdout:" + example_id.encode()).hexdigest()

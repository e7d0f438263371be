"""What became of a dataset: rows that came and went, other labels, other splits, and how its classes have grown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from feilun.data.snapshot import SPLITS
from feilun.records import Dataset, Example

ChangeKind = Literal["added", "removed", "relabelled", "moved"]
KINDS: tuple[ChangeKind, ...] = ("added", "removed", "relabelled", "moved")


@dataclass(frozen=True)
class RowChange:
    """One row that is not as it was. Where it was not, or is no more, labels and split are None."""

    kind: ChangeKind
    example_id: str
    inputs: dict[str, Any]
    source: str
    old_labels: tuple[str, ...] | None
    new_labels: tuple[str, ...] | None
    old_split: str | None
    new_split: str | None

    def has(self, label: str) -> bool:
        """Whether it had or has the label."""
        return label in (*(self.old_labels or ()), *(self.new_labels or ()))


@dataclass(frozen=True)
class DatasetChanges:
    """All rows that changed, kind by kind, and the labelled rows of each class: before and after."""

    rows: tuple[RowChange, ...]
    classes: tuple[tuple[str, int, int], ...]

    def count(self, kind: ChangeKind) -> int:
        return sum(row.kind == kind for row in self.rows)


def compare(old: Dataset, new: Dataset) -> DatasetChanges:
    """What is otherwise in `new`. A row is the same one when its message is, whatever file it comes from.

    A row with another label and another split counts as relabelled; the classes that changed most come first.
    """
    before, after = dict(_placed(old)), dict(_placed(new))
    found = [row for key in before.keys() | after.keys() if (row := _change(key, before.get(key), after.get(key)))]
    rows = sorted(found, key=lambda row: (KINDS.index(row.kind), row.example_id))
    n_before, n_after = _classes(before), _classes(after)
    classes = [(label, n_before[label], n_after[label]) for label in n_before.keys() | n_after.keys()]
    return DatasetChanges(tuple(rows), tuple(sorted(classes, key=lambda one: (-abs(one[2] - one[1]), one[0]))))


def _placed(dataset: Dataset) -> Iterator[tuple[str, tuple[str, Example]]]:
    for split in SPLITS:
        for example in getattr(dataset, split):
            yield example.example_id, (split, example)


def _change(key: str, old: tuple[str, Example] | None, new: tuple[str, Example] | None) -> RowChange | None:
    kind = _kind(old, new)
    shown = new or old
    if kind is None or shown is None:
        return None
    return RowChange(
        kind=kind,
        example_id=key,
        inputs=shown[1].inputs,
        source=shown[1].source,
        old_labels=None if old is None else old[1].target,
        new_labels=None if new is None else new[1].target,
        old_split=None if old is None else old[0],
        new_split=None if new is None else new[0],
    )


def _kind(old: tuple[str, Example] | None, new: tuple[str, Example] | None) -> ChangeKind | None:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if set(old[1].target or ()) != set(new[1].target or ()):
        return "relabelled"
    return "moved" if old[0] != new[0] else None


def _classes(placed: dict[str, tuple[str, Example]]) -> Counter[str]:
    return Counter(label for _, example in placed.values() for label in example.target or ())

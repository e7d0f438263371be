"""What changed between two datasets, row by row and class by class."""

from __future__ import annotations

from feilun.data import compare
from feilun.data.snapshot import make_dataset
from feilun.records import Dataset, Example


def row(text: str, *labels: str, source: str = "a.csv") -> Example:
    return Example(f"e_{text}", {"text": text}, labels or None, source)


def dataset(**rows: list[Example]) -> Dataset:
    none: dict[str, list[Example]] = {"train": [], "holdout": [], "unlabelled": []}
    return make_dataset(**none | rows, labels=("card", "parcel", "refund"))


OLD = dataset(
    train=[row("gone", "refund"), row("same", "refund"), row("wrong", "refund"), row("far", "parcel")],
    holdout=[row("judge", "refund", "parcel")],
    unlabelled=[row("asked")],
)
NEW = dataset(
    train=[row("same", "refund", source="b.csv"), row("wrong", "parcel"), row("asked", "card"), row("new", "card")],
    holdout=[row("judge", "parcel", "refund"), row("far", "parcel")],
)


def test_rows_come_go_change_their_label_or_only_their_split():
    found = compare(OLD, NEW)
    said = [(r.kind, r.example_id, r.old_labels, r.new_labels, r.old_split, r.new_split) for r in found.rows]
    assert said == [
        ("added", "e_new", None, ("card",), None, "train"),
        ("removed", "e_gone", ("refund",), None, "train", None),
        ("relabelled", "e_asked", None, ("card",), "unlabelled", "train"),
        ("relabelled", "e_wrong", ("refund",), ("parcel",), "train", "train"),
        ("moved", "e_far", ("parcel",), ("parcel",), "train", "holdout"),
    ]
    assert found.classes == (("card", 0, 2), ("refund", 4, 2), ("parcel", 2, 3))
    assert [one.example_id for one in found.rows if one.has("refund")] == ["e_gone", "e_wrong"]


def test_a_dataset_beside_itself_has_no_changes_and_beside_nothing_only_new_rows():
    assert compare(OLD, OLD).rows == () and compare(OLD, OLD).classes[0][1:] == (2, 2)
    found = compare(dataset(train=[]), OLD)
    assert {one.kind for one in found.rows} == {"added"} and found.count("added") == 6

"""From messages without labels to a labelled file: what a person edits is what the labels become."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from feilun.data.errors import UnknownOutput
from feilun.records import Backbone
from feilun.wheel.cold_start import apply, look, messages_path, propose
from feilun.wheel.errors import FileExists, GroupsDoNotFit, NothingLabelled

TEXTS = [
    f"{start} {i}" for start in ("i want a refund", "where is my parcel", "=thanks", "我要取消订单") for i in range(9)
]


@pytest.fixture
def groups(tmp_path: Path, tiny_backbone: Backbone) -> Path:
    source, out = tmp_path / "messages.csv", tmp_path / "groups.csv"
    write(source, [{"no": i, "text": text} for i, text in enumerate([*TEXTS, " ", TEXTS[0].upper()])])
    start = look(source, text=None, language=None, max_chars=100)
    assert (len(start.texts), start.n_set_aside) == (len(TEXTS), 1)
    proposal = propose(start, tiny_backbone, out=out, n_groups=4, max_tokens=32, threads=1, seed=0)
    assert sum(group.n_messages for group in proposal.groups) == proposal.n_messages == len(TEXTS)
    return out


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def edit(path: Path, **labels: str) -> None:
    """Rename: g1="x" puts x into the label of group 1; a number that is not there is left alone."""
    write(path, [row | {"label": labels.get(f"g{row['group']}", row["label"])} for row in read(path)])


def test_renamed_merged_and_emptied_groups_become_the_labels(groups, tmp_path):
    names = ["退款", "退款", "", "other"]
    edit(groups, **{f"g{n}": name for n, name in enumerate(names, start=1)})
    of = {row["text"].lstrip("'"): int(row["group"]) for row in read(messages_path(groups))}
    done = apply(groups, out=tmp_path / "labelled.csv", core=1)
    labelled = {row["text"].lstrip("'"): row["label"] for row in read(tmp_path / "labelled.csv")}
    assert labelled == {text: names[group - 1] for text, group in of.items()}
    assert set(labelled) == set(TEXTS)
    assert done.class_counts == {name: sum(found == name for found in labelled.values()) for name in ("退款", "other")}


def test_the_fringe_of_a_group_stays_without_a_label(groups, tmp_path):
    edit(groups, g1="a", g2="b", g3="c", g4="d")
    done = apply(groups, out=tmp_path / "labelled.csv", core=0.5)
    by_text = {row["text"]: row["label"] for row in read(tmp_path / "labelled.csv")}
    for number, name in enumerate("abcd", start=1):
        members = [row for row in read(messages_path(groups)) if int(row["group"]) == number]
        core = [row for row in members if by_text[row["text"]] == name]
        assert len(core) == max(1, round(0.5 * len(members)))
        fringe = [float(row["typical"]) for row in members if not by_text[row["text"]]]
        assert min(float(row["typical"]) for row in core) >= max(fringe, default=-1)
    assert done.n_labelled == sum(done.class_counts.values()) < done.n_rows == len(TEXTS)


def test_a_table_that_was_edited_is_never_written_over(groups, tiny_backbone, tmp_path):
    before = groups.read_bytes()
    start = look(tmp_path / "messages.csv", text="text", language="en", max_chars=100)
    with pytest.raises(FileExists):
        propose(start, tiny_backbone, out=groups, n_groups=2, max_tokens=32, threads=1, seed=0)
    assert groups.read_bytes() == before
    with pytest.raises(UnknownOutput):
        propose(start, tiny_backbone, out=tmp_path / "groups.doc", n_groups=2, max_tokens=32, threads=1, seed=0)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda rows: [row | {"label": "same"} for row in rows], NothingLabelled),
        (lambda rows: [row | {"label": " "} for row in rows], NothingLabelled),
        (lambda rows: [row | {"group": "1"} for row in rows], GroupsDoNotFit),
        (lambda rows: [row | {"group": "one"} for row in rows], GroupsDoNotFit),
        (lambda rows: rows[1:], GroupsDoNotFit),
    ],
    ids=["one-class", "no-class", "twice", "no-number", "one-missing"],
)
def test_a_table_that_cannot_be_used_is_refused_and_nothing_is_written(groups, tmp_path, change, error):
    write(groups, change(read(groups)))
    with pytest.raises(error):
        apply(groups, out=tmp_path / "labelled.csv")
    assert not (tmp_path / "labelled.csv").exists()


def test_numbers_that_a_spreadsheet_made_into_decimals_are_still_numbers(groups, tmp_path):
    write(groups, [row | {"group": f"{row['group']}.0", "label": f"c{row['group']}"} for row in read(groups)])
    assert apply(groups, out=tmp_path / "labelled.csv").n_rows == len(TEXTS)

"""The holdout is frozen, however the data grow; a dataset is its content."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feilun.data import read_snapshot, write_snapshot
from feilun.data.errors import SnapshotDamaged
from feilun.data.split import draw_holdout
from feilun.records import Example
from tests.data.conftest import EN, example, many


def ids(examples):
    return {e.example_id for e in examples}


def test_each_class_gives_its_share_and_small_ones_none(build):
    rows = many(100, "big") + many(10, "ten") + many(4, "four") + many(3, "three")
    _, report = build({"data.csv": rows})
    assert report.holdout_counts == {"big": 20, "ten": 2, "four": 1}
    assert report.class_counts == {"big": 80, "ten": 8, "four": 3, "three": 3}


def test_training_keeps_two_rows_of_each_class_whatever_the_fraction(build):
    _, report = build({"data.csv": many(4, "a") + many(20, "b")}, holdout_fraction=0.89)
    assert report.class_counts == {"a": 2, "b": 2}


def test_the_same_rows_in_any_order_are_the_same_dataset(build):
    rows = [*EN, *many(40, "a"), ("Where IS my parcel?", "delivery"), ("hm", "a"), ("hm", "delivery")]
    shuffled = random.Random(1).sample(rows, len(rows))
    first, second = build({"data.csv": rows})[0], build({"data.csv": shuffled})[0]
    assert first.dataset_id == second.dataset_id
    assert ids(first.holdout) == ids(second.holdout)


def test_another_label_or_message_or_split_is_another_dataset(build):
    base = build({"data.csv": EN})[0].dataset_id
    relabelled = build({"data.csv": [*EN[:-1], (EN[-1][0], "delivery")]})[0].dataset_id
    grown = build({"data.csv": [*EN, ("one more", "refund")]})[0].dataset_id
    resplit = build({"data.csv": EN}, holdout_fraction=0.5)[0].dataset_id
    assert len({base, relabelled, grown, resplit}) == 4


def test_growing_data_never_move_a_row_between_holdout_and_training(build):
    rng = random.Random(2)
    rows, previous = many(12, "a") + many(5, "b"), None
    for _ in range(5):
        dataset, report = build({"data.csv": rows}, previous=previous)
        if previous is not None:
            assert ids(previous.holdout) <= ids(dataset.holdout)
            assert not ids(previous.train) & ids(dataset.holdout)
        assert not ids(dataset.train) & ids(dataset.holdout)
        previous = dataset
        rows = rows + many(rng.randint(5, 20), rng.choice("abcd"), start=len(rows))
        rng.shuffle(rows)
    assert report.holdout_counts.keys() == {row[1] for row in rows if row[1] in report.holdout_counts}


def test_a_growing_class_is_topped_up_and_a_new_class_gets_its_share(build):
    first, _ = build({"data.csv": many(10, "a") + many(10, "b")})
    _, report = build({"data.csv": many(40, "a") + many(10, "b") + many(10, "new")}, previous=first)
    assert report.holdout_counts == {"a": 8, "b": 2, "new": 2}


def test_a_holdout_row_that_vanishes_from_the_files_stays_and_a_new_label_reaches_it(build):
    first, _ = build({"data.csv": EN})
    gone, relabelled = first.holdout
    rows = [(t, "other" if t == relabelled.inputs["text"] else label) for t, label in EN if t != gone.inputs["text"]]
    second, _ = build({"data.csv": [*rows, ("hello", "other"), ("bye", "other")]}, previous=first)
    targets = {e.example_id: e.target for e in second.holdout}
    assert targets[gone.example_id] == gone.target
    assert targets[relabelled.example_id] == ("other",)


def test_what_was_corrected_once_is_not_held_out_when_it_comes_in_a_file(build):
    corrections = [example(text, label) for text, label in many(6, "new")]
    first, _ = build({"data.csv": EN}, corrections=corrections)
    second, _ = build({"data.csv": [*EN, *many(6, "new")]}, previous=first)
    assert ids(corrections) <= ids(second.train)


def test_a_correction_of_a_frozen_row_changes_neither_the_holdout_nor_the_report_of_its_file(build):
    first, _ = build({"data.csv": EN})
    held = first.holdout[0]
    second, report = build({"data.csv": EN}, corrections=[example(held.inputs["text"], "other")], previous=first)
    assert second.dataset_id == first.dataset_id
    assert (report.n_leaks, report.n_set_aside, report.n_corrections) == (1, 0, 0)


def test_a_holdout_file_adds_to_the_frozen_holdout_and_wins_over_training(build):
    first, _ = build({"data.csv": EN})
    trained = first.train[0]
    files = {"data.csv": EN, "test.csv": [(trained.inputs["text"], trained.target[0]), ("brand new", "refund")]}
    second, report = build(files, holdout="test.csv", previous=first)
    assert ids(second.holdout) == ids(first.holdout) | {trained.example_id, example("brand new").example_id}
    assert report.n_leaks == 1
    assert any("1 row of test.csv trained an earlier model" in advice for advice in report.advice_en)


@given(
    labels=st.lists(st.sampled_from("abc"), min_size=1, max_size=60),
    n_first=st.integers(0, 60),
    fraction=st.floats(0.05, 0.85),
)
def test_draws_add_up_turn_after_turn(labels, n_first, fraction):
    pool = {e.example_id: e for e in (example(f"message {i}", label) for i, label in enumerate(labels))}
    first_pool = dict(list(pool.items())[:n_first])
    first = set(draw_holdout(first_pool, held={}, trained=(), fraction=fraction))
    held, trained = {key: pool[key] for key in first}, first_pool.keys() - first
    rest = {key: e for key, e in pool.items() if key not in held}
    second = set(draw_holdout(rest, held=held, trained=trained, fraction=fraction))
    assert not second & (first | trained)
    assert second <= rest.keys()
    for label in set(labels):
        n_rows, n_held = labels.count(label), sum(pool[key].target == (label,) for key in first | second)
        assert n_held <= max(0, n_rows - 2)
        assert n_rows >= 4 or n_held == 0


def test_a_snapshot_reads_back_as_it_was_written(build, tmp_path):
    dataset, _ = build({"data.csv": [*EN, ("what now", "")]}, corrections=[example("我要退款 😀", "refund")])
    path = tmp_path / "sets" / "one.jsonl"
    write_snapshot(dataset, path)

    def bare(examples: tuple[Example, ...]) -> list[Example]:
        return [replace(e, row=None) for e in examples]

    again = read_snapshot(path)
    assert (again.dataset_id, again.labels) == (dataset.dataset_id, dataset.labels)
    for split in ("train", "holdout", "unlabelled"):
        assert list(getattr(again, split)) == bare(getattr(dataset, split))
    assert [p.name for p in path.parent.iterdir()] == ["one.jsonl"]


def _flip(data: bytes) -> bytes:
    return data.replace(b"refund", b"refunt", 1)


def _torn(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _short(data: bytes) -> bytes:
    return b"".join(data.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize("damage", [_flip, _torn, _short, lambda _: b"", lambda _: b"\xff\xfe"])
def test_a_damaged_snapshot_is_refused(build, tmp_path, damage):
    dataset, _ = build({"data.csv": EN})
    path = tmp_path / "one.jsonl"
    write_snapshot(dataset, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SnapshotDamaged, match=r"one\.jsonl"):
        read_snapshot(path)

"""Who is held out when."""

from __future__ import annotations

import numpy as np

from feilun.train.folds import plan_folds, stratified_order
from feilun.train.rows import TrainingRows


def _rows(classes: list[int], *, n_classes: int, named: list[int]) -> TrainingRows:
    eye = np.eye(n_classes, dtype=np.float32)
    targets = np.array([eye[c] if c >= 0 else np.zeros(n_classes) for c in classes] + [eye[c] for c in named])
    return TrainingRows(
        texts=[""] * len(targets),
        targets=targets.astype(np.float32),
        weights=np.ones(len(targets), dtype=np.float32),
        labels=tuple(map(str, range(n_classes))),
        places=np.arange(len(classes)),
    )


def test_every_example_is_held_out_once_and_never_learnt_from_in_that_fold():
    rows = _rows([0] * 7 + [1] * 3 + [2] * 12 + [-1] * 5, n_classes=3, named=[0, 1, 2])
    plan = plan_folds(rows, n_folds=5, seed=0)
    assert sorted(plan.held_out) == list(range(27))
    for train, held in plan.folds:
        assert not set(train) & set(held)
        assert set(rows.name_rows) <= set(train)
        assert len(train) == 27 - len(held) + 3
        assert 5 <= len(held) <= 6
        assert (rows.targets[train].sum(axis=0) > 0).all()


def test_the_only_row_of_a_class_is_held_out_only_when_a_name_stands_in():
    classes = [0] * 6 + [1] * 6 + [2]
    assert 12 not in plan_folds(_rows(classes, n_classes=3, named=[0, 1]), n_folds=3, seed=0).held_out
    assert 12 in plan_folds(_rows(classes, n_classes=3, named=[0, 1, 2]), n_folds=3, seed=0).held_out


def test_single_rows_without_names_leave_nothing_to_hold_out():
    plan = plan_folds(_rows([0, 1, 2], n_classes=3, named=[]), n_folds=3, seed=0)
    assert plan.held_out.tolist() == []


def test_every_beginning_of_the_stratified_order_has_the_classes_in_proportion():
    targets = np.eye(3, dtype=np.float32)[[0] * 600 + [1] * 300 + [2] * 3]
    order = stratified_order(targets, seed=1)
    assert sorted(order) == list(range(903))
    counts = targets[order[:90]].sum(axis=0)
    assert abs(counts[0] - 60) <= 1
    assert abs(counts[1] - 30) <= 1
    assert counts[2] >= 1


def test_the_same_seed_cuts_the_same_folds_and_another_seed_others():
    rows = _rows([0, 1] * 20, n_classes=2, named=[])
    first, again, other = (plan_folds(rows, n_folds=4, seed=seed).held_out for seed in (3, 3, 4))
    assert first.tolist() == again.tolist() != other.tolist()

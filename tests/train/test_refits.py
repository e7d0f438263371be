"""Refits on parts of the rows: judged on rows not seen, out-of-scope rows apart, and never more work than promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feilun.records import Backbone
from feilun.tasks import get_task
from feilun.train import refit, refits
from feilun.train.refits import refit_rows
from feilun.train.rows import TrainingRows
from tests.train.conftest import MANY, dataset_of, examples_of, settings_of


def rows_of(n: int, *, n_classes: int = 3) -> TrainingRows:
    targets = np.eye(n_classes, dtype=np.float32)[np.arange(n) % n_classes]
    return TrainingRows(["t"] * n, targets, np.ones(n, dtype=np.float32), tuple("abc"[:n_classes]), np.arange(n))


def test_a_row_is_judged_by_refits_that_never_saw_it():
    # Each row has a direction of its own: who has seen the row knows its class, who has not knows nothing.
    found = refit_rows(rows_of(60), np.eye(60, dtype=np.float32), task=get_task(settings_of().task), c=30.0, seed=0)
    right = found["logits"][-1].argmax(axis=1) == found["targets"].argmax(axis=1)
    assert right.mean() < 0.6
    assert np.ptp(found["logits"][-1], axis=1).max() < 1.0


def test_every_row_is_judged_once_a_repeat_by_growing_refits(tiny_backbone: Backbone, tmp_path: Path):
    examples = examples_of(MANY)
    settings = settings_of()
    given = {"task": get_task(settings.task), "cache_dir": tmp_path, "seed": 3}
    found = refit(dataset_of(examples), tiny_backbone, settings, **given)
    assert sorted(found["rows"]) == sorted(list(range(30)) * refits.N_REPEATS)
    assert (np.diff(found["n_labels"]) > 0).all() and found["n_labels"][-1] == 24
    assert found["logits"].shape == (5, 60, 3)
    assert found["n_train"].tolist() == [10, 10, 10]
    again = refit(dataset_of(examples), tiny_backbone, settings, **given)
    assert all(np.array_equal(found[name], again[name]) for name in found)


def test_out_of_scope_rows_take_no_part(tiny_backbone: Backbone, tmp_path: Path):
    examples = examples_of(MANY | {"oos": ["thanks", "is the", "my my my"]})
    settings = settings_of(task={"out_of_scope_label": "oos"})
    found = refit(
        dataset_of(examples), tiny_backbone, settings, task=get_task(settings.task), cache_dir=tmp_path, seed=0
    )
    outside = {i for i, example in enumerate(examples) if example.target == ("oos",)}
    assert len(outside) == 3
    assert len(set(found["rows"])) == len(examples) - 3
    assert found["targets"].any(axis=1).all()


def test_the_holdout_judges_every_refit_but_its_unknown_and_unlabelled_rows_do_not(
    tiny_backbone: Backbone, tmp_path: Path
):
    examples = examples_of(MANY)
    held = examples_of({"refund": ["money back"], "card": ["my card", "no card"], "unknown": ["what"]})
    unlabelled = replace(held[0], target=None)
    settings = settings_of()
    dataset = replace(dataset_of(examples), holdout=(*held, unlabelled))
    found = refit(dataset, tiny_backbone, settings, task=get_task(settings.task), cache_dir=tmp_path, seed=0)
    held_rows = found["rows"][found["is_held"]]
    assert sorted(set(held_rows)) == [30, 31, 32]
    assert len(held_rows) == 3 * refits.N_FOLDS * refits.N_REPEATS
    assert found["logits"].shape[1] == len(found["rows"]) == len(found["targets"])


@pytest.mark.parametrize("products", [30_000, 4_000], ids=["some folds", "scaled down"])
def test_much_data_is_judged_in_part_rather_than_for_long(products: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refits, "MOST_PRODUCTS", products)
    rows = rows_of(60)
    embeddings = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    found = refit_rows(rows, embeddings, task=get_task(settings_of().task), c=1.0, seed=0)
    n_fits = len(found["rows"]) / 12  # a fifth of the rows is judged by each fold
    assert 1 <= n_fits < 5 * refits.N_REPEATS
    assert n_fits * found["n_labels"].sum() * 8 * 3 <= products
    assert (np.diff(found["n_labels"]) > 0).all()

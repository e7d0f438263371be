"""Forms are judged on rows they never saw, and the smallest that keeps the goal is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feilun.compress.points import (
    Form,
    Workbench,
    choose,
    hold_back,
    lessons_of,
)
from feilun.compress.students import Students, TooManyLayers, WidthNotSmaller
from feilun.config import GoalSettings
from feilun.records import CompressPoint, Dataset, Example, Interval
from feilun.tasks import get_task
from tests.bundles import LABELS, dataset_of, make_bundle, network_of, settings_of


def form(name, *, size=10.0, p50=1.0, p99=2.0, accuracy=0.9) -> Form:
    point = CompressPoint(
        name=name,
        n_layers=6,
        n_heads=12,
        n_ffn=1536,
        n_pieces=100,
        precision="int8",
        size_mb=size,
        p50_ms=p50,
        p99_ms=p99,
        accuracy=Interval(value=accuracy, low=0.0, high=1.0),
        agreement=1.0,
    )
    return Form(point, None, "all", np.zeros((1, 2), np.float32))


AS_IS, SMALL, TINY, WORSE = (
    form("as is", size=24, p50=2.0, p99=5.0, accuracy=0.90),
    form("small", size=20, p50=1.5, p99=4.0, accuracy=0.90),
    form("tiny", size=12, p50=1.0, p99=2.0, accuracy=0.885),
    form("worse", size=11, p50=1.1, p99=2.1, accuracy=0.80),
)


@pytest.mark.parametrize(
    ("goal", "max_loss", "taken"),
    [
        ({}, 0.02, 2),
        ({}, 0.01, 1),
        ({}, 0.2, 3),
        ({"at_least": 0.89}, 0.02, 1),
        ({"max_size_mb": 15}, 0.02, 2),
        ({"max_size_mb": 15}, 0.01, None),
        ({"max_p99_ms": 1.0}, 0.2, None),
        ({"metric": "macro_f1", "at_least": 0.99}, 0.02, 2),
    ],
)
def test_the_smallest_form_that_keeps_the_goal_is_taken(goal, max_loss, taken):
    points, found = choose([AS_IS, SMALL, TINY, WORSE], GoalSettings(**goal), max_loss=max_loss)
    assert found == taken
    assert [point.is_chosen for point in points] == [number == taken for number in range(4)]
    assert [point.name for point in points if point.is_dominated] == ["as is"]


def rows(*texts, label="a") -> tuple[Example, ...]:
    return tuple(Example(text, {"text": text}, (label,), "x.csv") for text in texts)


def test_a_student_never_learns_from_held_rows_or_from_the_holdout():
    dataset = Dataset(
        "d", train=rows("1", "2", "3"), holdout=rows("4", "5"), unlabelled=rows("5", "2", "6", "7"), labels=("a",)
    )
    validation = {
        "rows": np.array([1]),
        "targets": np.ones((1, 1), np.uint8),
        "logits": np.zeros((1, 1), np.float32),
    }
    held = hold_back(validation, n_messages=7)
    assert held.places.tolist() == [1]
    assert [example.example_id for example in lessons_of(dataset, held, limit=10)] == ["1", "3", "6", "7"]
    assert [example.example_id for example in lessons_of(dataset, held, limit=2)] == ["1", "7"]


@pytest.mark.parametrize(("n_messages", "n_held"), [(100, 25), (1000, 100), (2, 1), (100_000, 100)])
def test_few_rows_are_held_back_where_there_are_few_messages(n_messages, n_held):
    n = 100
    validation = {
        "rows": np.arange(n) * 2,
        "targets": np.eye(n, dtype=np.uint8),
        "logits": np.arange(n * n, dtype=np.float32).reshape(n, n),
    }
    held = hold_back(validation, n_messages=n_messages)
    assert len(held.places) == n_held
    np.testing.assert_array_equal(held.logits, validation["logits"][held.places // 2])
    assert held.targets.argmax(axis=1).tolist() == (held.places // 2).tolist()


def test_nothing_is_held_back_where_nothing_was_held_out():
    nothing = {"rows": np.empty(0, np.int64), "targets": np.empty((0, 2)), "logits": np.empty((0, 2))}
    assert len(hold_back(nothing, n_messages=10).places) == 0


@pytest.fixture
def workbench(tmp_path, tiny_backbone):
    dataset = dataset_of()
    settings = settings_of(backbone={"max_tokens": 32}, compress={"distil": {"epochs": 2}})
    task = get_task(settings.task)
    n = len(dataset.train)
    targets = task.encode_targets(dataset.train, LABELS)
    unlearnt = 10 * targets
    unlearnt[::5] = unlearnt[::5, ::-1]  # what the models of the folds got wrong stays wrong, however good the form
    held = hold_back({"rows": np.arange(n), "targets": targets, "logits": unlearnt}, n_messages=1000)
    aside = tmp_path / "aside"
    aside.mkdir()
    return Workbench(
        network_of(tmp_path / "train", tiny_backbone),
        tiny_backbone,
        Dataset("d", dataset.train, (), dataset_of({"x": ["order late", "my card", "谢谢"]}).train, LABELS),
        settings,
        task=task,
        held=held,
        aside=aside,
        interval=lambda count, n: Interval(value=count / n, low=0.0, high=1.0),
        on_event=lambda kind, data: None,
    )


def test_every_form_is_measured_beside_the_model_as_it_is(tmp_path, tiny_backbone, workbench):
    make_bundle(tmp_path / "bundle", tiny_backbone)
    as_is = workbench.as_is(tmp_path / "bundle", n_pieces=0, precision="int8")
    forms = list(workbench.forms(as_is, Students(n_layers=(1,), widths=(0.5,))))
    found = [
        (p.name, p.n_layers, p.n_heads, p.n_ffn, f.student is not None) for f in [as_is, *forms] for p in [f.point]
    ]
    assert found == [
        ("as is", 2, 4, 64, False),
        ("float32", 2, 4, 64, False),
        ("1 layers, float32", 1, 4, 64, True),
        ("1 layers, int8", 1, 4, 64, True),
        ("width 0.5, float32", 2, 2, 32, True),
        ("width 0.5, int8", 2, 2, 32, True),
    ]
    sizes = [f.point.size_mb for f in [as_is, *forms]]
    assert sizes[0] < sizes[1] and sizes[3] < sizes[0] and sizes[3] < sizes[2] < sizes[1]
    assert sizes[5] < sizes[0] and sizes[5] < sizes[4] < sizes[1]
    right = workbench.task.correct(workbench.task.probs(workbench.held.logits), workbench.held.targets).mean()
    assert forms[0].point.accuracy.value == pytest.approx(right) and 0.5 < right < 1
    assert forms[0].point.agreement == 1.0


def test_what_the_model_knows_by_heart_is_not_held_against_a_form(workbench):
    """A form that is less sure than the model, yet says the same, loses nothing; one that says something else does."""
    weight, bias = workbench.whole.head
    pale = replace(workbench.whole, head=(0.01 * weight, 0.01 * bias))
    form = workbench._form("pale", pale, vocabulary="all", precision="float32")
    np.testing.assert_array_equal(form.logits, workbench.held.logits)
    stubborn = replace(workbench.whole, head=(weight, bias + np.array([1000, 0, 0], np.float32)))
    form = workbench._form("stubborn", stubborn, vocabulary="all", precision="float32")
    meant, target = workbench.exact.argmax(axis=1), workbench.held.targets.argmax(axis=1)
    assert form.logits.argmax(axis=1)[meant != 0].tolist() == [0] * (meant != 0).sum() and (meant != 0).any()
    np.testing.assert_array_equal(form.logits[meant == 0], workbench.held.logits[meant == 0])
    right = np.where(meant == 0, workbench.held.logits.argmax(axis=1) == target, target == 0)
    assert form.point.accuracy.value == pytest.approx(right.mean())


def test_a_student_that_is_no_smaller_is_refused_before_any_work(tmp_path, tiny_backbone, workbench):
    make_bundle(tmp_path / "bundle", tiny_backbone)
    as_is = workbench.as_is(tmp_path / "bundle", n_pieces=0, precision="int8")
    for asked in (2, 0, -1):
        with pytest.raises(TooManyLayers) as caught:
            next(workbench.forms(as_is, Students(n_layers=(1, asked))))
        assert caught.value.fields == {"asked": asked, "n_layers": 2, "most": 1}
    for width in (1.0, 0.99, 0.0, -0.5, float("nan")):
        with pytest.raises(WidthNotSmaller) as narrow:
            next(workbench.forms(as_is, Students(widths=(0.5, width))))
        assert narrow.value.fields == {"asked": pytest.approx(width, nan_ok=True), "n_heads": 4, "n_ffn": 64}

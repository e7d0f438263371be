import numpy as np
import pytest

from feilun.config import TaskSettings
from feilun.tasks import get_task

TASK = get_task(TaskSettings())


def test_the_scope_score_runs_from_undecided_to_certain():
    probs = np.array([[0.25] * 4, [0.97, 0.01, 0.01, 0.01], [1.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    scores = TASK.in_scope(probs)
    assert scores[[0, 2]] == pytest.approx([0.0, 1.0], abs=1e-6)
    assert 0 < scores[1] < 1


def test_a_little_of_every_class_looks_stranger_than_the_same_doubt_about_one():
    between_two = [0.7, 0.3] + [0.0] * 8
    of_everything = [0.7] + [0.3 / 9] * 9
    first, second = TASK.in_scope(np.array([between_two, of_everything]))
    assert first > second
    assert TASK.confidence(np.array([between_two]))[0] == TASK.confidence(np.array([of_everything]))[0]


def test_the_scope_score_does_not_depend_on_the_order_of_classes():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(7, 0.3), size=50)
    assert TASK.in_scope(probs[:, rng.permutation(7)]) == pytest.approx(TASK.in_scope(probs))


def test_a_message_of_several_labels_is_as_much_in_scope_as_it_is_sure():
    several = get_task(TaskSettings(multi_label=True))
    probs = np.array([[0.9, 0.2], [0.5, 0.5]], dtype=np.float32)
    assert several.in_scope(probs) == pytest.approx(several.confidence(probs))

import numpy as np
import pytest

from feilun.config import TaskSettings
from feilun.evaluate.calibration import expected_calibration_error, fit_temperature, reliability_bins
from feilun.tasks import get_task


def drawn_from(logits, rng):
    """Targets that the softmax of `logits` truly produces, so that temperature 1 is right for them."""
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    picked = (probs.cumsum(axis=1) > rng.random((len(logits), 1))).argmax(axis=1)
    return np.eye(logits.shape[1], dtype=np.float32)[picked]


@pytest.mark.parametrize("factor", [0.2, 1.0, 4.0])
def test_temperature_undoes_a_scale_that_is_wrong(factor):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 6)) * 2
    assert fit_temperature(get_task(TaskSettings()), logits * factor, drawn_from(logits, rng)) == pytest.approx(
        factor, rel=0.05
    )


def test_temperature_of_several_labels_per_message_is_found_too():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3000, 5)) * 2
    targets = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    task = get_task(TaskSettings(multi_label=True))
    assert fit_temperature(task, logits * 3, targets) == pytest.approx(3.0, rel=0.06)


def test_a_handful_of_rows_that_are_all_right_does_not_make_the_model_certain():
    task, logits = get_task(TaskSettings()), np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    temperature = fit_temperature(task, logits, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]])
    assert 0.1 < temperature < 1
    assert task.confidence(task.probs(logits, temperature=temperature)).max() < 0.99
    assert fit_temperature(task, logits[:0], logits[:0]) == 1.0


def test_calibration_error_against_a_hand_computed_value():
    confidence = np.array([0.95, 0.95, 0.95, 0.55, 0.55, 1.0])
    correct = np.array([True, True, False, True, False, True])
    # last bin [14/15, 1]: mean confidence 3.85/4, accuracy 3/4; bin [8/15, 9/15): 0.55 against 1/2
    by_hand = 4 / 6 * abs(3.85 / 4 - 3 / 4) + 2 / 6 * abs(0.55 - 0.5)
    assert expected_calibration_error(confidence, correct) == pytest.approx(by_hand)


def test_bins_hold_every_row_once_and_skip_what_is_empty():
    confidence = np.array([0.0, 0.05, 0.5, 1.0], dtype=np.float32)
    bins = reliability_bins(confidence, np.array([False, True, True, True]))
    assert [(b.n_examples, b.accuracy) for b in bins] == [(2, 0.5), (1, 1.0), (1, 1.0)]
    assert all(b.low <= b.confidence <= b.high for b in bins)

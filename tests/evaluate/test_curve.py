"""The learning curve: laws in the data are found, nothing is promised that is not, and the goal gets a word."""

import numpy as np
import pytest

from feilun.evaluate import CurveArrays, describe_curve, learning_curve
from feilun.evaluate.curve_fit import extrapolate
from feilun.records import Interval
from tests.evaluate.made import LABELS, classify

SIZES = np.array([80.0, 128.0, 176.0, 240.0, 320.0])


def refits(*, n=400, errors=None, mix=(1, 1, 1, 1), seed=0):
    """Refits whose share of wrong answers at each size is `errors` (k,) or (k, 4) by class; rows judged once."""
    rng = np.random.default_rng(seed)
    gold = rng.choice(4, n, p=np.array(mix) / sum(mix))
    luck = rng.random(n)  # a row that a small refit gets right, a larger one gets right too
    per_size = np.broadcast_to(np.asarray(errors).reshape(len(SIZES), -1), (len(SIZES), 4))
    logits = np.zeros((len(SIZES), n, 4), dtype=np.float32)
    for k, error in enumerate(per_size):
        given = np.where(luck < error[gold], (gold + 1) % 4, gold)
        logits[k, np.arange(n), given] = 5
    return CurveArrays(
        SIZES, logits, np.eye(4, dtype=np.uint8)[gold], np.arange(n), np.zeros(n, bool), np.bincount(gold, minlength=4)
    )


def power(n, *, floor=0.05, at_100=0.4, by=0.6):
    return floor + (at_100 - floor) * (np.asarray(n) / 100) ** -by


def curve(arrays, **changes):
    known = {"task": classify(), "labels": LABELS, "n_labels": 400, "metric": "accuracy", "goal": 0.0, "level": 0.9}
    return learning_curve(arrays, **(known | {"seed": 0} | changes))


@pytest.mark.parametrize("by", [0.2, 0.5, 1.0])
def test_a_power_law_is_continued(by):
    values = np.repeat(1 - power(SIZES, by=by)[None], 2, axis=0)
    at = np.array([400.0, 800.0, 1600.0])
    expected, _, _ = extrapolate(SIZES, values, at, seed=0)
    assert expected == pytest.approx(1 - power(at, by=by), abs=0.04)


def test_a_flat_curve_stays_flat_and_a_falling_one_is_not_continued_downwards():
    for values in (np.full(5, 0.7), np.linspace(0.8, 0.6, 5)):
        expected, _, _ = extrapolate(SIZES, np.stack([values, values]), np.array([400.0, 1600.0]), seed=0)
        assert expected == pytest.approx(values.mean(), abs=1e-6)


def test_no_forecast_leaves_the_unit_interval():
    values = np.clip(np.linspace(0.5, 0.999, 5) + np.random.default_rng(0).normal(scale=0.02, size=(50, 5)), 0, 1)
    expected, draws, luck = extrapolate(SIZES, values, np.array([400.0, 1600.0]), seed=0)
    assert ((expected >= 0) & (expected <= 1)).all() and ((draws >= 0) & (draws <= 1)).all()
    assert 0 < luck < 0.1


def test_forecasts_name_the_next_hundred_twice_and_four_times_with_intervals_that_hold_them():
    found = curve(refits(errors=power(SIZES)))
    assert [ahead.n_more for ahead in found.forecasts] == [100, 400, 1200]
    assert [point.n_labels for point in found.points] == [80, 128, 176, 240, 320]
    values = [found.now.value] + [ahead.value.value for ahead in found.forecasts]
    assert values == sorted(values)
    for ahead in found.forecasts:
        assert ahead.value.low <= 1 - power(400 + ahead.n_more) <= ahead.value.high
        assert ahead.gain.value == pytest.approx(ahead.value.value - found.now.value)
        assert ahead.gain.low <= ahead.gain.value <= ahead.gain.high
    assert found == curve(refits(errors=power(SIZES)))  # the same arrays, the same advice


@pytest.mark.parametrize(
    ("goal", "verdict"), [(0.5, "reached"), (0.86, "yes"), (0.995, "unlikely"), (0.0, "")], ids=str
)
def test_the_goal_gets_a_word_and_a_number_of_labels(goal, verdict):
    found = curve(refits(n=2000, errors=power(SIZES, by=0.8)), goal=goal)
    assert found.verdict == verdict
    assert found.goal == (goal or None)
    if verdict == "yes":
        needed = next(n for n in range(400, 1600) if 1 - power(n, by=0.8) >= goal) - 400
        assert found.n_needed == pytest.approx(needed, rel=0.5)
        assert found.n_needed_low <= found.n_needed
    if verdict == "unlikely":
        assert found.n_needed is None and found.chance < 0.5


def test_laid_through_the_model_the_curve_takes_away_the_same_share_of_errors():
    arrays = refits(errors=power(SIZES))
    alone = curve(arrays)
    now = Interval(value=0.9, low=0.88, high=0.92)
    through = curve(arrays, now=now)
    assert through.now == now
    for one, other in zip(alone.forecasts, through.forecasts, strict=True):
        share = (1 - one.value.value) / (1 - alone.now.value)
        assert 1 - other.value.value == pytest.approx((1 - 0.9) * share)


def test_classes_count_as_much_as_they_are_frequent_where_the_model_is_judged():
    errors = np.stack([np.full(5, 0.1), np.full(5, 0.1), np.full(5, 0.1), np.full(5, 0.6)], axis=1)
    arrays = refits(n=2000, errors=errors)
    assert curve(arrays).now.value == pytest.approx(0.775, abs=0.03)
    assert curve(arrays, mix=np.array([10, 10, 10, 970])).now.value < 0.5
    assert curve(arrays, mix=np.array([970, 10, 10, 10])).now.value > 0.85


def test_the_class_that_errs_most_for_its_rows_is_named_first():
    errors = np.stack([power(SIZES), power(SIZES), power(SIZES) / 2, np.full(5, 0.7)], axis=1)
    classes = curve(refits(n=400, errors=errors)).classes
    assert classes[0].label == "refund"
    assert classes[-1].label == "pin"
    assert all(one.gain >= 0 for one in classes)


def test_another_metric_of_the_task_is_forecast_and_an_unknown_one_is_the_headline():
    arrays = refits(errors=power(SIZES))
    assert curve(arrays, metric="macro_f1").metric == "macro_f1"
    assert curve(arrays, metric="made_up").metric == "accuracy"


def test_too_few_rows_say_nothing():
    assert curve(refits(n=10, errors=power(SIZES))) is None


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_person_reads_the_forecasts_the_verdict_and_the_classes(lang):
    text = describe_curve(curve(refits(errors=power(SIZES)), goal=0.99), lang)
    assert all(word in text for word in ("+100", "+400", "+1,200", "refund", "99.0"))
    assert ("Unlikely" if lang == "en" else "不太可能") in text
    assert "{" not in text


def test_with_several_labels_a_message_the_curve_is_drawn_and_the_class_that_is_missed_comes_first():
    rng = np.random.default_rng(0)
    gold = rng.random((400, 4)) < 0.4
    gold[:, 0] |= ~gold.any(axis=1)
    luck = rng.random((400, 4))
    errors = np.stack([power(SIZES) / 4, power(SIZES) / 4, power(SIZES) / 4, power(SIZES)], axis=1)
    logits = np.stack([np.where(gold & (luck >= error), 4.0, -4.0) for error in errors]).astype(np.float32)
    arrays = CurveArrays(SIZES, logits, gold.astype(np.uint8), np.arange(400), np.zeros(400, bool), gold.sum(axis=0))
    found = curve(arrays, task=classify(multi_label=True))
    assert found.forecasts[0].gain.value > 0
    assert found.classes[0].label == "refund"

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from feilun.config import TaskSettings
from feilun.evaluate.intervals import Resamples, auc_interval, bootstrap_interval, f1_interval, wilson
from feilun.tasks import get_task
from feilun.tasks.auc import auc_influence

counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("count", "n", "level"), [(7, 50, 0.95), (0, 10, 0.95), (10, 10, 0.95), (81, 263, 0.9)])
def test_wilson_agrees_with_scipy(count, n, level):
    reference = binomtest(count, n).proportion_ci(level, method="wilson")
    interval = wilson(count, n, level=level)
    assert (interval.low, interval.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert interval.level == level


@given(counts, st.floats(0.51, 0.999))
def test_a_share_lies_within_its_interval(count_and_n, level):
    count, n = count_and_n
    interval = wilson(count, n, level=level)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_nothing_seen_is_nothing_known():
    interval = wilson(0, 0)
    assert (interval.value, interval.low, interval.high) == (0, 0, 1)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_f1_is_the_harmonic_mean_and_lies_within_its_interval(hit, spurious, missed):
    interval = f1_interval(hit, hit + spurious, hit + missed)
    if hit:
        precision, recall = hit / (hit + spurious), hit / (hit + missed)
        assert interval.value == pytest.approx(2 * precision * recall / (precision + recall))
    else:
        assert interval.value == 0
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_resamples_draw_n_rows_each_and_are_the_same_every_time():
    resamples = Resamples(7, 40, seed=3)
    drawn = np.concatenate(list(resamples))
    assert drawn.shape == (40, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert (drawn == np.concatenate(list(resamples))).all()
    assert (drawn != np.concatenate(list(Resamples(7, 40, seed=4)))).any()


def test_resamples_of_many_rows_come_in_blocks_that_fit_the_memory():
    blocks = [block.shape for block in Resamples(1_500_000, 5, seed=0)]
    assert blocks == [(2, 1_500_000), (2, 1_500_000), (1, 1_500_000)]


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=2, max_size=30), st.integers(1, 1000))
def test_any_figure_lies_within_its_bootstrap_interval(value, resampled, n):
    interval = bootstrap_interval(value, np.array(resampled), n=n)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_a_perfect_score_on_few_rows_still_has_doubt():
    interval = bootstrap_interval(1.0, np.ones(500), n=20)
    assert (interval.low, interval.high) == (wilson(20, 20).low, 1.0)


def test_the_macro_f1_interval_covers_the_truth_as_often_as_it_says():
    """Ten classes of five rows each: where plain percentiles are at their worst."""
    rng, task, hits, reps = np.random.default_rng(0), get_task(TaskSettings()), 0, 300
    n_classes, gold = 10, np.repeat(np.arange(10), 5)
    confusion = 0.8 * np.eye(n_classes) + 0.2 * rng.dirichlet(np.full(n_classes, 0.3), n_classes)
    truth = np.mean(2 * np.diag(confusion) / (1 + confusion.sum(axis=0)))
    targets = np.eye(n_classes, dtype=np.float32)[gold]
    for rep in range(reps):
        answers = np.array([rng.choice(n_classes, p=confusion[g]) for g in gold])
        probs = np.eye(n_classes, dtype=np.float32)[answers]
        weights = Resamples(len(gold), 300, seed=rep)
        resampled = task.resampled_metrics(probs, targets, weights=weights)["macro_f1"]
        interval = bootstrap_interval(task.metrics(probs, targets)["macro_f1"], resampled, n=len(gold))
        hits += interval.low <= truth <= interval.high
    assert 0.91 <= hits / reps <= 0.99


def test_auc_agrees_with_sklearn_and_its_variance_with_delong_by_brute_force():
    rng = np.random.default_rng(1)
    positive = rng.random(120) < 0.3
    scores = np.round(rng.normal(size=120) + 1.2 * positive, 1)  # rounded, so that there are ties
    auc, influence = auc_influence(scores[:, None], positive[:, None])
    assert auc[0] == pytest.approx(roc_auc_score(positive, scores))
    kernel = np.sign(scores[positive][:, None] - scores[~positive][None, :]) / 2 + 0.5
    v10, v01 = kernel.mean(axis=1), kernel.mean(axis=0)
    delong = v10.var() / len(v10) + v01.var() / len(v01)
    assert (influence[:, 0] ** 2).mean() / len(scores) == pytest.approx(delong)
    interval = auc_interval(float(auc[0]), influence[:, 0], n_rarer=int(positive.sum()))
    assert 0 < interval.low < interval.value < interval.high < 1
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * delong**0.5, rel=0.05)


def test_a_perfect_separation_is_no_more_certain_than_its_smaller_group():
    interval = auc_interval(1.0, np.zeros(1000), n_rarer=8)
    assert (interval.low, interval.high) == (wilson(8, 8).low, 1.0)

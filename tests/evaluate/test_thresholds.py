import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, roc_auc_score

from feilun.evaluate.scope import judge_scope, scope_threshold
from feilun.evaluate.thresholds import answer_threshold, label_threshold, memory_threshold, nearest_other

confidences = st.integers(1, 300).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, n, elements=st.floats(0, 1, width=16)), arrays(bool, n), st.floats(0.01, 0.5)
    )
)


def calibrated(n, rng, a=5.0, b=1.0):
    confidence = rng.beta(a, b, n)
    return confidence, rng.random(n) < confidence


@given(confidences, st.randoms(use_true_random=False))
def test_answers_on_the_rows_it_was_chosen_on_keep_the_limit_whatever_their_order(rows, random):
    confidence, correct, limit = rows
    choice = answer_threshold(confidence, correct, max_error_rate=limit)
    answered = confidence >= choice.threshold
    if choice.evidence == "none":
        assert choice.threshold == 1.0
    else:
        assert answered.sum() == choice.n_answered > 0
        assert (answered & ~correct).sum() == choice.n_wrong <= limit * choice.n_answered
    order = list(range(len(confidence)))
    random.shuffle(order)
    assert answer_threshold(confidence[order], correct[order], max_error_rate=limit) == choice


def test_a_promise_is_broken_less_often_than_it_says():
    """400 promises of 5 % at level 0.9, each checked against the true error rate of a large population."""
    rng = np.random.default_rng(0)
    population = np.sort(rng.beta(5, 1, 100_000))
    tail_error = 1 - population[::-1].cumsum()[::-1] / np.arange(len(population), 0, -1)
    n_promised = n_broken = 0
    for _ in range(400):
        choice = answer_threshold(*calibrated(1500, rng), max_error_rate=0.05, level=0.9)
        if choice.evidence == "promised":
            n_promised += 1
            n_broken += tail_error[np.searchsorted(population, choice.threshold)] > 0.05
    assert n_promised > 100
    assert n_broken / n_promised <= 0.1


def test_many_rows_carry_a_promise_and_a_hundred_an_honest_effort():
    rng = np.random.default_rng(1)
    many = answer_threshold(*calibrated(5000, rng), max_error_rate=0.1)
    assert many.evidence == "promised"
    assert many.n_answered > 2000
    few = answer_threshold(*calibrated(100, rng), max_error_rate=0.1)
    assert few.evidence == "best_effort"
    assert few.n_answered > 30


def test_a_model_that_is_right_about_everything_answers_everything():
    choice = answer_threshold(np.linspace(0.3, 0.9, 200), np.ones(200, dtype=bool), max_error_rate=0.05)
    assert (choice.threshold, choice.evidence, choice.n_answered) == (0.0, "promised", 200)


@pytest.mark.parametrize("n", [0, 1, 500])
def test_a_model_that_cannot_keep_the_limit_hands_everything_over(n):
    rng = np.random.default_rng(2)
    choice = answer_threshold(rng.random(n) * 0.9, rng.random(n) < 0, max_error_rate=0.05)
    assert (choice.threshold, choice.evidence) == (1.0, "none")


def test_one_confident_mistake_does_not_cost_the_promise():
    confidence = np.linspace(1, 0.5, 2000)
    correct = np.ones(2000, dtype=bool)
    correct[0] = False
    choice = answer_threshold(confidence, correct, max_error_rate=0.05)
    assert (choice.evidence, choice.n_answered) == ("promised", 2000)


def test_the_label_threshold_is_the_best_of_all_by_micro_f1():
    rng = np.random.default_rng(3)
    targets = (rng.random((300, 6)) < 0.2).astype(np.float32)
    probs = np.clip(0.3 * targets + rng.normal(0.25, 0.15, targets.shape), 0.01, 0.99).astype(np.float32)
    found = label_threshold(probs, targets)
    score = f1_score(targets, probs >= found, average="micro")
    assert score == pytest.approx(
        max(f1_score(targets, probs >= t, average="micro", zero_division=0) for t in np.unique(probs)[::7]), abs=5e-3
    )
    assert score >= f1_score(targets, probs >= 0.5, average="micro")
    assert label_threshold(probs, np.zeros_like(targets)) == 0.5


def unit(points):
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_neighbours_are_found_block_by_block_as_all_at_once():
    rng = np.random.default_rng(4)
    embeddings = unit(rng.normal(size=(1200, 16)))  # more rows than one block
    among = np.sort(rng.choice(1200, 200, replace=False))
    similarity, neighbour = nearest_other(embeddings, among)
    everything = embeddings @ embeddings[among].T
    everything[among, np.arange(200)] = -1
    assert (neighbour == among[everything.argmax(axis=1)]).all()
    assert similarity == pytest.approx(everything.max(axis=1), abs=1e-6)


def crowd(n_groups, spread, rng, *, agree):
    """Groups of five alike messages, two of them answered wrongly; whether a group shares its label is `agree`."""
    embeddings = unit(
        np.repeat(rng.normal(size=(n_groups, 64)), 5, axis=0) + spread * rng.normal(size=(5 * n_groups, 64))
    )
    labels = np.repeat(rng.integers(0, 6, n_groups), 5)
    if not agree:
        labels = rng.integers(0, 6, len(labels))
    answers = labels.copy()
    wrong = np.arange(len(labels)) % 5 < 2
    answers[wrong] = (answers[wrong] + 1) % 6
    return embeddings, np.eye(6, dtype=bool)[labels], np.eye(6, dtype=bool)[answers]


def test_the_memory_threshold_lies_where_corrections_stop_to_mend():
    rng = np.random.default_rng(5)
    alike, vague = crowd(40, 0.3, rng, agree=True), crowd(40, 0.6, rng, agree=False)
    embeddings, gold, given = (np.concatenate(pair) for pair in zip(alike, vague, strict=True))
    found = memory_threshold(embeddings, gold, given, seed=0)
    wrong = np.flatnonzero((gold != given).any(axis=1))
    similarity, neighbour = nearest_other(embeddings, wrong)
    bites, right = similarity >= found, (gold == given).all(axis=1)
    same = (gold[neighbour] == gold).all(axis=1)
    assert 0.8 < found < 0.95
    assert (bites & same & ~right).sum() > 60
    assert (bites & ~same & right).sum() == 0


def test_a_memory_that_would_break_answers_only_decides_for_near_identical_messages():
    rng = np.random.default_rng(6)
    assert memory_threshold(*crowd(60, 0.1, rng, agree=False), seed=0) == 0.99
    embeddings, gold, _ = crowd(60, 0.1, rng, agree=True)
    assert memory_threshold(embeddings, gold, gold, seed=0) == 0.99  # nothing was wrong: nothing to learn from
    assert memory_threshold(*(part[:2] for part in crowd(1, 0.1, rng, agree=True)), seed=0) == 0.99  # too few


def test_a_large_holdout_is_sampled_the_same_way_every_time():
    rng = np.random.default_rng(7)
    embeddings, gold, given = crowd(1100, 0.25, rng, agree=True)
    assert memory_threshold(embeddings, gold, given, seed=1) == memory_threshold(embeddings, gold, given, seed=1) < 0.95


def test_the_scope_threshold_separates_what_is_separable():
    confidence = np.array([0.9, 0.8, 0.7, 0.95, 0.85, 0.1, 0.2, 0.3, 0.15, 0.25])
    outside = np.array([False] * 5 + [True] * 5)
    threshold = scope_threshold(confidence, ~outside, outside, max_refused=1.0)
    assert threshold == pytest.approx(0.5)
    found = judge_scope(confidence, ~outside, outside, threshold=threshold, level=0.95)
    assert (found.auroc.value, found.fpr95, found.recall, found.in_scope_accuracy) == (1.0, 0.0, 1.0, 1.0)
    assert (
        scope_threshold(confidence[1:-1], ~outside[1:-1], outside[1:-1], max_refused=1.0) is None
    )  # four rows teach nothing


def test_scope_figures_agree_with_sklearn_and_with_counting():
    rng = np.random.default_rng(7)
    outside = rng.random(600) < 0.25
    confidence = np.clip(rng.normal(0.7, 0.15, 600) - 0.2 * outside, 0, 1)
    correct = (rng.random(600) < 0.85) & ~outside
    threshold = scope_threshold(confidence, correct, outside, max_refused=1.0)
    found = judge_scope(confidence, correct, outside, threshold=threshold, level=0.95)
    assert found.auroc.value == pytest.approx(roc_auc_score(outside, -confidence))
    assert found.auroc.low < found.auroc.value < found.auroc.high
    cut = np.sort(confidence[~outside])[int(0.05 * (~outside).sum())]
    assert (confidence[~outside] >= cut).mean() >= 0.95
    assert found.fpr95 == pytest.approx((confidence[outside] >= cut).mean())

    def product(t):
        return (correct & (confidence >= t))[~outside].mean() * (confidence[outside] < t).mean()

    assert product(threshold) == pytest.approx(max(product(t) for t in confidence))
    assert found.recall * found.in_scope_accuracy == pytest.approx(product(threshold))


@pytest.mark.parametrize("max_refused", [0.0, 0.02, 0.1])
def test_no_more_right_answers_are_refused_than_allowed(max_refused):
    rng = np.random.default_rng(8)
    outside = rng.random(800) < 0.2
    scores = np.clip(rng.normal(0.7, 0.15, 800) - 0.25 * outside, 0, 1)
    correct = (rng.random(800) < 0.9) & ~outside
    threshold = scope_threshold(scores, correct, outside, max_refused=max_refused)
    assert (scores[correct] < threshold).mean() <= max_refused
    free = scope_threshold(scores, correct, outside, max_refused=1.0)
    assert threshold < free
    assert (scores[outside] < threshold).sum() > 0

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from feilun.evaluate.classes import confused_pairs, per_class_metrics
from feilun.records import ConfusedPair


def test_each_class_agrees_with_sklearn():
    rng = np.random.default_rng(0)
    gold, answers = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    answers = np.where(rng.random(200) < 0.6, gold, answers)
    one_hot = np.eye(6, dtype=bool)  # the sixth class never occurs
    found = per_class_metrics(one_hot[answers], one_hot[gold], list("abcdef"), level=0.95)
    reference = precision_recall_fscore_support(gold, answers, labels=range(6), zero_division=0)
    assert [c.precision.value for c in found] == pytest.approx(reference[0])
    assert [c.recall.value for c in found] == pytest.approx(reference[1])
    assert [c.f1.value for c in found] == pytest.approx(reference[2])
    assert [c.n_examples for c in found] == reference[3].tolist()
    assert (found[5].recall.low, found[5].recall.high) == (0, 1)


def test_confused_pairs_are_counted_with_examples():
    one_hot, labels = np.eye(3, dtype=bool), ["card", "cash", "pin"]
    gold, answers = [0, 0, 0, 1, 2, 2, 1], [1, 1, 0, 0, 2, 1, 1]
    ids = [f"e{i}" for i in range(7)]
    assert confused_pairs(one_hot[answers], one_hot[gold], labels, ids) == (
        ConfusedPair(gold="card", predicted="cash", count=2, example_ids=("e0", "e1")),
        ConfusedPair(gold="cash", predicted="card", count=1, example_ids=("e3",)),
        ConfusedPair(gold="pin", predicted="cash", count=1, example_ids=("e5",)),
    )


def test_a_label_missed_or_added_without_a_counterpart_is_named_so():
    gold = np.array([[1, 1], [1, 0], [0, 0]], dtype=bool)
    given = np.array([[1, 0], [0, 1], [1, 0]], dtype=bool)
    pairs = {(p.gold, p.predicted): p.count for p in confused_pairs(given, gold, ["late", "rude"], ["x", "y", "z"])}
    assert pairs == {("rude", ""): 1, ("late", "rude"): 1, ("", "late"): 1}


def test_at_most_twenty_pairs_and_five_examples_are_listed():
    one_hot = np.eye(30, dtype=bool)
    gold = np.concatenate([np.zeros(12, dtype=int), np.arange(29)])
    answers = np.concatenate([np.ones(12, dtype=int), np.arange(1, 30)])
    pairs = confused_pairs(one_hot[answers], one_hot[gold], [str(i) for i in range(30)], [f"e{i}" for i in range(41)])
    assert len(pairs) == 20
    assert (pairs[0].count, len(pairs[0].example_ids)) == (13, 5)

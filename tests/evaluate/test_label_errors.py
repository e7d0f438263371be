"""Labels that look wrong are named, those that a person has settled never, and tiny classes are not flooded."""

import sys

import numpy as np
import pytest

from feilun.evaluate import find_label_doubts
from feilun.records import Example, LabelDoubts

LABELS = ("card", "cash", "pin", "refund")
N, WRONG = 200, (3, 50, 120)


def examples(targets):
    return [
        Example(f"e{i}", {"text": f"t{i}"}, tuple(LABELS[c] for c in np.flatnonzero(target)), "made.csv", row=i + 2)
        for i, target in enumerate(targets)
    ]


def messages(*, n=N, wrong=WRONG, seed=0):
    """Probabilities (n, 4) of a good model, and targets of which the rows `wrong` say the class after the right one."""
    rng = np.random.default_rng(seed)
    true = np.arange(n) % 4
    logits = rng.normal(size=(n, 4))
    logits[np.arange(n), true] += 4
    logits[list(wrong), true[list(wrong)]] += 4
    said = true.copy()
    said[list(wrong)] = (said[list(wrong)] + 1) % 4
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probs, np.eye(4)[said], true


def doubts(probs, targets, *, settled=(), multi_label=False):
    mask = np.isin(np.arange(len(targets)), list(settled))
    return find_label_doubts(examples(targets), probs, targets, labels=LABELS, settled=mask, multi_label=multi_label)


def test_planted_mistakes_come_first_with_the_right_label_and_their_place():
    probs, targets, true = messages()
    found = doubts(probs, targets)
    first = sorted(found.doubts[: len(WRONG)], key=lambda doubt: doubt.row or 0)
    assert [doubt.row for doubt in first] == [i + 2 for i in WRONG]
    assert [doubt.suggested for doubt in first] == [(LABELS[true[i]],) for i in WRONG]
    assert [doubt.score for doubt in first] == [round(float(probs[i] @ targets[i]), 4) for i in WRONG]
    assert (found.n_judged, found.note_en) == (N, "")
    assert found.n_doubtful == len(found.doubts) < 3 * len(WRONG)
    assert [doubt.score for doubt in found.doubts] == sorted(doubt.score for doubt in found.doubts)


def test_good_labels_are_left_alone():
    assert doubts(*messages(wrong=())[:2]).n_doubtful <= 0.02 * N


def test_what_a_person_has_settled_is_never_doubted_again():
    probs, targets, _ = messages()
    ids = [doubt.example_id for doubt in doubts(probs, targets, settled=WRONG[:2]).doubts]
    assert "e120" in ids
    assert not {"e3", "e50"} & set(ids)


def test_messages_of_no_class_are_not_judged():
    probs, targets, _ = messages()
    targets[:20] = 0
    found = doubts(probs, targets)
    assert found.n_judged == N - 20
    assert all((doubt.row or 0) >= 22 for doubt in found.doubts)


def test_tiny_classes_are_left_alone_and_no_class_is_doubted_by_more_than_half():
    probs, targets, _ = messages(wrong=())
    targets[:] = np.eye(4)[0]
    targets[:3] = np.eye(4)[1]  # three rows: too few to be judged by
    targets[3:13] = np.eye(4)[2]
    probs[:13] = np.eye(4)[3] * 0.97 + 0.0075  # the model says something else for every one of them
    targets[100:] = np.eye(4)[3]
    probs[100:] = np.eye(4)[3] * 0.97 + 0.0075
    probs[13:100] = np.eye(4)[0] * 0.97 + 0.0075
    given = [doubt.given for doubt in doubts(probs, targets).doubts]
    assert ("cash",) not in given
    assert 1 <= given.count(("pin",)) <= 5


def test_with_several_labels_a_missing_and_a_superfluous_one_are_found():
    rng = np.random.default_rng(1)
    true = rng.random((300, 4)) < 0.4
    logits = np.where(true, 3.0, -3.0) + rng.normal(size=true.shape)
    probs = 1 / (1 + np.exp(-logits))
    probs[5, 1], probs[200, 2] = 0.999, 0.001  # two cells of which the model is sure
    true[5, 1], true[200, 2] = True, False
    said, missing, extra = true.copy(), (5, 1), (200, 2)
    said[tuple(missing)], said[tuple(extra)] = False, True
    found = {doubt.row: doubt for doubt in doubts(probs, said.astype(float), multi_label=True).doubts}
    for row, column in (missing, extra):
        doubt = found[row + 2]
        assert (LABELS[column] in doubt.suggested) == bool(true[row, column])
        assert (LABELS[column] in doubt.given) == bool(said[row, column])


@pytest.mark.parametrize("multi_label", [False, True], ids=["one", "several"])
def test_without_out_of_fold_answers_it_says_so(multi_label):
    found = doubts(np.zeros((0, 4)), np.zeros((0, 4)), multi_label=multi_label)
    assert (found.n_judged, found.doubts) == (0, ())
    assert "out of fold" in found.note_en and "折外" in found.note_zh


def test_without_cleanlab_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    probs, targets, _ = messages()
    found = doubts(probs, targets)
    assert found == LabelDoubts(note_en=found.note_en, note_zh=found.note_zh)
    assert "pip install 'feilun[train]'" in found.note_en and "pip install 'feilun[train]'" in found.note_zh

"""Single holdout rows are found as they were judged, and a threshold's worth is counted, not estimated."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.config import TaskSettings
from feilun.evaluate import ExampleFilter, Judged, cheapest, hold_out, read_answers
from feilun.records import Example, Thresholds
from feilun.tasks import get_task
from tests.evaluate import made

LABELS = ("delivery", "refund")
# text, gold, logit of "refund" (that of "delivery" is 0)
ROWS = [
    ("where is my parcel", "delivery", -4.0),
    ("我的包裹到哪里了", "delivery", 1.0),  # wrong
    ("i want my money back", "refund", 4.0),
    ("退款", "refund", 0.5),
    ("parcel is late, refund me", "refund", -3.0),  # wrong, and sure of it
    ("what a lovely day", "nothing", 0.25),  # out of scope
]


@pytest.fixture
def judged() -> Judged:
    task = get_task(TaskSettings(out_of_scope_label="nothing"))
    rows = [
        Example(f"e{i}", {"text": text}, (gold,), f"{'a' if i < 3 else 'b'}.csv")
        for i, (text, gold, _) in enumerate(ROWS)
    ]
    logits = np.array([[0.0, logit] for *_, logit in ROWS], dtype=np.float32)
    thresholds = Thresholds(answer=0.7, max_error_rate=0.1, expected_answer_rate=0.5, expected_error_rate=0.1)
    held = hold_out(task, LABELS, rows)
    said = read_answers(task, held, logits, labels=LABELS, temperature=1.0, thresholds=thresholds)
    report = made.report_of(made.judged(), thresholds=thresholds)
    return Judged("m_1", task, LABELS, held, said, report, places=np.arange(len(rows)) + 2)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 2, 4, 1, 3, 5]),
        ({"correct": False}, [4, 1, 5]),
        ({"gold": "refund"}, [2, 4, 3]),
        ({"gold": "refund", "predicted": "delivery"}, [4]),
        ({"gold": "nothing"}, [5]),
        ({"gold": "no such label"}, []),
        ({"predicted": ""}, []),
        ({"decision": "hand_over"}, [3, 5]),
        ({"min_confidence": 0.7, "max_confidence": 0.97}, [4, 1]),
        ({"script": "han"}, [1, 3]),
        ({"script": "latin", "max_chars": 18}, [0, 5]),
        ({"source": "b.csv"}, [4, 3, 5]),
        ({"text": "PARCEL"}, [0, 4]),
        ({"text": "包裹"}, [1]),
    ],
    ids=str,
)
def test_rows_are_found_by_what_they_are_and_what_was_said_of_them(judged, wanted, found):
    assert judged.find(ExampleFilter(**wanted)).tolist() == found


def test_pages_follow_each_other_without_a_gap(judged):
    seen, after = [], 0
    while after is not None:
        page = judged.page(ExampleFilter(), order="least_sure", after=after, limit=4)
        seen += [(one.example_id, one.row) for one in page.examples]
        after = page.next_after
    assert seen == [(f"e{i}", i + 2) for i in (5, 3, 1, 4, 0, 2)]
    assert (page.n_found, page.n_wrong, page.n_examples, page.sources) == (6, 3, 6, ("a.csv", "b.csv"))


def test_the_confusion_matrix_counts_every_row_in_scope_once(judged):
    cells = {(cell.gold, cell.predicted): cell.count for cell in judged.confusion().cells}
    assert cells == {
        ("delivery", "delivery"): 1,
        ("delivery", "refund"): 1,
        ("refund", "refund"): 2,
        ("refund", "delivery"): 1,
    }


def test_a_threshold_is_worth_what_counting_by_hand_says(judged):
    curve = judged.threshold_curve()
    confidence, wrong = judged.said.confidence, ~judged.said.correct
    for point in curve.points[:-1]:
        answered = confidence >= np.float32(point.threshold)
        assert (point.n_answered, point.n_wrong) == (answered.sum(), (answered & wrong).sum())
    assert (curve.points[-1].n_answered, curve.points[-1].n_wrong) == (0, 0)
    assert curve.threshold in [point.threshold for point in curve.points]
    assert cheapest(curve, wrong=0, hand_over=1).n_answered == 6
    assert cheapest(curve, wrong=100, hand_over=1).n_wrong == 0
    # two right answers for two rows saved: handing over the four others costs 4, a wrong one more than it saves
    assert cheapest(curve, wrong=100, hand_over=1).n_answered == 2

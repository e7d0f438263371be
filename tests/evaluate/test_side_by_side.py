"""Two models side by side: every message counts once, on the side that counting by hand says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from feilun.config import TaskSettings
from feilun.evaluate import Judged, ModelComparison, hold_out, line_up, read_answers
from feilun.evaluate.errors import NothingInCommon, OtherTask
from feilun.evaluate.paired import mcnemar_exact
from feilun.records import Example, Report, Thresholds
from feilun.tasks import get_task
from tests.evaluate import made

SURE, UNSURE = 4.0, 1.0


@pytest.fixture(scope="module")
def report() -> Report:
    return made.report_of(made.judged())


def judged(
    report: Report,
    model_id: str,
    labels: tuple[str, ...],
    rows: dict[str, tuple[Any, dict[str, float]]],
    *,
    day: int,
    **task_settings: Any,
) -> Judged:
    """A model that was asked `rows`: by text, the gold label (or labels) and its logits that are not 0."""
    task = get_task(TaskSettings(out_of_scope_label="nothing", **task_settings))
    examples = [
        Example(f"e_{text}", {"text": text}, gold if isinstance(gold, tuple) else (gold,), f"{model_id}.csv")
        for text, (gold, _) in rows.items()
    ]
    logits = np.array([[said.get(label, 0.0) for label in labels] for _, said in rows.values()], dtype=np.float32)
    thresholds = Thresholds(answer=0.5, max_error_rate=0.1, expected_answer_rate=1.0, expected_error_rate=0.1)
    held = hold_out(task, labels, examples)
    said = read_answers(task, held, logits, labels=labels, temperature=1.0, thresholds=thresholds)
    own = report.model_copy(update={"thresholds": thresholds, "created_at": datetime(2026, 1, day, tzinfo=UTC)})
    return Judged(model_id, task, labels, held, said, own, places=np.arange(len(rows)) + 10 * day)


@pytest.fixture
def pair(report: Report) -> tuple[Judged, Judged]:
    """The new model knows "pin", was asked one message more and one less, and one label was put right in between."""
    old = {
        "a": ("card", {"card": SURE}),  # both right
        "b": ("card", {"cash": SURE}),  # fixed
        "c": ("cash", {"cash": SURE}),  # broken
        "d": ("cash", {"card": SURE}),  # both wrong, differently
        "e": ("cash", {"card": SURE}),  # both wrong alike
        "f": ("card", {"card": SURE}),  # the label was wrong: it is cash, so this was fixed
        "g": ("nothing", {"card": UNSURE}),  # out of scope
        "h": ("card", {"card": SURE}),  # no longer held out
        "i": ("pin", {"card": SURE}),  # the old one could only be wrong: fixed
    }
    new = {
        "i": ("pin", {"pin": UNSURE}),
        "a": ("card", {"card": SURE}),
        "b": ("card", {"card": SURE}),
        "c": ("cash", {"card": UNSURE}),
        "d": ("cash", {"pin": SURE}),
        "e": ("cash", {"card": UNSURE}),
        "f": ("cash", {"cash": SURE}),
        "g": ("nothing", {"card": UNSURE}),
        "k": ("pin", {"pin": SURE}),  # new in the holdout
    }
    return (
        judged(report, "m_old", ("card", "cash"), old, day=1),
        judged(report, "m_new", ("card", "cash", "pin"), new, day=2),
    )


def page(old: Judged, new: Judged, **wanted: Any) -> ModelComparison:
    both = line_up(old, new)
    wanted = {"kind": None, "gold": None, "after": 0, "limit": 50} | wanted
    return both.page(both.test(level=0.95), verdict="not_better", **wanted)


def test_every_common_message_counts_once_by_the_later_label(pair):
    found = page(*pair)
    assert [(one.kind, one.text, one.gold, one.old.label, one.new.label) for one in found.flips] == [
        ("fixed", "b", ("card",), "cash", "card"),
        ("changed", "d", ("cash",), "card", "pin"),
        ("fixed", "f", ("cash",), "card", "cash"),
        ("fixed", "i", ("pin",), "card", "pin"),
        ("broken", "c", ("cash",), "cash", "card"),
    ]
    test = found.test
    assert (test.n_rows, test.n_fixed, test.n_broken, found.n_changed, found.n_wrong_alike) == (7, 3, 1, 1, 1)
    assert (test.champion, test.challenger) == pytest.approx((2 / 7, 4 / 7))
    assert test.p_value == pytest.approx(mcnemar_exact(3, 1))
    assert (found.old.accuracy.value, found.new.accuracy.value) == pytest.approx((2 / 7, 4 / 7))
    assert (found.old.n_examples, found.new.n_examples) == (9, 9)
    assert {(one.source, one.row) for one in found.flips} == {("m_new.csv", 20 + n) for n in (0, 2, 3, 4, 6)}


def test_a_class_gains_what_its_messages_gain(pair):
    found = page(*pair)
    counted = {
        one.label: (one.n_examples, one.n_right_old, one.n_right_new, one.n_false_old, one.n_false_new)
        for one in found.classes
    }
    assert counted == {"card": (2, 1, 2, 4, 2), "cash": (4, 1, 1, 1, 0), "pin": (1, 0, 1, 0, 1)}
    assert found.classes[-1].label == "cash"
    gained = sum(one.n_right_new - one.n_right_old for one in found.classes)
    assert gained == found.test.n_fixed - found.test.n_broken


def test_swapped_what_was_fixed_is_broken(pair):
    one, other = page(*pair), page(*reversed(pair))
    swap = {"fixed": "broken", "broken": "fixed", "changed": "changed"}
    assert {(swap[row.kind], row.text, row.gold, row.row) for row in one.flips} == {
        (row.kind, row.text, row.gold, row.row) for row in other.flips
    }
    assert other.test.difference.value == pytest.approx(-one.test.difference.value)


def test_filters_and_pages_leave_nothing_out(pair):
    assert [row.text for row in page(*pair, kind="broken").flips] == ["c"]
    assert {row.text for row in page(*pair, gold="cash").flips} == {"c", "d", "f"}
    assert page(*pair, kind="changed", gold="card").n_found == page(*pair, gold="no such label").n_found == 0
    seen, after = [], 0
    while after is not None:
        part = page(*pair, after=after, limit=2)
        seen, after = seen + [row.text for row in part.flips], part.next_after
    assert seen == [row.text for row in page(*pair).flips] and len(seen) == part.n_found == 5


def test_with_several_labels_a_message_is_right_when_all_of_them_are(report):
    rows = {
        "a": (("card", "pin"), {"card": SURE, "pin": -SURE, "cash": -SURE}),
        "b": ((), {"card": SURE, "pin": -SURE, "cash": -SURE}),
    }
    better = {text: (gold, said | {"pin": SURE if gold else -SURE}) for text, (gold, said) in rows.items()}
    labels = ("card", "cash", "pin")
    old, new = (
        judged(report, f"m_{day}", labels, said, day=day, multi_label=True) for day, said in ((1, rows), (2, better))
    )
    found = page(old, new)
    assert [(row.kind, row.text, row.old.labels, row.new.labels) for row in found.flips] == [
        ("fixed", "a", ("card",), ("card", "pin"))
    ]
    assert found.n_wrong_alike == 1
    assert {one.label: (one.n_right_old, one.n_right_new, one.n_false_new) for one in found.classes} == {
        "pin": (0, 1, 0),
        "card": (1, 1, 1),
    }


def test_what_cannot_be_compared_is_refused(report, pair):
    old, _ = pair
    with pytest.raises(NothingInCommon) as refused:
        line_up(old, judged(report, "m_3", ("card", "cash"), {"z": ("card", {"card": SURE})}, day=3))
    assert refused.value.fields == {"old": "m_old", "new": "m_3"}
    outside = {"g": ("nothing", {"card": SURE}), "z": ("card", {"card": SURE})}
    with pytest.raises(NothingInCommon):  # a message out of scope is none to compare on
        line_up(old, judged(report, "m_4", ("card", "cash"), outside, day=3))
    with pytest.raises(OtherTask):
        line_up(old, judged(report, "m_5", ("card",), {"a": ("card", {"card": SURE})}, day=3, multi_label=True))

"""Feedback is understood as it was meant, and refused whole when it cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.config import TaskSettings
from feilun.feedback import (
    FeedbackEmpty,
    FeedbackHomeless,
    FeedbackInvalid,
    capture,
    corrections,
    prediction_row,
    review_queue,
)
from feilun.records import Answer, Example
from feilun.store import IdempotencyConflict, NotFound, Store
from feilun.tasks import example_id, get_task

LABELS = ("delivery", "refund")
TASK = get_task(TaskSettings())
MANY = get_task(TaskSettings(multi_label=True, out_of_scope_label="none"))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / ".feilun") as opened:
        yield opened


def serve(store: Store, prediction_id: str, text: str, *, confidence: float = 0.4) -> str:
    given = Answer(
        label="refund",
        labels=("refund",),
        confidence=confidence,
        decision="hand_over",
        reason="unsure",
        alternatives=(("refund", confidence), ("delivery", 0.2)),
    )
    row = prediction_row(
        project="support",
        inputs={"text": text},
        example_id=example_id(text),
        answer=given,
        model_id="m_1",
        latency_ms=1.5,
        prediction_id=prediction_id,
    )
    store.add_predictions([row]).result()
    return prediction_id


def say(store: Store, prediction_id: str | None = "p1", *, task=TASK, **said):
    return capture(store, project="support", task=task, labels=LABELS, prediction_id=prediction_id, actor="ann", **said)


def test_a_label_corrects_and_is_on_disk_at_once(store, tmp_path):
    serve(store, "p1", "where is it")
    row, replayed = say(store, label="delivery")
    assert (row["labels"], row["new_label"], row["hint"], replayed) == (["delivery"], False, None, False)
    with Store(tmp_path / ".feilun") as again:
        kept = again.get_feedback("support", row["feedback_id"])
    assert row == kept | {"new_label": False, "hint": None}


@pytest.mark.parametrize(
    ("said", "understood"),  # as labels, new_label, hint, edited_text
    [
        ({"label": " Refund "}, (["refund"], False, None, None)),
        ({"label": "refnd"}, (["refnd"], True, "refund", None)),
        ({"label": "开发票"}, (["开发票"], True, None, None)),
        ({"text": "DELIVERY"}, (["delivery"], False, None, None)),
        ({"text": "delivery"}, (["delivery"], False, None, None)),
        ({"text": "We sent it on Monday."}, (None, False, None, "We sent it on Monday.")),
        ({"text": "Sent.", "label": "delivery"}, (["delivery"], False, None, "Sent.")),
        ({"thumb": "up"}, (["refund"], False, None, None)),
        ({"thumb": "down"}, (None, False, None, None)),
        ({"thumb": "up", "label": "delivery"}, (["delivery"], False, None, None)),
        ({"comment": "🙂" * 100}, (None, False, None, None)),
        ({"label": ["refund"]}, (["refund"], False, None, None)),
    ],
    ids=str,
)
def test_feedback_is_understood_as_it_was_meant(store, said, understood):
    serve(store, "p1", "where is it")
    row, _ = say(store, **said)
    assert (row["labels"], row["new_label"], row["hint"], row["edited_text"]) == understood


@pytest.mark.parametrize(
    "said",
    [
        ({"label": "refund|delivery"}, ["delivery", "refund"], False),
        ({"label": ["Refund", "delivery|new"]}, ["delivery", "new", "refund"], True),
        ({"label": "none"}, ["none"], False),
    ],
    ids=["cell", "list", "out-of-scope"],
)
def test_several_labels_are_taken_where_messages_may_carry_several(store, said):
    body, labels, new_label = said
    serve(store, "p1", "where is it")
    row, _ = say(store, task=MANY, **body)
    assert (row["labels"], row["new_label"]) == (labels, new_label)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({}, FeedbackEmpty),
        ({"prediction_id": None, "label": "refund"}, FeedbackHomeless),
        ({"prediction_id": None, "thumb": "up", "inputs": {"text": "x"}}, FeedbackHomeless),
        ({"prediction_id": None, "label": "refund", "inputs": {"body": "x"}}, FeedbackInvalid),
        ({"prediction_id": None, "label": "refund", "inputs": {"text": " "}}, FeedbackInvalid),
        ({"prediction_id": "p404", "label": "refund"}, NotFound),
        ({"thumb": "sideways"}, FeedbackInvalid),
        ({"label": "  "}, FeedbackInvalid),
        ({"label": []}, FeedbackInvalid),
        ({"label": ["refund", "delivery"]}, FeedbackInvalid),
        ({"label": "x" * 201}, FeedbackInvalid),
        ({"label": "re\nfund"}, FeedbackInvalid),
        ({"label": "\ud800"}, FeedbackInvalid),
        ({"comment": "a\0b"}, FeedbackInvalid),
        ({"comment": "\udfff"}, FeedbackInvalid),
        ({"comment": " "}, FeedbackInvalid),
        ({"text": "x" * 20_001}, FeedbackInvalid),
        ({"comment": "ok", "idempotency_key": ""}, FeedbackInvalid),
        ({"comment": "ok", "idempotency_key": "k" * 256}, FeedbackInvalid),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_feedback_that_cannot_be_used_is_refused_and_nothing_is_written(store, said, error):
    serve(store, "p1", "where is it")
    with pytest.raises(error):
        say(store, **said)
    assert store.list_feedback("support") == []


def test_the_same_key_and_body_count_once_and_another_body_is_refused(store):
    serve(store, "p1", "where is it")
    first, _ = say(store, label="delivery", idempotency_key="k")
    assert say(store, label="delivery", idempotency_key="k") == (first, True)
    with pytest.raises(IdempotencyConflict):
        say(store, label="refund", idempotency_key="k")


def test_corrections_are_examples_and_the_latest_word_on_a_message_wins(store):
    serve(store, "p1", "where is it")
    serve(store, "p2", "money back")
    serve(store, "p3", " Where IS it")
    say(store, "p1", label="refund")
    say(store, "p2", comment="no idea")
    say(store, "p2", label="refund")
    say(store, "p3", label="delivery")
    capture(store, project="support", task=TASK, labels=LABELS, inputs={"text": "new"}, label="refund", actor="ann")
    assert corrections(store, "support", task=TASK) == [
        Example(example_id("money back"), {"text": "money back"}, ("refund",), "feedback", row=3),
        Example(example_id("where is it"), {"text": " Where IS it"}, ("delivery",), "feedback", row=4),
        Example(example_id("new"), {"text": "new"}, ("refund",), "feedback", row=5),
    ]
    assert [e.row for e in corrections(store, "support", task=TASK, after=1, up_to=3)] == [3]
    assert corrections(store, "other", task=TASK) == []


def test_the_queue_asks_what_teaches_most_and_asks_it_once(store):
    serve(store, "p1", "where is my parcel please", confidence=0.7)
    serve(store, "p2", "Where is my parcel, please", confidence=0.3)
    serve(store, "p3", "我要退款", confidence=0.5)
    queue = review_queue(store, "support", task=TASK)
    assert [(row["prediction_id"], row["similar"]) for row in queue] == [("p2", ["p1"]), ("p3", [])]
    assert len(review_queue(store, "support", task=TASK, limit=1)) == 1
    say(store, "p2", label="delivery")
    assert [row["prediction_id"] for row in review_queue(store, "support", task=TASK)] == ["p3", "p1"]


def test_what_means_the_same_comes_later_and_what_was_disliked_stays_in_front(store):
    for prediction_id, text, confidence in [
        ("p1", "where is my parcel", 0.3),
        ("p2", "my delivery has not come", 0.35),
        ("p3", "我要退款", 0.6),
        ("p4", "how old must i be", 0.9),
    ]:
        serve(store, prediction_id, text, confidence=confidence)
    say(store, "p4", thumb="down")
    vectors = {"w": [1, 0, 0], "m": [0.99, 0.14, 0], "我": [0, 1, 0], "h": [0, 0, 1]}

    def embed(texts):
        rows = np.array([vectors[text[0]] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    plain = review_queue(store, "support", task=TASK)
    spread_out = review_queue(store, "support", task=TASK, embed=embed)
    assert [row["prediction_id"] for row in plain] == ["p4", "p1", "p2", "p3"]
    assert [row["prediction_id"] for row in spread_out] == ["p4", "p1", "p3", "p2"]
    assert [[why.code for why in row["why"]] for row in spread_out[:2]] == [["disliked"], ["handed_over"]]


def test_a_label_on_the_message_itself_settles_the_answers_that_wait(store):
    serve(store, "p1", "where is it")
    serve(store, "p2", "money back")
    say(store, None, inputs={"text": " Where IS it "}, label="delivery")
    say(store, None, inputs={"text": "money back"}, comment="unclear")
    assert [row["prediction_id"] for row in review_queue(store, "support", task=TASK)] == ["p2"]
    assert store.list_settled("support") == {example_id("where is it"), example_id("money back")}

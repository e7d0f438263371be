"""What users asked becomes unlabelled examples: each message once, nothing that came after the turn began."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from feilun.config import TaskSettings
from feilun.feedback import TRAFFIC, asked, prediction_row
from feilun.records import Answer
from feilun.store import Store, utc_now
from feilun.tasks import example_id, get_task

TASK = get_task(TaskSettings())


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / ".feilun") as store:
        store.add_project("p", folder=tmp_path)
        yield store


def _ask(store: Store, *texts: str) -> None:
    answer = Answer(label="a", labels=("a",), confidence=0.9, decision="answer")
    rows = [
        prediction_row(
            project="p",
            inputs={"text": text},
            example_id=example_id(text),
            answer=answer,
            model_id="m",
            latency_ms=1.0,
            prediction_id=f"p_{text}_{number}_{utc_now().timestamp()}",
        )
        for number, text in enumerate(texts)
    ]
    store.add_predictions(rows).result()


def test_each_message_is_there_once_and_without_a_label(store):
    _ask(store, "退款", "where is it", "退款")
    found = asked(store, "p", task=TASK, until=utc_now(), limit=10)
    assert sorted(example.inputs["text"] for example in found) == ["where is it", "退款"]
    assert {(example.target, example.source) for example in found} == {(None, TRAFFIC)}
    assert {example.example_id for example in found} == {example_id("退款"), example_id("where is it")}


def test_what_came_later_or_beyond_the_limit_is_left_out(store):
    _ask(store, "one", "two", "three")
    assert asked(store, "p", task=TASK, until=utc_now() - timedelta(hours=1), limit=10) == []
    assert [example.inputs["text"] for example in asked(store, "p", task=TASK, until=utc_now(), limit=1)] == ["three"]
    assert asked(store, "p", task=TASK, until=utc_now(), limit=0) == []

"""The worker asks for a turn when it is due, once, and not again for a turn that just failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from feilun.config import FeilunSettings
from feilun.store import Store
from feilun.wheel.worker import ask_if_due


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / ".feilun") as opened:
        opened.add_tenant("acme", name="Acme", actor="test")
        opened.add_project("support", folder=tmp_path, tenant="acme")
        yield opened


def settings(every_labels: int) -> FeilunSettings:
    return FeilunSettings.model_validate({"project": {"name": "support"}, "improve": {"every_labels": every_labels}})


def turned(store: Store, status: str) -> None:
    turn = store.add_turn("support", settings={}, seed=0, budget_s=1, requested_by="test")
    store.finish_turn(turn["project"], turn["turn_id"], status=status)


def corrected(store: Store, n: int) -> None:
    for i in range(n):
        said = {"inputs": {"text": f"message {i}"}, "example_id": f"e{i}", "labels": ["refund"], "body_hash": str(i)}
        store.add_feedback("support", prediction_id=None, actor="ann", **said)


def test_the_first_turn_is_a_persons_decision(store):
    corrected(store, 10)
    assert not ask_if_due(store, project="support", settings=settings(5))
    assert store.find_turn_request("support") is None


def test_enough_new_labels_ask_once(store):
    turned(store, "done")
    corrected(store, 4)
    assert not ask_if_due(store, project="support", settings=settings(5))
    corrected(store, 1)
    assert ask_if_due(store, project="support", settings=settings(5))
    assert not ask_if_due(store, project="support", settings=settings(5))
    assert store.find_turn_request("support")["trigger"] == "labels"


def test_a_failed_turn_is_not_tried_again_until_something_new_came(store):
    turned(store, "done")
    corrected(store, 5)
    assert ask_if_due(store, project="support", settings=settings(5))
    turned(store, "failed")
    assert not ask_if_due(store, project="support", settings=settings(5))
    corrected(store, 5)
    assert ask_if_due(store, project="support", settings=settings(5))


def test_the_wheel_of_a_tenant_who_is_shut_out_stands_still(store):
    turned(store, "done")
    corrected(store, 5)
    store.update_tenant("acme", actor="test", is_disabled=True)
    assert not ask_if_due(store, project="support", settings=settings(5))
    store.update_tenant("acme", actor="test", is_disabled=False)
    assert ask_if_due(store, project="support", settings=settings(5))

"""The outbox: of many servers one tells, one sends, and nothing that was laid out is lost or piles up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from feilun.store import EVERYWHERE, Store, utc_now
from feilun.store import alerts as outbox
from feilun.store import tables as t

FIRED = {"type": "alert.fired", "timestamp": "t", "data": {"en": "e", "zh": "z"}}
TO = [("ops", "json"), ("chat", "wecom")]


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> tuple[Path, str]:
    return tmp_path / ".feilun", database_url


@pytest.fixture
def store(place: tuple[Path, str]) -> Iterator[Store]:
    with Store(place[0], url=place[1]) as opened:
        opened.add_project("support", folder=Path("/nowhere"))
        yield opened


def fire(store: Store, *, known: Any = None, **how: Any) -> bool:
    given: dict[str, Any] = {"becomes": ("firing", ""), "payload": FIRED, "to": TO}
    return store.change_alert("support", "drift", known=known, **given | how)


def later(store: Store, **columns: Any) -> None:
    """As if that much time had passed for every alert."""
    store.writer.write(lambda c: c.execute(t.alert_deliveries.update().values(columns)), audit=outbox.ON_ITS_WAY)


def test_of_two_servers_that_see_the_same_one_tells(store, place):
    with Store(place[0], url=place[1]) as other:
        assert [fire(store), fire(other)] == [True, False]
        assert not fire(other, known=("ok", ""))
        assert fire(other, known=("firing", ""), becomes=("ok", ""), payload=FIRED | {"type": "alert.resolved"})
        states = store.list_alert_states("support")
        assert (states["drift"]["state"], states["drift"]["since"] is not None) == ("ok", True)
        rows = store.list_alert_deliveries("support")
        assert [(row["event"], row["target"]) for row in rows] == [
            ("resolved", "chat"),
            ("resolved", "ops"),
            ("fired", "chat"),
            ("fired", "ops"),
        ]
        assert len({row["delivery_id"] for row in rows}) == 4
    told = [row["action"] for row in store.list_audit(EVERYWHERE) if row["action"].startswith("alert.")]
    assert told == ["alert.fired", "alert.resolved"]


def test_what_is_no_news_is_kept_and_told_to_nobody(store):
    assert fire(store, becomes=("ok", "turn_1"), payload=None)
    assert store.list_alert_states("support")["drift"]["since"] is None
    assert store.list_alert_deliveries("support") == []
    store.forget_alerts("support", besides=["drift"])
    assert set(store.list_alert_states("support")) == {"drift"}
    store.forget_alerts("support", besides=[])
    assert store.list_alert_states("support") == {}


def test_one_server_has_an_alert_in_hand_and_another_one_takes_it_up_when_that_one_died(store, place):
    fire(store)
    with Store(place[0], url=place[1]) as other:
        first, second = store.take_alert("support"), other.take_alert("support")
        assert {first["target"], second["target"]} == {"ops", "chat"} and other.take_alert("support") is None
        later(store, leased_until=utc_now() - timedelta(seconds=1))
        again = other.take_alert("support")
        assert (again["delivery_id"], again["n_tries"]) == (first["delivery_id"], 2)


def test_one_target_s_alerts_are_taken_without_the_others_and_whoever_waits_longest_comes_first(store):
    fire(store)
    fire(store, known=("firing", ""), becomes=("ok", ""), to=[("chat", "wecom")])
    assert store.list_due_alert_targets("support") == ["ops", "chat"]
    first, second = store.take_alert("support", to="chat"), store.take_alert("support", to="chat")
    assert (first["target"], second["target"], first["seq"] < second["seq"]) == ("chat", "chat", True)
    assert (store.take_alert("support", to="chat"), store.list_due_alert_targets("support")) == (None, ["ops"])


def test_an_alert_waits_for_its_time_and_ends_delivered_or_given_up(store):
    fire(store)
    one, two = store.take_alert("support"), store.take_alert("support")
    store.settle_alert("support", one["delivery_id"], trouble=None, next_at=None)
    store.settle_alert("support", two["delivery_id"], trouble={"code": "x"}, next_at=utc_now() + timedelta(minutes=1))
    assert store.take_alert("support") is None
    later(store, next_at=utc_now())
    assert store.take_alert("support")["delivery_id"] == two["delivery_id"]
    store.settle_alert("support", two["delivery_id"], trouble={"code": "x"}, next_at=None)
    store.settle_alert("support", one["delivery_id"], trouble={"code": "late"}, next_at=utc_now())  # it has arrived
    rows = {row["target"]: row for row in store.list_alert_deliveries("support")}
    assert [(rows[name]["state"], rows[name]["n_tries"], rows[name]["error"]) for name in ("ops", "chat")] == [
        ("delivered", 1, None),
        ("failed", 2, {"code": "x"}),
    ]
    assert store.take_alert("support") is None


def test_the_log_is_bounded_and_another_project_keeps_its_own(store, monkeypatch):
    monkeypatch.setattr(outbox, "MAX_KEPT", 3)
    store.add_project("other", folder=Path("/elsewhere"))
    store.add_alert_tests("other", payload=FIRED, to=[("theirs", "json")], actor="ann")
    for n in range(5):
        store.add_alert_tests("support", payload=FIRED, to=[(f"ops{n}", "json")], actor="ann")
    assert [row["target"] for row in store.list_alert_deliveries("support")] == ["ops4", "ops3", "ops2"]
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.alert_deliveries)).scalar() == 4

"""The ledger grows with what it counts, in one transaction, and nobody changes what it says."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.store.test_store import BY_HAND, give, prediction

from feilun.records import Bill, Limit, Usage
from feilun.store import EVERYWHERE, Reach, Store
from feilun.store import tables as t

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
NOVEMBER = {"since": datetime(2026, 11, 1, tzinfo=UTC), "until": datetime(2026, 12, 1, tzinfo=UTC)}


def bill(**parts) -> Bill:
    known = {"tenant": "house", "project": "support", "key_id": "key_1", "kind": "predict", "server": "srv_1"}
    return Bill(**({"minute": NOON} | known | parts))


@pytest.fixture
def store(tmp_path: Path, database_url: str):
    with Store(tmp_path / ".feilun", url=database_url) as opened:
        yield opened


def lines(store: Store) -> list[dict]:
    with store.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(t.usage).order_by(t.usage.c.seq)).mappings()]


@pytest.mark.parametrize(
    "change",
    ["UPDATE usage SET n_requests = 0", "UPDATE usage SET key_id = 'key_2'", "DELETE FROM usage"],
)
def test_the_ledger_cannot_be_rewritten(store, change):
    store.add_usage(Usage(bill())).result(30)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        store.writer.write(lambda c: c.exec_driver_sql(change), audit=BY_HAND)
    assert [line["n_requests"] for line in lines(store)] == [1]


def test_answers_and_their_line_are_written_together_or_not_at_all(store):
    store.add_predictions([prediction(1)], usage=Usage(bill(), 1, 1, 9)).result(30)
    with pytest.raises(sa.exc.IntegrityError):
        store.add_predictions([prediction(1)], usage=Usage(bill(), 1, 1, 9)).result(30)
    assert [line["n_inputs"] for line in lines(store)] == [1]


def test_lines_on_the_same_account_that_are_written_together_are_one(store):
    go = threading.Event()
    held = store.writer.submit(lambda _: go.wait(30), audit=BY_HAND)
    written = [
        store.add_predictions([prediction(n)], usage=Usage(bill(), 1, 1, 10, n_tokens=3, cpu_ms=0.5)) for n in range(5)
    ]
    written.append(store.add_usage(Usage(bill(key_id="", kind="read"))))
    go.set()
    assert held.result(30) and [one.result(30) for one in written] == [None] * 6
    assert len(lines(store)) == 2
    total = store.sum_usage(EVERYWHERE, **NOVEMBER, by=("kind",))
    assert total == [
        {"kind": "predict", "n_requests": 5, "n_inputs": 5, "n_characters": 50, "n_tokens": 15, "cpu_ms": 2.5}
        | {"n_units": 5},
        {"kind": "read", "n_requests": 1, "n_inputs": 0, "n_characters": 0, "n_tokens": 0, "cpu_ms": 0.0, "n_units": 1},
    ]


def test_feedback_is_in_the_ledger_when_it_is_acknowledged_and_once_however_often_it_is_sent(store):
    said = {"labels": ["delivery"], "idempotency_key": "k", "usage": Usage(bill(kind="feedback"))}
    store.add_predictions([prediction(1)])
    give(store, "p1", **said)
    give(store, "p1", **said)
    assert [line["kind"] for line in lines(store)] == ["feedback"]
    with pytest.raises(Exception, match="p404"):
        give(store, "p404", **said | {"idempotency_key": None})
    assert len(lines(store)) == 1


def test_sums_are_told_apart_by_the_parts_that_are_asked_for(store):
    for day, key_id in ((1, "key_1"), (1, "key_2"), (2, "key_1"), (30, "key_1")):
        store.add_usage(Usage(bill(minute=NOON.replace(day=day), key_id=key_id), n_characters=day)).result(30)
    store.add_usage(Usage(bill(minute=datetime(2026, 12, 1, tzinfo=UTC)))).result(30)

    def counts(by, within=EVERYWHERE, **only):
        rows = store.sum_usage(within, **NOVEMBER, by=by, **only)
        return [tuple(row[name] for name in (*by, "n_requests")) for row in rows]

    assert counts(("day",)) == [("2026-11-01", 2), ("2026-11-02", 1), ("2026-11-30", 1)]
    assert counts(("key_id",)) == [("key_1", 3), ("key_2", 1)]
    assert counts((), key_id="key_2") == [(1,)]
    assert counts(("tenant", "project"), Reach(None, "other")) == counts((), Reach("acme")) == []
    assert counts((), Reach("house", "support")) == [(4,)]
    assert counts((), not_by="srv_1") == []


def test_permits_are_handed_out_by_the_clock_of_the_database_until_there_are_none(store):
    owner = {"tenant": None, "project": None, "expires_at": None, "actor": "ann"}
    key_id = store.add_key(name="k", secret_hash="0" * 64, scopes=["read"], **owner)["key_id"]
    mine = Limit(subject="key", subject_id=key_id, per_minute=60, burst=3)
    store.set_limit(EVERYWHERE, mine, actor="ann")
    first = store.lease_permits("key", key_id, n=2)
    second = store.lease_permits("key", key_id, n=5)
    third = store.lease_permits("key", key_id, n=1)
    assert (first.n, second.n, third.n) == (2, 1, 0)
    assert 0 < third.wait_s <= 1
    assert store.lease_permits("key", "key_2", n=1) is None
    store.set_limit(EVERYWHERE, Limit(subject="key", subject_id=key_id, monthly_requests=5), actor="ann")
    assert store.lease_permits("key", key_id, n=1) is None

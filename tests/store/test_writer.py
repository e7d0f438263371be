"""Rows of many callers become one statement, in their place in the queue; a failed one takes no later rows along."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.store.test_store import BY_HAND, give, prediction

from feilun.store import Store
from feilun.store import tables as t


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / ".feilun") as opened:
        yield opened


def test_rows_that_come_while_the_writer_is_busy_are_one_statement_in_front_of_what_comes_later(store):
    statements = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[5])))
    go = threading.Event()
    held = store.writer.submit(lambda _: go.wait(30), audit=BY_HAND)
    written = [store.add_predictions([prediction(n)]) for n in range(5)]
    feedback = threading.Thread(target=give, args=(store, "p4"), kwargs={"labels": ["delivery"]})
    feedback.start()
    go.set()
    feedback.join(30)
    assert held.result(30) and [future.result(30) for future in written] == [None] * 5
    inserts = [many for sql, many in statements if sql.startswith("INSERT INTO predictions")]
    assert inserts == [True]
    assert [store.get_prediction("support", f"p{n}")["prediction_id"] for n in range(5)] == [f"p{n}" for n in range(5)]
    assert [row["prediction_id"] for row in store.list_feedback("support")] == ["p4"]


def test_a_statement_that_fails_takes_no_later_rows_along(store):
    store.add_predictions([prediction(1)]).result(30)
    with pytest.raises(sa.exc.IntegrityError):
        store.add_predictions([prediction(1)]).result(30)
    store.add_predictions([prediction(2)]).result(30)
    assert store.get_prediction("support", "p2")["labels"] == ["refund"]


def test_rows_wait_for_no_statement_that_never_ran(store):
    """The transaction fails before it comes to the rows; what is given afterwards is written all the same."""

    def refuse(_connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("BEGIN", {}, Exception("database is locked"))

    sa.event.listen(store.engine, "begin", refuse)
    with pytest.raises(sa.exc.OperationalError):
        store.add_predictions([prediction(1)]).result(30)
    sa.event.remove(store.engine, "begin", refuse)
    store.add_predictions([prediction(2)]).result(30)
    with store.engine.connect() as connection:
        assert list(connection.execute(sa.select(t.predictions.c.prediction_id)).scalars()) == ["p2"]

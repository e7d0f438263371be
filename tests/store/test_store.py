"""The store keeps what it acknowledged, once, in order, and never rewrites the release log."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from feilun.store import IdempotencyConflict, NotFound, Store, StoreFull, StoreTooNew, find_workspace, utc_now
from feilun.store import tables as t


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / ".feilun") as opened:
        yield opened


def prediction(n: int, *, teach: float = 0.5, example_id: str | None = None) -> dict:
    return {
        "prediction_id": f"p{n}",
        "project": "support",
        "model_id": "m_1",
        "inputs": {"text": f"message {n} 你好"},
        "example_id": example_id or f"e{n}",
        "labels": ["refund"],
        "confidence": 0.4,
        "decision": "hand_over",
        "reason": "unsure",
        "alternatives": [["refund", 0.4]],
        "teach": teach,
        "queue_state": "open",
        "latency_ms": 2.0,
        "created_at": utc_now(),
    }


def give(store: Store, prediction_id: str, **said) -> tuple[dict, bool]:
    return store.add_feedback("support", prediction_id=prediction_id, actor="ann", body_hash=str(sorted(said)), **said)


def test_acknowledged_feedback_survives_a_new_connection(store, tmp_path):
    store.add_predictions([prediction(1)])
    row, replayed = give(store, "p1", labels=["delivery"])
    with Store(tmp_path / ".feilun") as again:
        assert again.get_feedback("support", row["feedback_id"]) == row
    assert (replayed, row["labels"], row["inputs"]) == (False, ["delivery"], {"text": "message 1 你好"})


def test_feedback_with_the_same_key_counts_once_and_another_body_is_refused(store):
    store.add_predictions([prediction(1)])
    first, _ = give(store, "p1", labels=["delivery"], idempotency_key="k")
    again, replayed = give(store, "p1", labels=["delivery"], idempotency_key="k")
    assert (again, replayed) == (first, True)
    with pytest.raises(IdempotencyConflict):
        give(store, "p1", comment="hm", idempotency_key="k")
    assert len(store.list_feedback("support")) == 1


def test_feedback_on_an_unknown_prediction_writes_nothing(store):
    with pytest.raises(NotFound):
        give(store, "p404", labels=["refund"])
    assert store.list_feedback("support") == []


def test_a_thumb_up_confirms_the_answer_and_a_thumb_down_moves_it_up_the_queue(store):
    store.add_predictions([prediction(1), prediction(2, teach=0.9), prediction(3, teach=0.1)])
    assert give(store, "p1", thumb="up")[0]["labels"] == ["refund"]
    assert give(store, "p3", thumb="down")[0]["labels"] is None
    assert [row["prediction_id"] for row in store.list_queue("support")] == ["p3", "p2"]
    assert [row["prediction_id"] for row in store.list_corrections("support")] == ["p1"]


def test_the_queue_shows_a_message_once_and_a_label_closes_all_its_twins(store):
    store.add_predictions([prediction(1, example_id="same"), prediction(2, example_id="same"), prediction(3)]).result()
    assert {row["prediction_id"] for row in store.list_queue("support")} == {"p2", "p3"}
    give(store, "p1", labels=["delivery"])
    assert [row["prediction_id"] for row in store.list_queue("support")] == ["p3"]
    assert store.count_queue("support") == 1


def test_a_skipped_message_leaves_the_queue_with_its_twins_and_no_other(store):
    store.add_predictions([prediction(1, example_id="same"), prediction(2, example_id="same"), prediction(3)]).result()
    store.skip_in_queue("support", "p2")
    assert [row["prediction_id"] for row in store.list_queue("support")] == ["p3"]


def test_many_writers_lose_and_double_nothing(store, tmp_path):
    store.add_predictions([prediction(n) for n in range(8)])
    with Store(tmp_path / ".feilun") as other:
        stores = [store, other]

        def work(n: int) -> None:
            for i in range(25):
                give(stores[n % 2], f"p{n}", labels=["x"], idempotency_key=f"{n}-{i}")
                give(stores[n % 2], f"p{n}", labels=["x"], idempotency_key=f"{n}-{i}")

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rows = store.list_feedback("support", limit=1000)
    assert sorted(row["idempotency_key"] for row in rows) == sorted(f"{n}-{i}" for n in range(8) for i in range(25))


def test_a_full_disk_is_said_to_be_full_and_room_is_all_it_takes(store):
    def limit(connection, _record) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size: not a page more

    sa.event.listen(store.engine, "connect", limit)
    store.engine.dispose()
    with pytest.raises(StoreFull):
        store.add_feedback("support", prediction_id=None, actor="ann", body_hash="h", comment="y" * 50_000)
    sa.event.remove(store.engine, "connect", limit)
    store.engine.dispose()
    assert store.is_writing
    store.add_feedback("support", prediction_id=None, actor="ann", body_hash="h", comment="y" * 50_000)
    assert len(store.list_feedback("support")) == 1


def test_a_second_request_for_a_turn_joins_the_first(store):
    first = store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    assert store.add_turn("support", settings={}, seed=2, budget_s=9, requested_by="api") == first
    store.finish_turn(first["turn_id"], status="done", result={"ok": 1})
    store.finish_turn(first["turn_id"], status="failed")
    assert store.get_turn(first["turn_id"])["status"] == "done"
    assert store.add_turn("support", settings={}, seed=2, budget_s=9, requested_by="api") != first


def test_an_open_request_is_taken_by_the_turn_that_starts(store):
    assert store.add_turn_request("support", trigger="labels")
    assert not store.add_turn_request("support", trigger="calendar")
    store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="worker")
    assert store.find_turn_request("support") is None


def release(store: Store, model_id: str, action: str = "promote", turn_id: str | None = None) -> dict:
    return store.add_release(
        "support", action=action, model_id=model_id, actor="ann", reason_code="better", en="e", zh="中", turn_id=turn_id
    )


def test_the_release_log_only_grows(store):
    release(store, "m_1")
    release(store, "m_2", action="reject")
    assert store.find_champion("support") == "m_1"
    release(store, "m_3")
    assert release(store, "m_1", action="rollback")["previous_model_id"] == "m_3"
    assert store.find_champion("support") == "m_1"
    for statement in (t.releases.update().values(model_id="m_9"), t.releases.delete()):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"):
            store.writer.write(lambda c, statement=statement: c.execute(statement))
    assert [row["model_id"] for row in store.list_releases("support")] == ["m_1", "m_3", "m_2", "m_1"]


def test_a_turn_decides_once(store):
    assert release(store, "m_1", turn_id="turn_1") == release(store, "m_1", turn_id="turn_1")
    assert len(store.list_releases("support")) == 1


def test_events_come_in_order_from_where_the_reader_left_off(store):
    for n in range(3):
        store.add_event("support", kind="train.epoch", data={"epoch": n}, turn_id="turn_1")
    store.writer.write(lambda c: None)  # events are not waited for; the writer keeps the order
    events = store.list_events("support", after=1)
    assert [(event.event_id, event.data) for event in events] == [(2, {"epoch": 1}), (3, {"epoch": 2})]


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store):
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


def test_a_database_from_before_compressions_is_brought_up_to_date_and_used(store, tmp_path):
    turn = store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    for table in ("compressions", "limits", "usage"):
        store.writer.write(lambda c, table=table: c.exec_driver_sql(f"DROP TABLE {table}"))
    store.writer.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'"))
    with Store(tmp_path / ".feilun") as opened:
        assert opened.get_turn(turn["turn_id"]) == turn
        row = opened.add_compression("support", model_id="m_1", asked={"widths": [0.5]}, requested_by="ann")
        assert opened.list_compressions("support") == [row]
        with opened.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


def test_a_compression_ends_once_and_lets_the_next_one_in(store):
    first = store.add_compression("support", model_id="m_1", asked={}, requested_by="ann")
    assert store.add_compression("support", model_id="m_2", asked={}, requested_by="bo") is None
    assert store.add_compression("other", model_id="m_1", asked={}, requested_by="bo") is not None
    assert store.start_compression(first["compression_id"])
    assert store.find_open_compression("support")["status"] == "running"
    store.finish_compression(first["compression_id"], result={"ok": 1})
    store.finish_compression(first["compression_id"], error={"code": "late"})
    assert not store.start_compression(first["compression_id"])
    done = store.get_compression(first["compression_id"])
    assert (done["status"], done["result"], done["error"]) == ("done", {"ok": 1}, None)
    assert store.find_open_compression("support") is None
    second = store.add_compression("support", model_id="m_2", asked={}, requested_by="bo")
    assert [row["model_id"] for row in store.list_compressions("support")] == ["m_2", "m_1"] and second is not None


def test_a_database_of_a_later_release_is_refused(store, tmp_path):
    store.writer.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew, match="9999"):
        Store(tmp_path / ".feilun")


def test_projects_below_one_folder_share_its_workspace(tmp_path):
    (tmp_path / "support").mkdir()
    assert find_workspace(tmp_path / "support") == tmp_path / "support" / ".feilun"
    (tmp_path / ".feilun").mkdir()
    assert find_workspace(tmp_path / "support") == tmp_path / ".feilun"

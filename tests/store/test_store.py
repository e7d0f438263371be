"""The store keeps what it acknowledged, once, in order, and never rewrites the release log."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import feilun.store
from feilun.store import (
    EVERYWHERE,
    IdempotencyConflict,
    NotFound,
    Store,
    StoreFull,
    StoreTooNew,
    find_workspace,
    utc_now,
)
from feilun.store import tables as t
from feilun.store.chain import Unaudited

BY_HAND = Unaudited("a test's own hand in the tables")


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
    store.skip_in_queue("support", "p2", actor="ann")
    assert [row["prediction_id"] for row in store.list_queue("support")] == ["p3"]


def test_many_writers_lose_and_double_nothing(store, tmp_path):
    store.add_predictions([prediction(n) for n in range(8)]).result()  # or the other one may not see them yet
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
    store.finish_turn("support", first["turn_id"], status="done", result={"ok": 1})
    store.finish_turn("support", first["turn_id"], status="failed")
    assert store.get_turn("support", first["turn_id"])["status"] == "done"
    assert store.add_turn("support", settings={}, seed=2, budget_s=9, requested_by="api") != first


def test_an_open_request_is_taken_by_the_turn_that_starts(store):
    assert store.add_turn_request("support", trigger="labels", actor="ann")
    assert not store.add_turn_request("support", trigger="calendar", actor="ann")
    store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="worker")
    assert store.find_turn_request("support") is None


WORDS = {"actor": "ann", "reason_code": "better", "en": "e", "zh": "中"}


def release(store: Store, model_id: str, action: str = "promote", **more) -> dict:
    return store.add_release("support", action=action, model_id=model_id, **WORDS, **more)


def test_the_release_log_only_grows(store):
    release(store, "m_1")
    release(store, "m_2", action="reject")
    assert store.find_champion("support") == "m_1"
    release(store, "m_3")
    assert release(store, "m_1", action="rollback")["previous_model_id"] == "m_3"
    assert store.find_champion("support") == "m_1"
    for statement in (t.releases.update().values(model_id="m_9"), t.releases.delete()):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"):
            store.writer.write(lambda c, statement=statement: c.execute(statement), audit=BY_HAND)
    assert [row["model_id"] for row in store.list_releases("support")] == ["m_1", "m_3", "m_2", "m_1"]


def test_the_log_says_which_shadow_or_canary_is_under_way(store):
    release(store, "m_1")
    assert store.find_challenge("support") is None
    shadow = release(store, "m_2", action="shadow", share=1.0)
    release(store, "m_3", action="reject")
    found = store.find_challenge("support")
    assert (found.release_id, found.action, found.champion_id, found.share) == (
        shadow["release_id"],
        "shadow",
        "m_1",
        1.0,
    )
    canary = release(store, "m_2", action="canary", share=0.25)
    assert store.find_challenge("support").release_id == canary["release_id"]
    assert store.find_champion("support") == "m_1"
    release(store, "m_4")
    assert store.find_challenge("support") is None


def test_of_many_processes_that_end_a_canary_one_does_and_none_undoes_a_release(store, tmp_path):
    store.add_project("support", folder=tmp_path)
    release(store, "m_1")
    release(store, "m_2", action="canary", share=0.5)
    canary = store.find_challenge("support")
    ended: list = []

    def end(one: Store) -> None:
        ended.append(one.end_challenge("support", canary, action="rollback", model_id="m_1", **WORDS))

    with Store(tmp_path / ".feilun") as other:
        threads = [threading.Thread(target=end, args=(one,)) for one in (store, other) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len([row for row in ended if row is not None]) == 1
    assert [(row["action"], row["model_id"], row["previous_model_id"]) for row in store.list_releases("support")] == [
        ("rollback", "m_1", "m_2"),
        ("canary", "m_2", "m_1"),
        ("promote", "m_1", None),
    ]
    release(store, "m_3")
    end(store)
    assert ended[-1] is None
    assert store.find_champion("support") == "m_3"


def test_what_two_models_did_is_counted_by_bucket_and_feedback_speaks_for_or_against(store):
    under = {"release_id": "rel_1", "bucket": 7}
    rows = [prediction(n) | under | {"decision": "answer", "queue_state": "none"} for n in range(4)]
    rows[3] |= {"model_id": "m_2", "bucket": 9, "decision": "hand_over"}
    store.add_predictions([*rows, prediction(9) | {"release_id": None, "bucket": None}])
    give(store, "p0", labels=["delivery"])
    give(store, "p0", thumb="down")  # the same answer once more
    assert give(store, "p1", labels=["refund"])[0]["contradicts"] is False
    give(store, "p2", thumb="down")
    give(store, "p3", labels=["delivery"])  # was handed over: nobody was told a wrong answer
    counted = sorted(store.count_by_bucket("support", "rel_1"), key=lambda row: row["bucket"])
    assert counted == [
        {"bucket": 7, "model_id": "m_1", "n_messages": 3, "n_handed_over": 0, "n_contradicted": 2},
        {"bucket": 9, "model_id": "m_2", "n_messages": 1, "n_handed_over": 1, "n_contradicted": 0},
    ]
    assert store.count_by_bucket("other", "rel_1") == []


def shadow(n: int, *labels: str) -> dict:
    said = {"prediction_id": f"p{n}", "project": "support", "release_id": "rel_1", "model_id": "m_2"}
    more = {"labels": list(labels), "confidence": 0.8, "decision": "answer", "agrees": labels == ("refund",)}
    return said | more | {"created_at": utc_now()}


def test_where_a_shadow_disagrees_the_message_joins_the_queue_and_labels_tell_who_was_right(store):
    sure = {"decision": "answer", "queue_state": "none", "teach": 0.1}
    store.add_predictions([prediction(n) | sure for n in range(3)] + [prediction(3, teach=0.9)])
    rows = [shadow(0, "refund"), shadow(1, "delivery"), shadow(2, "delivery"), shadow(3, "thanks")]
    store.add_shadow_answers(rows, teach=0.39).result()
    waiting = store.list_queue("support")
    assert [(row["prediction_id"], row["teach"], row["challenger_labels"]) for row in waiting] == [
        ("p3", 0.9, ["thanks"]),
        ("p1", 0.39, ["delivery"]),
        ("p2", 0.39, ["delivery"]),
    ]
    assert [row["prediction_id"] for row in store.list_differences("support", "rel_1")] == ["p3", "p2", "p1"]
    give(store, "p0", thumb="up")
    give(store, "p1", labels=["thanks"])
    give(store, "p1", labels=["delivery"])  # the latest word counts
    assert store.count_shadow("support", "rel_1") == {
        "n_compared": 4,
        "n_agreed": 1,
        "n_champion_handed_over": 1,
        "n_challenger_handed_over": 0,
        "n_labelled": 2,
        "n_champion_right": 1,
        "n_challenger_right": 2,
    }
    assert [row["prediction_id"] for row in store.list_queue("support")] == ["p3", "p2"]
    assert set(store.count_shadow("support", "rel_404").values()) == {0}


def test_a_turn_decides_once(store):
    assert release(store, "m_1", turn_id="turn_1") == release(store, "m_1", turn_id="turn_1")
    assert len(store.list_releases("support")) == 1


def test_events_come_in_order_from_where_the_reader_left_off(store):
    for n in range(3):
        store.add_event("support", kind="train.epoch", data={"epoch": n}, turn_id="turn_1")
    store.writer.flush()  # events are not waited for; the writer keeps the order
    events = store.list_events("support", after=1)
    assert [(event.event_id, event.data) for event in events] == [(2, {"epoch": 1}), (3, {"epoch": 2})]


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store):
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


def downgrade(store: Store, to: str) -> None:
    """Make the database what an earlier release would have written."""
    config = Config()
    config.set_main_option("script_location", str(Path(feilun.store.__file__).parent / "migrations"))
    with store.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, to)


def test_a_database_from_before_canaries_is_brought_up_to_date_and_used(store, tmp_path):
    old = release(store, "m_1")
    store.add_predictions([prediction(1)]).result()
    downgrade(store, "0002")
    with Store(tmp_path / ".feilun") as opened:
        assert opened.list_releases("support") == [old]
        assert opened.find_challenge("support") is None
        begun = release(opened, "m_2", action="canary", share=0.5)
        assert opened.find_challenge("support").release_id == begun["release_id"]
        assert give(opened, "p1", labels=["delivery"])[0]["contradicts"] is True
        for statement in (t.releases.update().values(model_id="m_9"), t.releases.delete()):
            with pytest.raises(sa.exc.IntegrityError, match="append-only"):
                opened.writer.write(lambda c, statement=statement: c.execute(statement), audit=BY_HAND)
        with opened.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


def test_a_database_from_before_compressions_is_brought_up_to_date_and_used(store, tmp_path):
    turn = store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    downgrade(store, "0001")
    with Store(tmp_path / ".feilun") as opened:
        assert opened.get_turn("support", turn["turn_id"]) == turn
        row = opened.add_compression("support", model_id="m_1", asked={"widths": [0.5]}, requested_by="ann")
        assert opened.list_compressions("support") == [row]
        with opened.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


def test_a_database_from_before_tenants_becomes_the_house_s_and_its_keys_keep_what_they_could(store, tmp_path):
    store.add_project("support", folder=tmp_path)
    made = {"scopes": ["admin"], "expires_at": None, "actor": "ann"}
    store.add_key(name="one", secret_hash="1", tenant="house", project="support", **made)
    store.add_key(name="all", secret_hash="2", tenant=None, project=None, **made)
    downgrade(store, "0002")
    with Store(tmp_path / ".feilun") as opened:
        assert [row["tenant"] for row in opened.list_tenants(EVERYWHERE)] == ["house"]
        assert opened.tenant_of("support") == "house"
        assert [(row["name"], row["tenant"]) for row in opened.list_keys(EVERYWHERE)] == [
            ("one", "house"),
            ("all", None),
        ]
        opened.add_tenant("acme", name="Acme", actor="ann")
        opened.add_project("support", folder=tmp_path, tenant="acme")
        assert opened.tenant_of("support") == "acme"
        with opened.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


def test_a_compression_ends_once_and_lets_the_next_one_in(store):
    first = store.add_compression("support", model_id="m_1", asked={}, requested_by="ann")
    assert store.add_compression("support", model_id="m_2", asked={}, requested_by="bo") is None
    assert store.add_compression("other", model_id="m_1", asked={}, requested_by="bo") is not None
    assert store.start_compression("support", first["compression_id"])
    assert store.find_open_compression("support")["status"] == "running"
    store.finish_compression("support", first["compression_id"], result={"ok": 1})
    store.finish_compression("support", first["compression_id"], error={"code": "late"})
    assert not store.start_compression("support", first["compression_id"])
    done = store.get_compression("support", first["compression_id"])
    assert (done["status"], done["result"], done["error"]) == ("done", {"ok": 1}, None)
    assert store.find_open_compression("support") is None
    second = store.add_compression("support", model_id="m_2", asked={}, requested_by="bo")
    assert [row["model_id"] for row in store.list_compressions("support")] == ["m_2", "m_1"] and second is not None


def test_a_database_of_a_later_release_is_refused(store, tmp_path):
    store.writer.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"), audit=BY_HAND)
    with pytest.raises(StoreTooNew, match="9999"):
        Store(tmp_path / ".feilun")


def test_projects_below_one_folder_share_its_workspace(tmp_path):
    (tmp_path / "support").mkdir()
    assert find_workspace(tmp_path / "support") == tmp_path / "support" / ".feilun"
    (tmp_path / ".feilun").mkdir()
    assert find_workspace(tmp_path / "support") == tmp_path / ".feilun"

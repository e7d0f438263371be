"""What is different with several processes, and machines, on one PostgreSQL."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.postgres import Postgres
from tests.store.test_store import BY_HAND, give, prediction, release

from feilun.store import (
    HoldLost,
    IdempotencyConflict,
    NotFound,
    ProjectBusy,
    Store,
    StoreBroken,
    StoreFull,
    StoreUnavailable,
    StoreUrlInvalid,
    leases,
    new_id,
    writer,
)
from feilun.store import tables as t
from feilun.store.marks import MARK_NAME, read_mark


@pytest.fixture
def store(tmp_path: Path, postgres_url: str):
    with Store(tmp_path / ".feilun", url=postgres_url) as opened:
        yield opened


@pytest.fixture
def other(store: Store):
    with Store(store.workspace, url=store.url) as opened:
        yield opened


def event(kind: str) -> dict:
    return {"project": "support", "turn_id": "", "kind": kind, "data": {}, "created_at": t.utc_now()}


def correct(store: Store, n: int | str, **more) -> dict:
    said = {"inputs": {"text": f"message {n}"}, "example_id": f"e{n}", "labels": ["refund"], "body_hash": str(n)}
    return store.add_feedback("support", prediction_id=None, actor="ann", **(said | more))[0]


def test_whoever_follows_the_log_passes_over_no_row_of_another_process(store, other):
    """Without turns the second row is numbered later and committed first, and the reader goes on behind the first."""
    numbered, go_on = threading.Event(), threading.Event()

    def slow(connection: sa.Connection) -> None:
        connection.execute(t.events.insert().values(event("first")))
        numbered.set()
        go_on.wait(30)

    first = store.writer.submit(slow, audit=BY_HAND)
    assert numbered.wait(30)
    second = other.writer.submit(lambda c: c.execute(t.events.insert().values(event("second"))), audit=BY_HAND)
    seen, after = [], 0
    for _ in range(10):  # a reader that looks while the first is under way
        for one in store.list_events("support", after=after):
            seen, after = [*seen, one.kind], one.event_id
        time.sleep(0.02)
    go_on.set()
    assert (first.result(30), second.result(30)) is not None
    seen += [one.kind for one in store.list_events("support", after=after)]
    assert seen == ["first", "second"]


def test_predictions_wait_for_nobodys_turn(store, other):
    numbered, go_on = threading.Event(), threading.Event()
    held = store.writer.submit(lambda _: (numbered.set(), go_on.wait(30)), audit=BY_HAND)
    assert numbered.wait(30)
    other.add_predictions([prediction(1)]).result(30)
    assert not held.done()
    go_on.set()
    held.result(30)


def test_one_key_at_two_servers_at_once_counts_once(store, other):
    outcomes: list[object] = []

    def say(one: Store, n: int, body: str) -> None:
        barrier.wait(30)
        try:
            outcomes.append(correct(one, n, idempotency_key=f"k{n}", body_hash=body)["feedback_id"])
        except IdempotencyConflict as error:
            outcomes.append(error)

    for n in range(20):
        barrier = threading.Barrier(2)
        bodies = ("same", "same") if n % 2 else ("one", "another")
        threads = [
            threading.Thread(target=say, args=(one, n, b)) for one, b in zip((store, other), bodies, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(outcomes) == 2
        if n % 2:
            assert outcomes[0] == outcomes[1]
        else:
            assert sum(isinstance(one, IdempotencyConflict) for one in outcomes) == 1
        outcomes.clear()
    assert len(store.list_feedback("support")) == 20


def test_many_at_once_open_an_empty_database(tmp_path, postgres_url):
    opened: list[Store] = []
    failed: list[Exception] = []
    barrier = threading.Barrier(4)

    def start(n: int) -> None:
        barrier.wait(30)
        try:
            opened.append(Store(tmp_path / ".feilun", url=postgres_url))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=start, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(opened), failed) == (4, [])
    assert [correct(one, n)["seq"] for n, one in enumerate(opened)] == [1, 2, 3, 4]
    for one in opened:
        one.close()


def test_the_release_log_refuses_to_be_emptied_at_once(store):
    with pytest.raises(sa.exc.IntegrityError, match="append-only"):
        store.writer.write(lambda c: c.exec_driver_sql("TRUNCATE releases"), audit=BY_HAND)


def test_thirty_two_writers_and_four_readers_lose_and_double_nothing(store, other):
    n_each, stores = 20, (store, other)
    done = threading.Event()
    followed: list[list[int]] = [[] for _ in range(4)]

    def write(n: int) -> None:
        for i in range(n_each):
            correct(stores[n % 2], f"{n}-{i}", idempotency_key=f"{n}-{i}")

    def follow(n: int) -> None:
        while True:
            is_last = done.is_set()
            rows = stores[n % 2].list_corrections("support", after=followed[n][-1] if followed[n] else 0)
            followed[n] += [row["seq"] for row in rows]
            if is_last:
                return

    readers = [threading.Thread(target=follow, args=(n,)) for n in range(4)]
    writers = [threading.Thread(target=write, args=(n,)) for n in range(32)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join(120)
    done.set()
    for thread in readers:
        thread.join(30)
    rows = store.list_feedback("support", limit=1000)
    assert sorted(row["idempotency_key"] for row in rows) == sorted(
        f"{n}-{i}" for n in range(32) for i in range(n_each)
    )
    assert followed == [[row["seq"] for row in rows]] * 4


def test_feedback_that_overtakes_its_prediction_waits_for_it(store, other, monkeypatch):
    monkeypatch.setattr(writer, "LINGER_S", 0.5)
    row = prediction(1) | {"prediction_id": new_id("p")}
    written = other.add_predictions([row])
    assert give(store, row["prediction_id"], labels=["delivery"])[0]["inputs"] == row["inputs"]
    written.result(30)
    with pytest.raises(NotFound):
        give(store, new_id("p"), labels=["delivery"])


# what the server says about itself


def fail_with(store: Store, state: str) -> None:
    """From now on the server answers an INSERT of feedback with this SQLSTATE."""
    statements = (
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON feedback FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    for statement in statements:
        store.writer.write(lambda c, statement=statement: c.exec_driver_sql(statement), audit=BY_HAND)


@pytest.mark.parametrize(
    ("state", "error", "is_writing"),
    [
        ("53100", StoreFull, True),
        ("58030", StoreBroken, False),
        ("XX001", StoreBroken, False),
        ("57P01", StoreUnavailable, True),
        ("25006", StoreUnavailable, True),
        ("40001", StoreUnavailable, True),
    ],
)
def test_what_the_server_reports_is_told_apart(store, state, error, is_writing):
    fail_with(store, state)
    with pytest.raises(error):
        correct(store, 1)
    assert store.is_writing is is_writing
    assert store.list_feedback("support") == []


def test_a_database_that_goes_away_is_said_to_be_and_nothing_else_is_needed_when_it_is_back(store, postgres: Postgres):
    kept = [correct(store, n)["feedback_id"] for n in range(3)]
    postgres.kill()
    try:
        with pytest.raises(StoreUnavailable):
            correct(store, 3)
        with pytest.raises(StoreUnavailable):
            store.list_feedback("support")
        with pytest.raises(StoreUnavailable):
            Store(store.workspace, url=store.url)
    finally:
        postgres.start()
    assert [row["feedback_id"] for row in store.list_feedback("support")] == kept
    assert correct(store, 4)["feedback_id"]
    assert store.is_writing


def test_a_connection_that_dies_in_the_middle_of_a_group_acknowledges_nothing(store, other):
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %(pid)s"

    def work(connection: sa.Connection) -> None:
        connection.execute(t.events.insert().values(event("lost")))
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with other.engine.begin() as second:
            second.exec_driver_sql(end, {"pid": pid})
        connection.exec_driver_sql("SELECT 1")

    lost = store.writer.submit(work, audit=BY_HAND)
    with pytest.raises(StoreUnavailable):
        lost.result(30)
    assert store.list_events("support") == []
    store.add_event("support", kind="kept", data={})
    store.writer.flush()
    assert [one.kind for one in store.list_events("support")] == ["kept"]


def test_a_client_that_freezes_in_a_transaction_does_not_hold_up_the_others_for_long(store, other):
    limits = store.writer.write(
        lambda c: c.exec_driver_sql("SELECT current_setting('idle_in_transaction_session_timeout')").scalar(),
        audit=BY_HAND,
    )
    assert limits == "15s"


def test_what_is_acknowledged_is_on_disk_also_where_the_server_was_told_not_to_wait(store, postgres_url):
    name = sa.make_url(postgres_url).database
    store.writer.write(
        lambda c: c.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off"), audit=BY_HAND
    )
    with Store(store.workspace, url=postgres_url) as fresh:
        assert (
            fresh.writer.write(lambda c: c.exec_driver_sql("SHOW synchronous_commit").scalar(), audit=BY_HAND)
            == "local"
        )


# who turns a project


def test_one_holder_at_a_time_and_the_next_one_is_let_in(store, other):
    with store.alone("support"), other.alone("elsewhere"), pytest.raises(ProjectBusy), other.alone("support"):
        pass
    with other.alone("support"):
        store.check_alone()


def test_a_holder_that_falls_silent_is_replaced_and_what_it_writes_late_is_refused(store, other, monkeypatch):
    monkeypatch.setattr(leases, "DEAD_AFTER_S", 1.0)
    turn = store.add_turn("support", settings={}, seed=1, budget_s=9, requested_by="cli")
    lost = threading.Event()
    with store.alone("support", on_lost=lost.set):
        monkeypatch.setattr(leases.Lease, "_move", lambda self: time.sleep(4) or True)  # frozen, as under a debugger
        with other.alone("support", is_patient=True):
            for late in (
                lambda: store.finish_turn("support", turn["turn_id"], status="done", result={"by": "the late one"}),
                lambda: store.update_turn("support", turn["turn_id"], dataset_id="ds_late"),
                lambda: release(store, "m_1", turn_id="turn_1"),
            ):
                with pytest.raises(HoldLost):
                    late()
            other.finish_turn("support", turn["turn_id"], status="done", result={"by": "the next one"})
    assert store.get_turn("support", turn["turn_id"])["result"] == {"by": "the next one"}
    assert store.list_releases("support") == []


# where the files are


def test_the_folder_of_the_first_to_open_a_database_is_marked_and_no_other(store, postgres_url, tmp_path):
    (row,) = store._list(sa.select(t.marks))
    assert read_mark(store.workspace) == row["database_id"]
    Store(tmp_path / "another", url=postgres_url).close()
    assert read_mark(tmp_path / "another") == ""
    (store.workspace / MARK_NAME).unlink()
    Store(store.workspace, url=postgres_url).close()
    assert read_mark(store.workspace) == ""  # a folder that was emptied is not the old one


@pytest.mark.parametrize(
    "url", ["mysql://a@b/c", "nonsense", "sqlite://", "postgresql://ann:hush@db", "postgresql+asyncpg://a@b/c"]
)
def test_a_url_that_is_not_ours_is_refused_without_being_shown(tmp_path, url):
    with pytest.raises(StoreUrlInvalid) as refused:
        Store(tmp_path / ".feilun", url=url)
    assert "hush" not in str(refused.value)

"""The monitor: what was answered is what is counted, and traffic that moved is told from traffic that did not."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from feilun.feedback import MonitorInvalid, MonitorTimeInvalid
from feilun.feedback.monitor import floor, monitor, population_stability_index
from feilun.project import Project
from feilun.store import Store
from feilun.store import tables as t
from feilun.store.chain import Unaudited
from feilun.store.database import alembic_config
from feilun.store.errors import IdempotencyConflict

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "feilun.toml").write_text('[project]\nname = "support"\n', "utf-8")
    with Project(tmp_path) as project:
        yield project


def answers(n: int, *, at: datetime, first: int = 0, **other: Any) -> list[dict[str, Any]]:
    row: dict[str, Any] = {
        "project": "support",
        "model_id": "m_1",
        "inputs": {"text": "hello"},
        "labels": ["delivery"],
        "confidence": 0.9,
        "decision": "answer",
        "reason": "sure",
        "alternatives": [],
        "teach": 0.1,
        "queue_state": "none",
        "latency_ms": 4.0,
        "created_at": at,
    }
    return [row | {"prediction_id": f"p{i}", "example_id": f"e{i}"} | other for i in range(first, first + n)]


def test_what_was_answered_is_what_is_shown(project: Project):
    store = project.store
    store.add_predictions(answers(3, at=NOON - DAY)).result()
    unsure = {"labels": ["refund"], "confidence": 0.1, "decision": "hand_over", "latency_ms": 200.0}
    store.add_predictions(answers(1, at=NOON, first=3, **unsure)).result()
    store.add_predictions(answers(5, at=NOON - 30 * DAY, first=4)).result()  # before the interval
    for label in ("delivery", "refund"):
        store.add_feedback("support", prediction_id="p3", actor="ann", body_hash=label, labels=[label])
    today = datetime.now(UTC)
    seen = project.monitor(since=NOON - 2 * DAY, until=NOON + timedelta(hours=1))
    assert [one.at for one in seen.buckets] == [datetime(2026, 11, day, tzinfo=UTC) for day in (23, 24, 25)]
    assert [one.n_messages for one in seen.buckets] == [0, 3, 1]
    assert [one.n_handed_over for one in seen.buckets] == [0, 0, 1]
    assert [one.confidence for one in seen.buckets] == [(0, 0, 0, 0, 0), (0, 0, 0, 0, 3), (1, 0, 0, 0, 0)]
    assert seen.buckets[0].p99_ms is None
    assert (seen.whole.p50_ms, seen.whole.p99_ms) == (pytest.approx(4, rel=0.05), pytest.approx(200, rel=0.05))
    assert [(one.label, one.n) for one in seen.labels] == [("delivery", 3), ("refund", 1)]
    given = project.monitor(since=today - timedelta(hours=1), until=today + timedelta(hours=1), bucket="hour").whole
    assert (given.n_feedback, given.n_contradicted) == (2, 1)


def test_the_messages_behind_a_figure_are_listed_latest_first(project: Project):
    store = project.store
    store.add_predictions(answers(3, at=NOON - DAY)).result()
    odd = {"labels": ['退 "款"_100%', "refund"], "reason": "out_of_scope", "decision": "hand_over"}
    store.add_predictions(answers(2, at=NOON, first=3, **odd)).result()
    store.add_predictions(answers(1, at=NOON, first=5, labels=["refund later"], reason="asked")).result()

    def found(**wanted: Any) -> list[str]:
        return [row["prediction_id"] for row in project.list_answers(**wanted)]

    assert found() == ["p4", "p3", "p2", "p1", "p0"]  # what a person put into the queue was nobody's answer
    assert found(label="refund") == found(label='退 "款"_100%') == found(reason="out_of_scope") == ["p4", "p3"]
    assert found(label="efund") == found(label="%") == found(label="refund", reason="memory") == []
    assert found(since=NOON - timedelta(hours=1)) == ["p4", "p3"]
    first, second = project.list_answers(label="delivery", limit=2)
    assert [first["prediction_id"], *found(label="delivery", before=second["seq"])] == ["p2", "p0"]


def test_counts_of_two_servers_on_one_workspace_add_up(project: Project):
    with_it = Project(project.folder)
    try:
        project.store.add_predictions(answers(2, at=NOON)).result()
        with_it.store.add_predictions(answers(3, at=NOON, first=2)).result()
        seen = project.monitor(since=NOON, until=NOON + DAY)
    finally:
        with_it.close()
    assert seen.whole.n_messages == 5


def test_feedback_that_shares_a_commit_is_counted_once_each_and_what_was_refused_is_not(project: Project):
    store, held, hold = project.store, threading.Event(), threading.Event()
    store.add_predictions(answers(1, at=NOON)).result()

    def give(n: int) -> None:
        said = {"actor": "ann", "labels": ["refund"], "body_hash": f"{n}", "idempotency_key": f"{n % 5}"}
        store.add_feedback("support", prediction_id="p0", **said)

    def wait(_connection: sa.Connection) -> None:
        held.set()
        hold.wait(30)

    store.writer.submit(wait, audit=Unaudited("holds the writer until all of them wait"))
    assert held.wait(30)
    with ThreadPoolExecutor(9) as people:
        given = [people.submit(give, n) for n in range(9)]  # four of them say something else under a key that is taken
        while store.writer._waiting.qsize() < 9:
            time.sleep(0.01)
        hold.set()
    refused = [one.exception() for one in given if one.exception() is not None]
    assert [type(error) for error in refused] == [IdempotencyConflict] * 4
    now = datetime.now(UTC)
    whole = project.monitor(since=now - timedelta(hours=1), until=now + timedelta(hours=1), bucket="hour").whole
    assert (whole.n_feedback, whole.n_contradicted) == (5, 5)


def test_percentiles_are_within_five_percent_of_the_exact_ones(project: Project):
    times = np.random.default_rng(0).lognormal(mean=1.5, sigma=1, size=2000)
    rows = [row | {"latency_ms": float(ms)} for row, ms in zip(answers(2000, at=NOON), times, strict=True)]
    project.store.add_predictions(rows).result()
    whole = project.monitor(since=NOON, until=NOON + DAY).whole
    exact = np.percentile(times, [50, 95, 99], method="inverted_cdf")
    assert (whole.p50_ms, whole.p95_ms, whole.p99_ms) == pytest.approx(tuple(exact), rel=0.05)


def test_the_stability_index_is_the_sum_that_the_book_gives():
    now, before = [199.5, 799.5], [399.5, 599.5]  # with the half message each: shares of 0.2, 0.8 and 0.4, 0.6
    by_hand = (0.2 - 0.4) * np.log(0.2 / 0.4) + (0.8 - 0.6) * np.log(0.8 / 0.6)
    assert population_stability_index(now, before) == pytest.approx(by_hand, abs=1e-3)  # type: ignore[arg-type]
    assert population_stability_index([7, 0, 3], [7, 0, 3]) == 0


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ((300, 300), "steady"),
        ((360, 240), "steady"),
        ((420, 180), "shifted"),
        ((540, 60), "drifted"),
        ((90, 90), "too_few"),
    ],
)
def test_drift_is_told_by_how_far_the_labels_moved(now: tuple[int, int], state: str):
    def counted(a: int, b: int) -> list[dict[str, Any]]:
        said = [("label", "a", a), ("label", "b", b), ("decision", "answer", a + b), ("confidence", "19", a + b)]
        return [{"at": "2026-11-25", "part": part, "value": value, "n": n} for part, value, n in said]

    seen = monitor(counted(*now), earlier=counted(300, 300), since=floor(NOON, "day"), until=NOON, bucket="day")
    assert seen.drift.state == state


def test_weeks_begin_on_monday_and_take_in_their_days(project: Project):
    project.store.add_predictions(answers(1, at=NOON)).result()
    project.store.add_predictions(answers(1, at=NOON - 7 * DAY, first=1)).result()
    seen = project.monitor(since=NOON - 7 * DAY, until=NOON + DAY, bucket="week")
    assert [(one.at.date().isoformat(), one.n_messages) for one in seen.buckets] == [
        ("2026-11-16", 1),
        ("2026-11-23", 1),
    ]


@pytest.mark.parametrize(
    ("since", "until", "error"),
    [
        (NOON, NOON, MonitorInvalid),
        (NOON, NOON - DAY, MonitorInvalid),
        (NOON - 1001 * DAY, NOON, MonitorInvalid),
        (datetime.min, NOON, MonitorTimeInvalid),
        (NOON, datetime.max, MonitorTimeInvalid),
    ],
    ids=["empty", "backwards", "too much", "before our age", "after it"],
)
def test_an_interval_that_cannot_be_shown_is_refused(project: Project, since, until, error):
    with pytest.raises(error):
        project.monitor(since=since, until=until)


def test_what_was_answered_before_there_were_counts_is_counted_by_the_migration(tmp_path: Path):
    with Store(tmp_path) as store:
        store.add_project("support", folder=tmp_path)
        labels = {"labels": ["refund", "delivery"], "latency_ms": 0.01, "confidence": 1.0}
        store.add_predictions(answers(2, at=NOON) + answers(1, at=NOON + DAY, first=2, **labels)).result()
        store.add_feedback("support", prediction_id="p1", actor="ann", body_hash="h", thumb="down")
        counted = every_count(store)
    from alembic import command

    with store.engine.connect() as connection, connection.begin():
        command.downgrade(alembic_config(connection), "0009")
        assert not sa.inspect(connection).has_table("tallies")
    with Store(tmp_path) as again:
        assert every_count(again) == counted != []


@pytest.mark.parametrize("bucket", [None, "day"])
def test_days_and_the_hours_at_their_ends_add_up_to_what_the_hours_do(tmp_path: Path, database_url: str, bucket):
    rng = random.Random(7)
    with Store(tmp_path / ".feilun", url=database_url) as store:
        store.add_project("support", folder=tmp_path)
        rows = [answers(1, at=NOON + timedelta(hours=rng.randrange(96)), first=i)[0] for i in range(200)]
        store.add_predictions(rows).result()
        ends = [NOON + timedelta(minutes=m) for m in (-3000, 0, 60, 90, 720, 721, 779, 1500, 2160, 3600, 5000, 9000)]
        for since, until in itertools.combinations(ends, 2):
            hours = Counter[tuple[str, str, str]]()
            for row in store.sum_tallies("support", since=since, until=until, bucket="hour"):
                at = "" if bucket is None else row["at"][:10]
                hours[at, row["part"], row["value"]] += row["n"]
            found = store.sum_tallies("support", since=since, until=until, bucket=bucket)
            assert {(row["at"], row["part"], row["value"]): row["n"] for row in found} == hours, (since, until)
            assert len(found) == len(hours)


def every_count(store: Store) -> list[tuple[Any, ...]]:
    """The counts by hour, and by day."""
    return [row for table in (t.tallies, t.tally_days) for row in _counts_in(store, table)]


def _counts_in(store: Store, table: sa.Table) -> list[tuple[Any, ...]]:
    c = table.c
    key = (c.project, c.day if table is t.tally_days else c.hour, c.part, c.value)
    query = sa.select(*key, sa.func.sum(c.n)).group_by(*key).order_by(*key)
    with store.engine.connect().execution_options(feilun_readonly=True) as connection:
        rows = connection.execute(query).all()
    return [tuple(row) for row in rows]

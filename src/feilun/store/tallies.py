"""Counts of what was answered, by hour and by day, so that a monitor need not read the answers themselves.

They grow in the commit of what they count, both in one place: the days are the sums of their hours. Each server adds to
rows of its own: two of them never wait for each other.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from feilun.store import tables as t

N_CONFIDENCE_BINS = 20
LATENCY_FLOOR_MS, LATENCY_RATIO = 0.1, 1.1  # a bin is 10 % wide: its middle is within 5 % of what was measured
MOST_LATENCY_BIN = 200  # five hours and more
MAX_VALUE = 200  # characters of a label that are told apart; an index row of PostgreSQL ends at 2,700 bytes

Key = tuple[str, datetime, str, str]  # project, hour, part, value
Waiting = list[tuple[str, Counter[Key]]]
_WAITING = "feilun.tallies"


def tally_predictions(rows: Iterable[Mapping[str, Any]]) -> Counter[Key]:
    """What served predictions add to the counts."""
    counts: Counter[Key] = Counter()
    for row in rows:
        project, hour = row["project"], hour_of(row["created_at"])
        counts[project, hour, "decision", row["decision"]] += 1
        counts[project, hour, "confidence", str(confidence_bin(row["confidence"]))] += 1
        counts[project, hour, "latency", str(latency_bin(row["latency_ms"]))] += 1
        for label in row["labels"]:
            counts[project, hour, "label", label[:MAX_VALUE]] += 1
    return counts


def tally_feedback(row: Mapping[str, Any]) -> Counter[Key]:
    """What a row of feedback adds: that it was given, and whether it speaks against the answer."""
    said = ("given", "contradicted") if row.get("contradicts") else ("given",)
    return Counter({(row["project"], hour_of(row["created_at"]), "feedback", value): 1 for value in said})


def add_tallies(connection: sa.Connection, counts: Counter[Key], *, writer: str) -> None:
    """Add the counts in the transaction of what they count: now, or with others' at its end, see `gathered_tallies`."""
    waiting: Waiting | None = connection.info.get(_WAITING)
    if waiting is not None:
        waiting.append((writer, counts))
    else:
        _add(connection, counts, writer=writer)


@contextmanager
def gathered_tallies(connection: sa.Connection) -> Iterator[Waiting]:
    """What is added meanwhile is written once, at the end: a statement for each row of feedback costs more than it.

    Gives the list that it grows in; who undoes a part of the transaction takes that part's off its end.
    """
    waiting: Waiting = []
    connection.info[_WAITING] = waiting
    try:
        yield waiting
        sums: dict[str, Counter[Key]] = defaultdict(Counter)
        for writer, counts in waiting:
            sums[writer].update(counts)
        for writer, counts in sums.items():
            _add(connection, counts, writer=writer)
    finally:
        del connection.info[_WAITING]


def _add(connection: sa.Connection, counts: Counter[Key], *, writer: str) -> None:
    days: Counter[Key] = Counter()
    for (project, hour, part, value), n in counts.items():
        days[project, day_of(hour), part, value] += n
    for names, sums in ((_HOURS, counts), (_DAYS, days)):
        rows = [dict(zip(names, key, strict=True), writer=writer, n=n) for key, n in sorted(sums.items())]
        if rows:
            connection.execute(_ADD[connection.dialect.name, names], rows)


def hour_of(at: datetime) -> datetime:
    """The hour in which `at` lies, in UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(at: datetime) -> datetime:
    """The day in which `at` lies, in UTC."""
    return hour_of(at).replace(hour=0)


def confidence_bin(confidence: float) -> int:
    """Which of `N_CONFIDENCE_BINS` equal ones; 1 belongs to the last."""
    return min(max(int(confidence * N_CONFIDENCE_BINS), 0), N_CONFIDENCE_BINS - 1)


def latency_bin(ms: float) -> int:
    """Bins grow by `LATENCY_RATIO` from `LATENCY_FLOOR_MS` on; the first holds all that is faster."""
    if ms <= LATENCY_FLOOR_MS:
        return 0
    return min(math.ceil(math.log(ms / LATENCY_FLOOR_MS, LATENCY_RATIO)), MOST_LATENCY_BIN)


def latency_of(bin_: int) -> float:
    """The middle of a bin, in milliseconds."""
    return LATENCY_FLOOR_MS * float(LATENCY_RATIO ** (bin_ - 0.5))


_HOURS, _DAYS = (("project", when, "part", "value") for when in ("hour", "day"))


def _adding(dialect: Any, table: sa.Table, names: tuple[str, ...]) -> Any:
    statement = dialect.insert(table)
    known = [table.c[name] for name in (*names, "writer")]
    return statement.on_conflict_do_update(index_elements=known, set_={"n": table.c.n + statement.excluded.n})


_ADD = {
    (name, names): _adding(dialect, table, names)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
    for table, names in ((t.tallies, _HOURS), (t.tally_days, _DAYS))
}

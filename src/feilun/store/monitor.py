"""The verb behind the monitor: counts of an interval of time, added up from those of days, and at its ends of hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.tallies import day_of
from feilun.store.verbs import Verbs

ALMOST_A_DAY = timedelta(days=1) - timedelta(microseconds=1)
Span = tuple[sa.Table, datetime, datetime]
N_CHARS = {"hour": 13, "day": 10}  # of an ISO time, that tell one bucket from another


class MonitorVerbs(Verbs):
    """How much of what was answered, when."""

    def sum_tallies(
        self, project: str, *, since: datetime, until: datetime, bucket: Literal["hour", "day"] | None = None
    ) -> list[dict[str, Any]]:
        """The counts of the whole hours from `since` to before `until`, for each bucket, or (None) for all together.

        Returns:
            Rows with at (such as "2026-11-28T04" or "2026-11-28"; empty without buckets), part, value and n.
        """
        spans = _spans(since, until, whole_days=bucket != "hour")
        of = sa.union_all(*(_read(project, table, begin, end) for table, begin, end in spans)).subquery().c
        at = sa.literal("") if bucket is None else sa.func.substr(of.iso, 1, N_CHARS[bucket], type_=sa.String)
        groups = [of.part, of.value] if bucket is None else [at, of.part, of.value]
        n = sa.cast(sa.func.sum(of.n), sa.BigInteger)  # PostgreSQL adds big numbers up to decimals
        return self._list(sa.select(at.label("at"), of.part, of.value, n.label("n")).group_by(*groups))

    def find_last_hour(self, project: str) -> datetime | None:
        """The beginning of the last hour in which something was answered."""
        c = t.tallies.c
        latest = sa.select(sa.func.max(c.hour).label("hour")).where(c.project == project, c.part == "decision")
        (row,) = self._list(latest)
        return row["hour"]


def _spans(since: datetime, until: datetime, *, whole_days: bool) -> list[Span]:
    """What to read so that every hour from `since` to before `until` is counted once: whole days, where that is
    wanted and there are any, and the hours before and after them."""
    first, end = day_of(since + ALMOST_A_DAY), day_of(until)
    if not whole_days or first >= end:
        return [(t.tallies, since, until)]
    return [(t.tallies, since, first), (t.tally_days, first, end), (t.tallies, end, until)]


def _read(project: str, table: sa.Table, since: datetime, until: datetime) -> sa.Select[Any]:
    c = table.c
    when = c.day if table is t.tally_days else c.hour
    iso = sa.type_coerce(when, sa.String).label("iso")
    return sa.select(iso, c.part, c.value, c.n).where(c.project == project, when >= since, when < until)

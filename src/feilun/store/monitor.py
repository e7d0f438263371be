"""The verb behind the monitor: counts of an interval of time, added up."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.verbs import Verbs

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
        c = t.tallies.c
        iso = sa.type_coerce(c.hour, sa.String)
        at = sa.literal("") if bucket is None else sa.func.substr(iso, 1, N_CHARS[bucket], type_=sa.String)
        groups = [c.part, c.value] if bucket is None else [at, c.part, c.value]
        query = sa.select(at.label("at"), c.part, c.value, sa.func.sum(c.n).label("n")).where(
            c.project == project, c.hour >= since, c.hour < until
        )
        # PostgreSQL adds big numbers up to decimals.
        return [row | {"n": int(row["n"])} for row in self._list(query.group_by(*groups))]

    def find_last_hour(self, project: str) -> datetime | None:
        """The beginning of the last hour in which something was answered."""
        c = t.tallies.c
        latest = sa.select(sa.func.max(c.hour).label("hour")).where(c.project == project, c.part == "decision")
        (row,) = self._list(latest)
        return row["hour"]

"""Verbs on how many requests about a project came and failed, minute by minute: what its servers counted, together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from feilun.store import tables as t
from feilun.store.chain import TRAFFIC
from feilun.store.usage import UsageVerbs

KEPT = timedelta(days=2)  # nobody looks back further than a day


class OutcomeVerbs(UsageVerbs):
    """Requests that came, and those that failed."""

    def add_outcomes(self, project: str, counts: Mapping[datetime, tuple[int, int]]) -> None:
        """Add to the counts of this process.

        Args:
            counts: by minute, how many requests came and how many of them failed.
        """
        mine = {"project": project, "writer": self._tally_writer}
        rows = [mine | {"minute": at, "n": n, "n_failed": n_failed} for at, (n, n_failed) in sorted(counts.items())]
        c = t.outcomes.c
        old = t.outcomes.delete().where(c.project == project, c.minute < t.utc_now() - KEPT)

        def work(connection: sa.Connection) -> None:
            connection.execute(old)
            connection.execute(_ADD[connection.dialect.name], rows)

        if rows:
            self.writer.write(work, audit=TRAFFIC)

    def sum_outcomes(self, project: str, *, since: datetime) -> tuple[int, int]:
        """How many requests came in the minutes that began at `since` or later, and how many of them failed."""
        c = t.outcomes.c
        n, n_failed = (sa.func.coalesce(sa.func.sum(column), 0) for column in (c.n, c.n_failed))
        query = sa.select(n.label("n"), n_failed.label("n_failed")).where(c.project == project, c.minute >= since)
        (row,) = self._list(query)
        return int(row["n"]), int(row["n_failed"])


def _adding(dialect: Any) -> Any:
    statement, c = dialect.insert(t.outcomes), t.outcomes.c
    sums = {name: c[name] + statement.excluded[name] for name in ("n", "n_failed")}
    return statement.on_conflict_do_update(index_elements=[c.project, c.minute, c.writer], set_=sums)


_ADD = {"sqlite": _adding(sqlite), "postgresql": _adding(postgresql)}

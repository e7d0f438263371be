"""Verbs on the ledger of what was used: it grows, in the same commit as what it counts, and is added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import fields
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa

from feilun.records import Bill, Usage
from feilun.store import tables as t
from feilun.store.chain import TRAFFIC
from feilun.store.tallies import add_tallies, tally_predictions
from feilun.store.tenants import Reach
from feilun.store.verbs import Verbs, new_id

COUNTS = ("n_requests", "n_inputs", "n_characters", "n_tokens", "cpu_ms")
PARTS = ("day", "tenant", "project", "key_id", "kind")
_BILL = tuple(field.name for field in fields(Bill))


class Recorded(NamedTuple):
    """Served predictions and what they go to somebody's account as: written together or not at all."""

    predictions: Sequence[dict[str, Any]] = ()
    usage: Usage | None = None


class UsageVerbs(Verbs):
    """What was used, by whom."""

    def add_usage(self, usage: Usage) -> Future[None]:
        """Queue a line for the ledger; the future resolves once it is on disk, after about `LINGER_S`."""
        return self._record(Recorded(usage=usage))

    def _record(self, item: Recorded) -> Future[None]:
        return self.writer.gather("recorded", item, write=self._write_recorded, audit=TRAFFIC)

    @cached_property
    def _tally_writer(self) -> str:
        """Whose rows of the counts this process adds to."""
        return new_id("w")

    def _write_recorded(self, connection: sa.Connection, items: list[Recorded]) -> None:
        rows = [row for item in items for row in item.predictions]
        if rows:
            connection.execute(t.predictions.insert(), rows)
            add_tallies(connection, tally_predictions(rows), writer=self._tally_writer)
        lines = [item.usage for item in items if item.usage is not None]
        if lines:
            connection.execute(t.usage.insert(), _folded(lines))

    def sum_usage(
        self,
        within: Reach,
        *,
        since: datetime,
        until: datetime,
        by: Sequence[str] = PARTS,
        key_id: str | None = None,
        not_by: str = "",
    ) -> list[dict[str, Any]]:
        """The ledger in sight from `since` to before `until`, added up for each value of the parts `by`, in order.

        Args:
            by: of `PARTS`.
            key_id: only what goes on this account; None for every one.
            not_by: without what this server wrote.
        Returns:
            Rows with the parts, the sums of `COUNTS`, and `n_units`: requests, those with several inputs as so many.
        """
        u = t.usage.c
        parts = {name: _day() if name == "day" else u[name] for name in by}
        where = within.rows_of(t.usage) + ([] if key_id is None else [u.key_id == key_id])
        units = sa.case((u.n_inputs > u.n_requests, u.n_inputs), else_=u.n_requests)
        sums = [sa.func.sum(u[name]).label(name) for name in COUNTS] + [sa.func.sum(units).label("n_units")]
        query = sa.select(*(part.label(name) for name, part in parts.items()), *sums)
        query = query.where(u.minute >= since, u.minute < until, u.server != not_by, *where)
        rows = self._list(query.group_by(*parts.values()).order_by(*parts.values()))
        # Without parts there is one row even of nothing; PostgreSQL adds big numbers up to decimals.
        return [_as_numbers(row) for row in rows if row["n_requests"] is not None]


def add_usage_now(connection: sa.Connection, usage: Usage) -> None:
    """Write a line in the transaction of what it counts."""
    connection.execute(t.usage.insert(), _folded([usage]))


def _folded(lines: Iterable[Usage]) -> list[dict[str, Any]]:
    """Rows of the table: lines on the same account become one."""
    sums: dict[Bill, list[Any]] = {}
    for line in lines:
        known = sums.setdefault(line.bill, [0] * len(COUNTS))
        known[:] = [total + getattr(line, name) for total, name in zip(known, COUNTS, strict=True)]
    return [
        {name: getattr(bill, name) for name in _BILL} | dict(zip(COUNTS, found, strict=True))
        for bill, found in sums.items()
    ]


def _day() -> sa.ColumnElement[str]:
    return sa.func.substr(sa.type_coerce(t.usage.c.minute, sa.String), 1, 10, type_=sa.String)


def _as_numbers(row: dict[str, Any]) -> dict[str, Any]:
    counts = {name: int(row[name]) for name in (*COUNTS, "n_units") if name != "cpu_ms"}
    return row | counts | {"cpu_ms": float(row["cpu_ms"])}

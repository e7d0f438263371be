"""Verbs on the audit log: reading it, and what happens outside the database and belongs into it all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import GENESIS, Change, Head, Unaudited
from feilun.store.tenants import Reach
from feilun.store.verbs import CHUNK, MAX_PAGE, Verbs


class AuditVerbs(Verbs):
    """The log of every change of state."""

    def add_audit(self, change: Change) -> None:
        """Enter what was done to files, such as a backup; what the database does enters itself."""
        self.writer.write(lambda _: None, audit=lambda _: change)

    def change_audit_key(self, *, why: str, actor: str) -> None:
        """Sign the log with a new key from here on: after a restore, or when the key was lost."""
        self.writer.write(
            lambda c: self.ledger.change_key(c, why=why, actor=actor), audit=Unaudited("it enters itself")
        )

    def list_audit(self, within: Reach, *, after: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Entries in sight, in order, `details` as a value; those with seq > after, or the latest."""
        query = sa.select(t.audit).where(*within.rows_of(t.audit)).limit(min(limit, MAX_PAGE))
        if after is None:
            rows = self._list(query.order_by(t.audit.c.seq.desc()))[::-1]
        else:
            rows = self._list(query.where(t.audit.c.seq > after).order_by(t.audit.c.seq))
        return [row | {"details": _details(row["details"])} for row in rows]

    def list_latest_audit(self, within: Reach, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Entries in sight, latest first; `before` is the `seq` of the last entry of the page before."""
        query = sa.select(t.audit).where(*within.rows_of(t.audit)).limit(min(limit, MAX_PAGE))
        if before is not None:
            query = query.where(t.audit.c.seq < before)
        return [row | {"details": _details(row["details"])} for row in self._list(query.order_by(t.audit.c.seq.desc()))]

    def get_audit_head(self) -> Head:
        """Where the log ends."""
        row = self._find(sa.select(t.audit_head))
        return Head(row["seq"], row["hash"]) if row else Head(0, GENESIS)

    @contextmanager
    def audit_chain(self) -> Iterator[tuple[Iterator[dict[str, Any]], Head, str]]:
        """Every entry as it is stored, in order, then the head and its signature, all of one moment."""
        with self.one_moment() as connection:
            yield read_chain(connection)


def read_chain(connection: sa.Connection) -> tuple[Iterator[dict[str, Any]], Head, str]:
    """Every entry as it is stored, in order, the head and its signature, as the connection's transaction sees them."""
    kept = connection.execute(sa.select(t.audit_head)).first()
    rows = connection.execution_options(yield_per=CHUNK).execute(sa.select(t.audit).order_by(t.audit.c.seq))
    entries = (dict(row) for row in rows.mappings())
    return entries, *((Head(kept.seq, kept.hash), kept.signature) if kept else (Head(0, GENESIS), ""))


def _details(text: str) -> Any:
    """What `details` says; a text that somebody has damaged is shown as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return {"unreadable": text}

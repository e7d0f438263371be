"""Verbs on what keys and tenants may use, and the one bucket of permits that all servers on a store draw from.

The bucket is the generic cell rate algorithm (ITU-T I.371): all it keeps is the moment at which it would be full again.
Taking n permits moves that moment n intervals away; a bucket of b is empty when it is b intervals away.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from feilun.records import Limit
from feilun.store import tables as t
from feilun.store.chain import Change
from feilun.store.errors import KeyUnknown, TenantUnknown
from feilun.store.tenants import Reach
from feilun.store.verbs import MAX_SHOWN, Verbs

FIELDS = ("per_minute", "burst", "monthly_requests", "monthly_characters")


class Permits(NamedTuple):
    """Permits that were handed out."""

    n: int
    n_left: float  # that the bucket holds still
    wait_s: float  # until it holds one
    full_at: float


def draw(full_at: float, *, now: float, n: int, per_minute: int, burst: int) -> Permits:
    """Take up to `n` permits at `now` from a bucket that would be full again at `full_at`; times in seconds.

    A bucket that would be full later than an empty one can be was written by a clock that ran ahead: it is empty.
    """
    interval = 60 / per_minute
    full_at = min(max(full_at, now), now + burst * interval)
    held = burst - (full_at - now) / interval
    taken = min(n, int(held + 1e-6))  # a permit that is there but for the rounding is there
    left = max(held - taken, 0.0)
    return Permits(taken, left, max(1 - left, 0.0) * interval, full_at + taken * interval)


class LimitVerbs(Verbs):
    """What keys and tenants may use."""

    hasty_engine: sa.Engine

    def set_limit(self, within: Reach, limit: Limit, *, actor: str) -> Limit:
        """What a key or a tenant in sight may use from now on; a limit of nothing is no limit.

        Raises:
            KeyUnknown, TenantUnknown: it is not in sight, or there is none.
        """
        here = _of(limit.subject, limit.subject_id)
        told = {name: getattr(limit, name) for name in FIELDS}
        names = {"subject": limit.subject, "subject_id": limit.subject_id}

        def work(connection: sa.Connection) -> Change | None:
            owner = _owner(connection, within, limit)
            row = connection.execute(sa.select(t.limits).where(*here)).mappings().first()
            if told == (dict.fromkeys(FIELDS) if row is None else {name: row[name] for name in FIELDS}):
                return None
            values = {**told, **owner, "changed_at": t.utc_now()}
            if not any(value is not None for value in told.values()):
                connection.execute(t.limits.delete().where(*here))
            elif not connection.execute(t.limits.update().where(*here).values(values)).rowcount:
                connection.execute(t.limits.insert().values({**values, **names, "full_at": 0.0}))
            whose = {name: value or "" for name, value in owner.items()}
            return Change("limit.set", limit.subject_id, actor, **whose, details={"subject": limit.subject, **told})

        self.writer.write(work, audit=lambda change: change)
        return limit

    def find_limit(self, within: Reach, subject: str, subject_id: str) -> Limit | None:
        row = self._find(sa.select(t.limits).where(*_of(subject, subject_id), *_in_sight(within)))
        return None if row is None else _limit(row)

    def list_limits(self, within: Reach) -> list[Limit]:
        """Those in sight, of keys first."""
        query = sa.select(t.limits).where(*_in_sight(within))
        return [_limit(row) for row in self._list(query.order_by(t.limits.c.subject, t.limits.c.subject_id))]

    def lease_permits(self, subject: str, subject_id: str, *, n: int, now: float | None = None) -> Permits | None:
        """Take up to `n` permits for this server; None when there is no rate limit any more.

        A transaction of its own, beside the writer: several leases in one group of the writer would hold several rows,
        and two servers could wait for each other. It waits for no disk: a power cut gives some permits back, no more.
        `now` is the database's clock unless it is given.
        """
        here = {"of": subject, "of_id": subject_id}
        with self.hasty_engine.connect() as connection, connection.begin():
            row = connection.execute(_LOOK, here).first()
            if row is None or row.per_minute is None:
                return None
            moment = clock(connection) if now is None else now
            lease = draw(row.full_at, now=moment, n=n, per_minute=row.per_minute, burst=row.burst)
            if lease.n:
                connection.execute(_MOVE, here | {"moved": lease.full_at})
            return lease


# Made once: making a statement costs more than carrying it out.
_HERE = t.limits.c.subject == sa.bindparam("of"), t.limits.c.subject_id == sa.bindparam("of_id")
_LOOK = sa.select(t.limits.c.per_minute, t.limits.c.burst, t.limits.c.full_at).where(*_HERE).with_for_update()
_MOVE = t.limits.update().where(*_HERE).values(full_at=sa.bindparam("moved"))


def _of(subject: str, subject_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return t.limits.c.subject == subject, t.limits.c.subject_id == subject_id


def _in_sight(within: Reach) -> list[sa.ColumnElement[bool]]:
    """As `Reach.rows_of`; that of its tenant holds for a project's key too, which may therefore know it."""
    whole = Reach(within.tenant).rows_of(t.limits)
    if within.project is None:
        return whole
    return [*whole, sa.or_(t.limits.c.project == within.project, t.limits.c.subject == "tenant")]


def _owner(connection: sa.Connection, within: Reach, limit: Limit) -> dict[str, str | None]:
    """Whose the key or the tenant is that a limit is for.

    Raises:
        KeyUnknown, TenantUnknown: it is not in sight, or there is none.
    """
    if limit.subject == "key":
        k = t.api_keys.c
        query = sa.select(k.tenant, k.project).where(k.key_id == limit.subject_id, *within.rows_of(t.api_keys))
        row = connection.execute(query).mappings().first()
        if row is None:
            raise KeyUnknown(key_id=limit.subject_id[:MAX_SHOWN])
        return dict(row)
    known = sa.select(t.tenants.c.tenant).where(t.tenants.c.tenant == limit.subject_id)
    if within.tenant not in (None, limit.subject_id) or connection.execute(known).first() is None:
        raise TenantUnknown(tenant=limit.subject_id[:MAX_SHOWN])
    return {"tenant": limit.subject_id, "project": None}


def _limit(row: dict[str, Any]) -> Limit:
    return Limit(**{name: row[name] for name in ("subject", "subject_id", *FIELDS)})


def clock(connection: sa.Connection) -> float:
    """Seconds since 1970 by the clock that all servers on this database share."""
    if connection.dialect.name == "sqlite":
        return time.time()  # SQLite runs in this process, and all who use the file are on this machine
    return float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())

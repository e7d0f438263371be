"""Verbs on sessions, and on the tries to begin one; of a session's token only the hash is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import Change, Unaudited
from feilun.store.limits import Permits, clock, draw
from feilun.store.people import PeopleVerbs, about
from feilun.store.tenants import Reach

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
USED = Unaudited("when a session was used last is traffic")
TRIED = Unaudited("a try to sign in changes nothing; signing in is an entry")


class Knock(NamedTuple):
    """A bucket of tries that refills by `per_minute` and holds at most `burst`."""

    subject: str
    per_minute: int
    burst: int


class SessionVerbs(PeopleVerbs):
    """Who has signed in."""

    def add_session(self, within: Reach, person_id: str, *, token_hash: str) -> None:
        """Sign somebody in.

        Raises:
            PersonUnknown: they are not in sight, or there is nobody.
        """
        row = self.get_person(within, person_id)
        now = t.utc_now()
        values = {"token_hash": token_hash, "person_id": person_id, "tenant": row["tenant"]}
        query = t.sessions.insert().values(created_at=now, last_used_at=now, **values)

        def work(connection: sa.Connection) -> None:
            connection.execute(t.sessions.delete().where(t.sessions.c.created_at < now - LONGEST))
            connection.execute(query)

        begun = about("session.begun", row, row["sign_in_name"], {})
        self.writer.write(work, audit=lambda _: begun)

    def find_session(self, token_hash: str) -> dict[str, Any] | None:
        """Whose living session this is, with `last_used_at`; None too when they, or their tenant, are shut out."""
        s, now = t.sessions.c, t.utc_now()
        whose = t.sessions.join(t.people, t.people.c.person_id == s.person_id).outerjoin(
            t.tenants, t.tenants.c.tenant == t.people.c.tenant
        )
        is_open = (t.people.c.disabled_at.is_(None), t.tenants.c.disabled_at.is_(None), s.ended_at.is_(None))
        is_young = (s.last_used_at > now - IDLE, s.created_at > now - LONGEST)
        query = sa.select(t.people, s.token_hash, s.last_used_at).select_from(whose)
        return self._find(query.where(s.token_hash == token_hash, *is_open, *is_young))

    def note_session_used(self, token_hash: str) -> None:
        """Remember that a session was used just now; may share a commit with others, nobody waits for it."""
        query = t.sessions.update().where(t.sessions.c.token_hash == token_hash).values(last_used_at=t.utc_now())
        self.writer.submit(lambda c: c.execute(query), audit=USED, may_linger=True)

    def end_session(self, token_hash: str) -> None:
        """Sign out; ending what has ended changes nothing."""
        s = t.sessions.c
        whose = t.sessions.join(t.people, t.people.c.person_id == s.person_id)
        row = sa.select(t.people).select_from(whose).where(s.token_hash == token_hash)
        query = t.sessions.update().where(s.token_hash == token_hash, s.ended_at.is_(None))

        def work(connection: sa.Connection) -> Change | None:
            found = connection.execute(row).mappings().first()
            if not connection.execute(query.values(ended_at=t.utc_now())).rowcount or found is None:
                return None
            return about("session.ended", dict(found), found["sign_in_name"], {})

        self.writer.write(work, audit=lambda told: told)

    def end_all_sessions(self, *, actor: str) -> int:
        """Sign everybody out; how many were signed in."""
        query = t.sessions.update().where(t.sessions.c.ended_at.is_(None)).values(ended_at=t.utc_now())

        def told(n: int) -> Change | None:
            return Change("session.all_ended", "", actor, details={"n_sessions": n}) if n else None

        return self.writer.write(lambda c: int(c.execute(query).rowcount), audit=told)

    def look_at_knocks(self, knocks: Sequence[Knock]) -> float:
        """As `take_knocks`, taking nothing: the seconds until each bucket has a try, 0 when each has one."""
        with self.engine.connect().execution_options(feilun_readonly=True) as connection:
            return _wait_s(_drawn(connection, knocks))

    def take_knocks(self, knocks: Sequence[Knock]) -> float:
        """One try from each bucket: 0, or (when one is empty, and none is taken) the seconds until it is not."""

        def work(connection: sa.Connection) -> float:
            full_again = t.knocks.c.full_at <= clock(connection)
            connection.execute(t.knocks.delete().where(full_again))  # as if never touched
            drawn = _drawn(connection, knocks)
            wait_s = _wait_s(drawn)
            if wait_s == 0:
                for knock, one in zip(knocks, drawn, strict=True):
                    _move(connection, knock.subject, one.full_at)
            return wait_s

        return self.writer.write(work, audit=TRIED)

    def put_back_knocks(self, knocks: Sequence[Knock]) -> None:
        """Give a try back to each bucket: it was a right one."""

        def work(connection: sa.Connection) -> None:
            for one in knocks:
                _move(connection, one.subject, _full_at(connection, one.subject) - 60 / one.per_minute)

        self.writer.write(work, audit=TRIED)


def _drawn(connection: sa.Connection, knocks: Sequence[Knock]) -> list[Permits]:
    """What each bucket would hand out now."""
    now = clock(connection)
    kept = [_full_at(connection, one.subject) for one in knocks]
    return [
        draw(full_at, now=now, n=1, per_minute=one.per_minute, burst=one.burst)
        for full_at, one in zip(kept, knocks, strict=True)
    ]


def _wait_s(drawn: Sequence[Permits]) -> float:
    return max((one.wait_s for one in drawn if not one.n), default=0.0)


def _full_at(connection: sa.Connection, subject: str) -> float:
    query = sa.select(t.knocks.c.full_at).where(t.knocks.c.subject == subject)
    return float(connection.execute(query).scalar() or 0.0)


def _move(connection: sa.Connection, subject: str, full_at: float) -> None:
    here = t.knocks.update().where(t.knocks.c.subject == subject)
    if not connection.execute(here.values(full_at=full_at)).rowcount:
        connection.execute(t.knocks.insert().values(subject=subject, full_at=full_at))

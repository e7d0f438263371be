"""The lease on a project: who turns it, told by a row that many machines see.

The row has a token, which grows whenever the lease changes hands, and a beat, which its holder moves every few seconds.
Whoever waits watches the beat by a monotonic clock of its own: no two machines' clocks are compared, and no clock that
jumps matters. A holder that cannot move its beat counts itself out before anybody else may. What it writes late carries
its old token and is refused in the transaction itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa

from feilun.process import identity, is_gone
from feilun.store import tables as t
from feilun.store.chain import Unaudited
from feilun.store.errors import HoldLost, ProjectBusy, StoreUnavailable
from feilun.store.faults import explained
from feilun.store.writer import Writer

log = logging.getLogger(__name__)
BEAT_S = 3.0
LOST_AFTER_S = 14.0  # without a beat that was written, the holder gives up
DEAD_AFTER_S = 20.0  # without a beat that was seen, another one takes over
LOOK_EVERY_S = 0.25
HELD = Unaudited("who is at work now, not what came of it")


class _Sight(NamedTuple):
    """What stands in the row."""

    token: int
    beat: int
    holder: str


class Lease:
    """The right to turn one project, on PostgreSQL. `take` it, `give_back` at the end; `check` in between."""

    def __init__(
        self, engine: sa.Engine, writer: Writer, project: str, *, on_lost: Callable[[], None] | None = None
    ) -> None:
        self._engine, self._writer, self._project = engine, writer, project
        self._on_lost = on_lost
        self._token = 0
        self._moved_at = 0.0
        self._is_lost = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"feilun-lease-{project}", daemon=True)

    def take(self, *, is_patient: bool) -> None:
        """Wait until the lease is ours; without patience only as long as it takes to see whether its holder lives.

        Raises:
            ProjectBusy: it does, and we do not wait.
        """
        seen, since = self._look(), time.monotonic()
        while True:
            is_silent = time.monotonic() - since >= DEAD_AFTER_S
            is_free = seen is None or not seen.holder or is_silent or is_gone(seen.holder)
            if is_free and self._take_from(seen):
                break
            time.sleep(LOOK_EVERY_S)
            now = self._look()
            if now != seen:
                if not is_patient and seen is not None and now is not None and now.holder:
                    raise ProjectBusy(project=self._project)  # it moves: somebody is at work
                seen, since = now, time.monotonic()
        self._thread.start()

    def give_back(self) -> None:
        """Let the next one in; nothing happens when the lease was lost."""
        self._done.set()
        self._thread.join()
        free = t.leases.update().where(*self._ours()).values(holder="")
        try:
            self._writer.write(lambda c: c.execute(free), audit=HELD)
        except StoreUnavailable:
            log.warning("the lease on %s could not be given back; it ends by itself", self._project)

    def check(self) -> None:
        """Raises:
        HoldLost: the lease is another's, or may be by now.
        """
        if self._is_lost or time.monotonic() - self._moved_at > LOST_AFTER_S:
            raise HoldLost(project=self._project)

    def check_in(self, connection: sa.Connection) -> None:
        """The same, asked of the database, in the transaction of a write. Writers take turns, so it holds to its end.

        Raises:
            HoldLost: the lease is another's.
        """
        if connection.execute(sa.select(t.leases.c.token).where(*self._ours())).first() is None:
            raise HoldLost(project=self._project)

    def _take_from(self, seen: _Sight | None) -> bool:
        """Take the lease if what we saw still stands there; False when another one was faster."""
        moved_at = time.monotonic()
        token = seen.token + 1 if seen else 1
        row = {"token": token, "beat": 0, "holder": identity()}

        def work(connection: sa.Connection) -> bool:
            if self._read(connection) != seen:
                return False
            if seen is None:
                connection.execute(t.leases.insert().values(project=self._project, **row))
            else:
                connection.execute(t.leases.update().where(t.leases.c.project == self._project).values(row))
            return True

        if not self._writer.write(work, audit=HELD):
            return False
        self._token, self._moved_at = token, moved_at
        return True

    def _look(self) -> _Sight | None:
        with explained(self._project), self._engine.connect() as connection:
            return self._read(connection)

    def _read(self, connection: sa.Connection) -> _Sight | None:
        columns = (t.leases.c.token, t.leases.c.beat, t.leases.c.holder)
        row = connection.execute(sa.select(*columns).where(t.leases.c.project == self._project)).first()
        return None if row is None else _Sight(*row)

    def _ours(self) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return t.leases.c.project == self._project, t.leases.c.token == self._token

    def _keep(self) -> None:
        """Move the beat until the lease is given back or lost."""
        while not self._done.wait(BEAT_S):
            if not self._move() or time.monotonic() - self._moved_at > LOST_AFTER_S:
                log.error("the lease on %s was lost", self._project)
                self._is_lost = True
                if self._on_lost is not None:
                    self._on_lost()
                return

    def _move(self) -> bool:
        """Move the beat; False when the lease is another's. Without the database nothing is known, and True it is."""
        moved_at = time.monotonic()
        beat = t.leases.update().where(*self._ours()).values(beat=t.leases.c.beat + 1)
        try:
            with self._engine.begin() as connection:
                moved = connection.execute(beat).rowcount
        except sa.exc.SQLAlchemyError as error:
            log.warning("the lease on %s could not be renewed: %s", self._project, type(error).__name__)
            return True
        self._moved_at = moved_at if moved else self._moved_at
        return bool(moved)

"""Group commit: many callers wait, one thread writes, one fsync acknowledges them all.

SQLite allows one writer at a time and an fsync costs milliseconds, so every write of a process goes
through one thread. It takes whatever is waiting, runs it as one transaction (where one caller makes a
mistake, once more with a savepoint each: it is not the others'), commits once, and only then resolves
the callers' futures: nothing is acknowledged before the disk has it. On PostgreSQL the writers of all
processes take turns, see `feilun.store.postgres.take_turn`; only rows that nobody follows go past the
queue.

Every write says what the audit log tells of it, or why it tells nothing; the entries of a group are in its transaction.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from feilun.spans import LISTENER, Note
from feilun.store.chain import Audit, Change, Unaudited
from feilun.store.errors import StoreBroken
from feilun.store.faults import explain, takes_all_down
from feilun.store.ledger import Ledger
from feilun.store.postgres import take_turn
from feilun.store.tallies import Waiting, gathered_tallies

T = TypeVar("T")
MAX_GROUP = 256
LINGER_S = 0.05  # a commit costs a millisecond of CPU and an fsync: twenty a second are enough for what can wait


@dataclass
class _Piece:
    work: Callable[[sa.Connection], Any]
    future: Future[Any]
    audit: Audit[Any]
    may_linger: bool = False  # nobody waits for it, and nobody follows its rows by their number
    note: Note | None = None
    came_ns: int = 0


@dataclass
class _Gathered:
    """What many callers gave that is written together."""

    items: list[Any]
    future: Future[None] = field(default_factory=Future)


class Writer:
    """The one thread of this process that writes to the database."""

    def __init__(self, engine: sa.Engine, *, ledger: Ledger, path: str) -> None:
        self._engine, self._ledger, self._path = engine, ledger, path
        self._take_turns = engine.dialect.name == "postgresql"
        self._waiting: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._broken = False
        self._gathered: dict[str, _Gathered] = {}  # by kind
        self._gathering = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="feilun-store-writer", daemon=True)
        self._thread.start()

    @property
    def is_broken(self) -> bool:
        """True after the disk reported an error; nothing more is accepted until a restart."""
        return self._broken

    def submit(self, work: Callable[[sa.Connection], T], *, audit: Audit[T], may_linger: bool = False) -> Future[T]:
        """Queue `work(connection)`; the future resolves after the commit that holds it has been fsynced.

        Args:
            audit: called with what `work` returned; gives what the audit log tells of it, None when nothing changed.
                `Unaudited(reason)` for a write that leaves no entry.
            may_linger: it may wait LINGER_S for others that share its commit.
        """
        piece = _Piece(work, Future(), audit, note=LISTENER.get(), may_linger=may_linger)
        if piece.note is not None:
            piece.came_ns = time.time_ns()
        return self._queue(piece)

    def _queue(self, piece: _Piece) -> Future[Any]:
        if self._broken:
            piece.future.set_exception(StoreBroken(path=self._path))
        else:
            self._waiting.put(piece)
        return piece.future

    def write(self, work: Callable[[sa.Connection], T], *, audit: Audit[T]) -> T:
        """Like `submit`, and wait for it."""
        return self.submit(work, audit=audit).result()

    def flush(self) -> None:
        """Wait until everything that was queued before is on disk."""
        self.write(lambda _: None, audit=Unaudited("nothing is written"))

    def gather(
        self, kind: str, item: T, *, write: Callable[[sa.Connection, list[T]], None], audit: Unaudited
    ) -> Future[None]:
        """Queue `item`; what comes under the same `kind` until the writer gets there is given to one call of `write`.

        Items are in front of all that this process submits later. They may wait LINGER_S for company, but nothing
        that is submitted waits for them. They take no turn with other processes, so nobody may follow them by `seq`.
        The future is shared by those who share the call.
        """
        with self._gathering:
            known = self._gathered.get(kind)
            if known is not None:
                known.items.append(item)
                return known.future
            gathered = _Gathered([item])
            if not self._broken:
                self._gathered[kind] = gathered

        def work(connection: sa.Connection) -> None:
            self._let_go(kind, gathered)
            write(connection, gathered.items)

        # Also when the transaction never came to `work`: later items must not join a call that has failed.
        gathered.future.add_done_callback(lambda _: self._let_go(kind, gathered))
        return self._queue(_Piece(work, gathered.future, audit, may_linger=True))

    def _let_go(self, kind: str, gathered: _Gathered) -> None:
        with self._gathering:
            if self._gathered.get(kind) is gathered:
                del self._gathered[kind]

    def close(self) -> None:
        """Commit what is waiting, then stop the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            pieces = self._take()
            stopping = None in pieces
            group = [piece for piece in pieces if piece is not None]
            if group:
                self._commit(group)

    def _take(self) -> list[_Piece | None]:
        """What waits; what nobody waits for is given a moment in which others may join it."""
        pieces = [self._waiting.get()]
        until = time.monotonic() + LINGER_S
        while len(pieces) < MAX_GROUP:
            patient = all(piece is not None and piece.may_linger for piece in pieces)
            try:
                pieces.append(self._waiting.get(timeout=max(until - time.monotonic(), 0) if patient else 0))
            except queue.Empty:
                break
        return pieces

    def _commit(self, group: list[_Piece]) -> None:
        group = [piece for piece in group if piece.future.set_running_or_notify_cancel()]
        if not group:
            return
        try:
            done = self._run_group(group, is_careful=False) or self._run_group(group, is_careful=True)
            self._ledger.committed()
        except Exception as error:
            self._ledger.given_up()
            failure = explain(error, path=self._path)
            # After a failed fsync nobody knows what the disk holds: no acknowledgement until a restart.
            self._broken = self._broken or isinstance(failure, StoreBroken)
            for piece in group:
                if not piece.future.done():
                    piece.future.set_exception(failure)
            return
        for piece in group:
            if piece.note is not None:
                piece.note("store.commit", piece.came_ns, time.time_ns())
        for future, value in done:
            future.set_result(value)

    def _run_group(self, group: list[_Piece], *, is_careful: bool) -> list[tuple[Future[Any], Any]]:
        """One transaction; who is to be told what, once it has been committed.

        A savepoint costs PostgreSQL two round trips a piece, and mistakes are rare: without care the first one gives
        the whole transaction up, and nobody is told anything. With care each piece has a savepoint of its own.
        """
        with self._engine.connect() as connection, connection.begin() as transaction:
            if self._take_turns and not all(piece.may_linger for piece in group):
                take_turn(connection)
            with gathered_tallies(connection) as tallies:
                ran = self._run_pieces(group, connection, tallies, is_careful=is_careful)
            if ran is None:
                transaction.rollback()
                self._ledger.given_up()
                return []
            changes = [change for _, _, change in ran if change is not None]
            if changes:
                self._ledger.append(connection, changes)
        return [(future, value) for future, value, _ in ran]

    def _run_pieces(
        self, group: list[_Piece], connection: sa.Connection, tallies: Waiting, *, is_careful: bool
    ) -> list[tuple[Future[Any], Any, Change | None]] | None:
        """Each piece in order: who is to be told, what, and what the audit log tells of it.

        None when a mistake gives the transaction up.
        """
        ran: list[tuple[Future[Any], Any, Change | None]] = []
        for piece in group:
            n_tallies = len(tallies)
            try:
                with connection.begin_nested() if is_careful else nullcontext():
                    value, change = self._run_piece(piece, connection)
            except Exception as error:
                if takes_all_down(error):
                    raise
                if not is_careful:
                    tallies.clear()
                    return None
                del tallies[n_tallies:]
                piece.future.set_exception(error)  # a caller's mistake is the caller's alone
            else:
                ran.append((piece.future, value, change))
        return ran

    def _run_piece(self, piece: _Piece, connection: sa.Connection) -> tuple[Any, Change | None]:
        """What the piece returned, and what the audit log tells of it."""
        if isinstance(piece.audit, Unaudited):
            return piece.work(connection), None
        self._ledger.prepare(connection)
        value = piece.work(connection)
        return value, piece.audit(value)

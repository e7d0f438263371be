"""Group commit: many callers wait, one thread writes, one fsync acknowledges them all.

SQLite allows one writer at a time and an fsync costs milliseconds, so every write of a process goes
through one thread. It takes whatever is waiting, runs each piece in its own savepoint (one caller's
mistake is not the others'), commits once, and only then resolves the callers' futures: nothing is
acknowledged before the disk has it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from feilun.errors import FeilunError
from feilun.store.errors import StoreBroken, StoreFull

T = TypeVar("T")
MAX_GROUP = 256
LINGER_S = 0.05  # a commit costs a millisecond of CPU and an fsync: twenty a second are enough for what can wait


@dataclass
class _Piece:
    work: Callable[[sa.Connection], Any]
    future: Future[Any]
    may_linger: bool = False


@dataclass
class _Gathered:
    """What many callers gave that is written together."""

    items: list[Any]
    future: Future[None] = field(default_factory=Future)


class Writer:
    """The one thread of this process that writes to the database."""

    def __init__(self, engine: sa.Engine, *, path: str) -> None:
        self._engine, self._path = engine, path
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

    def submit(self, work: Callable[[sa.Connection], T]) -> Future[T]:
        """Queue `work(connection)`; the future resolves after the commit that holds it has been fsynced."""
        return self._queue(_Piece(work, Future()))

    def _queue(self, piece: _Piece) -> Future[Any]:
        if self._broken:
            piece.future.set_exception(StoreBroken(path=self._path))
        else:
            self._waiting.put(piece)
        return piece.future

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Like `submit`, and wait for it."""
        return self.submit(work).result()

    def gather(self, kind: str, item: T, *, write: Callable[[sa.Connection, list[T]], None]) -> Future[None]:
        """Queue `item`; what comes under the same `kind` until the writer gets there is given to one call of `write`.

        Items are in front of everything that is submitted later. They may wait LINGER_S for company, but nothing that
        is submitted waits for them. The future is shared by those who share the call.
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
        return self._queue(_Piece(work, gathered.future, may_linger=True))

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
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._engine.connect() as connection, connection.begin():
                for piece in group:
                    if not piece.future.set_running_or_notify_cancel():
                        continue
                    try:
                        with connection.begin_nested():
                            done.append((piece.future, piece.work(connection)))
                    except FeilunError as error:
                        piece.future.set_exception(error)
                    except sa.exc.OperationalError:
                        raise
                    except Exception as error:  # a caller's bug is the caller's alone
                        piece.future.set_exception(error)
        except Exception as error:
            failure = self._explain(error)
            for piece in group:
                if not piece.future.done():
                    piece.future.set_exception(failure)
            return
        for future, value in done:
            future.set_result(value)

    def _explain(self, error: Exception) -> Exception:
        text = _whole_story(error)
        if "full" in text and "disk" in text:
            return StoreFull(path=self._path)
        if "disk i/o error" in text or "malformed" in text:
            # After a failed fsync nobody knows what the disk holds: no acknowledgement until a restart.
            self._broken = True
            return StoreBroken(path=self._path)
        return error


def _whole_story(error: BaseException | None) -> str:
    """What every error in the chain says: SQLite gives up the transaction on a full or failing disk, so the last
    error is that a savepoint is gone, and the first one tells why."""
    words = []
    while error is not None:
        words.append(str(error).lower())
        error = error.__cause__ or error.__context__
    return " ".join(words)

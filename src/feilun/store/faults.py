"""From what a database driver raises to what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from feilun.store.errors import StoreBroken, StoreFull, StoreUnavailable

FULL = ("53100",)  # disk_full
BROKEN = ("58030", "XX001", "XX002")  # io_error, data_corrupted, index_corrupted
# By SQLSTATE, whole or its class: connection lost, server going or coming, no room for another connection, out of
# memory, read-only after a failover, a lock or a statement that took too long, deadlock.
UNAVAILABLE = ("08", "57P", "57014", "53", "25006", "25P03", "55P03", "40")


def explain(error: Exception, *, path: str) -> Exception:
    """The error of ours that `error` is an instance of; `error` itself when it is a caller's mistake."""
    if isinstance(error, sa.exc.TimeoutError):  # every connection of the pool is taken, or hangs
        return StoreUnavailable(what="room", detail="")
    chain = list(_chain(error))
    if any(isinstance(one, psycopg.Error) for one in chain):
        return _explain_postgres(chain, path) or error
    return _explain_sqlite(chain, path) or error


@contextmanager
def explained(path: str) -> Iterator[None]:
    """What the driver raises, as an error of ours where it is one."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        known = explain(error, path=path)
        if known is error:
            raise
        raise known from error


def takes_all_down(error: Exception) -> bool:
    """Whether a statement's error ends the transaction that it was in, not only its savepoint."""
    return isinstance(error, sa.exc.OperationalError | sa.exc.InternalError)


def _explain_postgres(chain: list[BaseException], path: str) -> Exception | None:
    states = [one.sqlstate or "" for one in chain if isinstance(one, psycopg.Error)]
    for state in states:
        if state in FULL:
            return StoreFull(path=path)
        if state in BROKEN:
            return StoreBroken(path=path)
        if state.startswith(UNAVAILABLE):
            return StoreUnavailable(what="state", detail=state)
    # A connection that was never made, or went away in silence, has no SQLSTATE.
    lost = any(isinstance(one, psycopg.OperationalError) and not one.sqlstate for one in chain)
    return StoreUnavailable(what="connection", detail="") if lost else None


def _explain_sqlite(chain: list[BaseException], path: str) -> Exception | None:
    # SQLite gives up the transaction on a full or failing disk, so the last error is that a savepoint is gone, and the
    # first one tells why.
    text = " ".join(str(one).lower() for one in chain)
    if "full" in text and "disk" in text:
        return StoreFull(path=path)
    if "disk i/o error" in text or "malformed" in text:
        return StoreBroken(path=path)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and all that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

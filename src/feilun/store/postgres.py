"""What PostgreSQL has to be told: the driver, how long to wait for whom, and whose turn it is to write."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

DRIVER = "postgresql+psycopg"
NAMES = ("postgres", "postgresql", DRIVER)
# A server that is gone must be noticed in seconds, not in the two hours of TCP's own patience. libpq's words and units.
PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
POOL_WITHIN_S = 5  # while every connection is taken, or hangs
IDLE_MS = 15_000  # a client that froze in the middle of a transaction loses it, and the locks, after this long


def open_postgres(url: sa.URL, *, is_hasty: bool = False) -> sa.Engine:
    """An engine that asks before it trusts a connection, so that it is back as soon as the server is.

    Args:
        is_hasty: its commits do not wait for the disk, see `feilun.store.database.open_engine`.
    """
    patience = {name: value for name, value in PATIENCE.items() if name not in url.query}
    # Read committed, whatever the server's default: after waiting for the lock below a statement must see what those
    # before it committed, and under the stricter levels it would see the state from before the wait.
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=POOL_WITHIN_S,
        isolation_level="READ COMMITTED",
        connect_args=patience,
        hide_parameters=True,  # or an error would quote the messages that were to be written
    )
    if is_hasty:
        sa.event.listen(engine, "begin", lambda c: c.exec_driver_sql("SET LOCAL synchronous_commit = off"))
    return engine


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"feilun.{name}".encode()).digest()[:8], "big", signed=True)


# One statement: the lock is waited for after the limits are set. An administrator may have switched off that a commit
# waits for the disk; ours acknowledge, so they wait. A stricter setting (of a standby) stays.
_TAKE_TURN = sa.text(
    "SELECT set_config('idle_in_transaction_session_timeout', :idle, true), "
    "CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'local', true) END, "
    "pg_advisory_xact_lock(:key)"
)


def take_turn(connection: sa.Connection) -> None:
    """Wait until no other transaction of this database's servers writes in order; held until this one ends.

    PostgreSQL numbers a row when it is inserted and shows it when it is committed. Without the lock a row could become
    visible after one with a higher `seq`, and whoever follows `seq > after` would pass over it for good. As on SQLite,
    what is looked up before it is written (an unfinished turn, an Idempotency-Key) cannot change in between either.
    """
    connection.execute(_TAKE_TURN, {"idle": str(IDLE_MS), "key": _key("write")})


def take_migration_turn(connection: sa.Connection) -> None:
    """Wait until no other process changes the schema; held until the transaction ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_key("migrate"))))


def waits_for_the_disk(connection: sa.Connection) -> bool:
    """Whether the server has the disk keep what it commits; only an administrator can switch that off."""
    return all(connection.exec_driver_sql(f"SHOW {name}").scalar() == "on" for name in ("fsync", "full_page_writes"))

"""Opening the database: SQLite in WAL mode with full synchronisation, or PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feilun.store.errors import StoreTooNew, StoreUrlInvalid
from feilun.store.faults import explained
from feilun.store.postgres import DRIVER, NAMES, open_postgres, take_migration_turn

SCHEMA_HEAD = "0014"
BUSY_TIMEOUT_S = 30


def parse_url(url: str) -> sa.URL:
    """`url` with the driver that we use.

    Raises:
        StoreUrlInvalid: it is neither SQLite's nor PostgreSQL's.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreUrlInvalid() from None  # the reason would quote the URL
    if parsed.drivername in NAMES and parsed.database:
        return parsed.set(drivername=DRIVER)
    if parsed.drivername != "sqlite" or not parsed.database:
        raise StoreUrlInvalid()
    return parsed


def open_engine(url: sa.URL, *, is_hasty: bool = False) -> sa.Engine:
    """An engine for `url`, as `parse_url` gives it. SQLite comes from the `pysqlite3` wheel.

    A hasty one does not wait for the disk: its commits survive a killed process, but perhaps not a power cut.

    The SQLite that Debian's Python links (3.40) may corrupt a database when two processes checkpoint at the
    wrong moment (the WAL-reset bug, 3.7.0–3.51.2); the wheel carries a mended one.
    """
    if url.drivername == DRIVER:
        return open_postgres(url, is_hasty=is_hasty)
    import pysqlite3

    engine = sa.create_engine(
        url,
        module=pysqlite3,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        hide_parameters=True,  # or an error would quote the messages that were to be written
    )
    sa.event.listen(engine, "connect", partial(_prepare_sqlite, synchronous="NORMAL" if is_hasty else "FULL"))
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, _record: Any, *, synchronous: str) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A deferred transaction that turns into a writer half-way fails with "database is locked";
    # readers say so through execution options and stay deferred.
    readonly = connection.get_execution_options().get("feilun_readonly", False)
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")


@contextmanager
def looked_into(url: sa.URL, *, where: str) -> Iterator[sa.Connection]:
    """A connection to a PostgreSQL for whoever only looks: nothing is made, and nothing is brought up to date.

    Raises:
        StoreUnavailable: it does not answer.
    """
    engine = open_engine(url)
    try:
        with explained(where), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def migrate(engine: sa.Engine, *, where: str) -> None:
    """Bring the schema to this release's; nothing happens when it is there already.

    Raises:
        StoreTooNew: the database was written by a later release.
    """
    with engine.connect().execution_options(feilun_readonly=True) as connection:
        found = schema_version(connection)
    if found == SCHEMA_HEAD:
        return
    if found is not None and found > SCHEMA_HEAD:
        raise StoreTooNew(path=where, found=found, known=SCHEMA_HEAD)
    from alembic import command

    with engine.connect() as connection, connection.begin():  # on SQLite the only writer from here on
        if engine.dialect.name == "postgresql":
            take_migration_turn(connection)
        if schema_version(connection) != SCHEMA_HEAD:  # another process may have been faster while we waited
            command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: sa.Connection) -> Any:
    """What Alembic's commands need to work on our migrations through `connection`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def schema_version(connection: sa.Connection) -> str | None:
    """Of the database behind `connection`; None when it has no tables of ours."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()

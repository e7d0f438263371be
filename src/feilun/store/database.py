"""Opening the database: SQLite in WAL mode with full synchronisation, or PostgreSQL by URL."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feilun.store.errors import StoreTooNew

SCHEMA_HEAD = "0007"
BUSY_TIMEOUT_S = 30


def open_engine(url: str, *, is_hasty: bool = False) -> sa.Engine:
    """An engine for `url`. SQLite comes from the `pysqlite3` wheel.

    A hasty one does not wait for the disk: its commits survive a killed process, but perhaps not a power cut.

    The SQLite that Debian's Python links (3.40) may corrupt a database when two processes checkpoint at the
    wrong moment (the WAL-reset bug, 3.7.0–3.51.2); the wheel carries a mended one.
    """
    if not url.startswith("sqlite"):
        engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
        if is_hasty:
            sa.event.listen(engine, "begin", lambda c: c.exec_driver_sql("SET LOCAL synchronous_commit = off"))
        return engine
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


def migrate(engine: sa.Engine, *, where: str) -> None:
    """Bring the schema to this release's; nothing happens when it is there already.

    Raises:
        StoreTooNew: the database was written by a later release.
    """
    found = _schema_version(engine)
    if found == SCHEMA_HEAD:
        return
    if found is not None and found > SCHEMA_HEAD:
        raise StoreTooNew(path=where, found=found, known=SCHEMA_HEAD)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection, connection.begin():
        if _version_in(connection) == SCHEMA_HEAD:  # another process was faster while we waited for the lock
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _schema_version(engine: sa.Engine) -> str | None:
    with engine.connect().execution_options(feilun_readonly=True) as connection:
        return _version_in(connection)


def _version_in(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()

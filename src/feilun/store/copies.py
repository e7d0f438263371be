"""All rows of a workspace as one SQLite file, copied while others write; and poured into an empty database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feilun.errors import FeilunError
from feilun.store import tables as t
from feilun.store.chain import Unaudited
from feilun.store.contents import opened_file
from feilun.store.store import Store
from feilun.store.verbs import CHUNK

OWN = ("marks", "leases")  # what a database says about itself stays behind
BEGUN = (t.tenants, t.audit_head)  # every database begins with the house, and with a log that is empty


class DatabaseDamaged(FeilunError):
    """SQLite's own check found damage in the database."""

    code, kind = "store.damaged", "conflict"
    en = "The database {path} is damaged: {found}. Stop the server and restore the latest backup: feilun restore"
    zh = "数据库 {path} 已损坏：{found}。请停止服务，并用 feilun restore 恢复最近的备份。"


class DatabaseNotEmpty(FeilunError):
    """Rows were to be put into a database that has some."""

    code, kind = "store.not_empty", "conflict"
    en = "The database has rows already (table {table}). Name an empty one: createdb NAME"
    zh = "该数据库中已有数据（表 {table}）。请指定一个空的数据库：createdb 名称"


def copy_database(store: Store, target: Path) -> None:
    """Copy the database as it is at one moment into the new SQLite file `target`; writers go on meanwhile.

    Every row that was acknowledged before the call is in the copy.

    Raises:
        DatabaseDamaged: the copy does not pass SQLite's integrity check.
    """
    if store.is_postgres:
        aside = target.parent / "copy"
        with Store(aside) as copy:
            pour(store, copy)
        _make_one_file(aside / "feilun.db")
        (aside / "feilun.db").replace(target)
    else:
        _copy_pages(store, target)
        _make_one_file(target)
    found = check_integrity(target)
    if found != "ok":
        raise DatabaseDamaged(path=str(store.workspace / "feilun.db"), found=found)


def _copy_pages(store: Store, target: Path) -> None:
    import pysqlite3

    source: Any = store.engine.raw_connection()
    try:
        with closing(pysqlite3.connect(str(target))) as copy:
            source.driver_connection.backup(copy)  # all pages in one step: the state of one moment
    finally:
        source.close()


def _make_one_file(path: Path) -> None:
    """One file, nothing beside it."""
    import pysqlite3

    with closing(pysqlite3.connect(str(path))) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def pour(source: Store, target: Store) -> None:
    """Put every row of `source`, as it is at one moment, into the empty `target`, whole or not at all.

    Raises:
        DatabaseNotEmpty: it is not; nothing was written.
    """

    def work(connection: sa.Connection) -> None:
        for table in _poured():
            if table not in BEGUN and connection.execute(sa.select(table).limit(1)).first() is not None:
                raise DatabaseNotEmpty(table=table.name)
        connection.execute(t.tenants.delete())
        with source.one_moment() as rows:
            for table in _poured():
                write = t.audit_head.update() if table is t.audit_head else table.insert()
                for part in rows.execute(sa.select(table)).mappings().partitions(CHUNK):
                    connection.execute(write, [dict(row) for row in part])
        if target.is_postgres:
            _count_on(connection)

    target.writer.write(work, audit=Unaudited("the log comes along with the rows"))


def _poured() -> list[sa.Table]:
    return [table for table in t.metadata.sorted_tables if table.name not in OWN]


def _count_on(connection: sa.Connection) -> None:
    """PostgreSQL's counters did not see the numbers that came with the rows."""
    for table in _poured():
        if "seq" in table.c:
            counter = sa.func.pg_get_serial_sequence(table.name, "seq")
            latest = sa.select(sa.func.max(table.c.seq)).scalar_subquery()
            empty = sa.select(sa.func.count() == 0).select_from(table).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(counter, sa.func.coalesce(latest, 1), ~empty)))


def check_integrity(path: Path) -> str:
    """`ok`, or the first thing that SQLite's integrity check finds wrong with a database file."""
    import pysqlite3

    try:
        with opened_file(path) as connection:
            return str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar())
    except (sa.exc.DatabaseError, pysqlite3.DatabaseError) as error:
        return str(getattr(error, "orig", error))

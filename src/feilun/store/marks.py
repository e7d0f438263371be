"""The mark that tells whether a workspace folder is the one that a database's rows speak of.

Datasets, models and networks are files. On PostgreSQL several machines may use one database, and then their workspace
folders must be one shared folder. The first to open a database leaves its id in the folder; a folder without it is
another one.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.postgres import take_migration_turn

MARK_NAME = "database.id"


def mark_folder(engine: sa.Engine, workspace: Path) -> None:
    """Leave the database's id in the folder of the first one that opens it. SQLite's file is in the folder anyway."""
    if engine.dialect.name == "sqlite" or (workspace / MARK_NAME).exists():
        return
    with engine.begin() as connection:
        take_migration_turn(connection)
        row = connection.execute(sa.select(t.marks)).one()
        if not row.is_folder_marked:
            (workspace / MARK_NAME).write_text(f"{row.database_id}\n", "ascii")
            connection.execute(t.marks.update().values(is_folder_marked=True))


def read_mark(workspace: Path) -> str:
    """The id in the folder; empty when there is none."""
    path = workspace / MARK_NAME
    return path.read_text("ascii", errors="replace").strip() if path.is_file() else ""


def read_database_id(connection: sa.Connection) -> str:
    """The database's own id; empty where the schema is older than such ids."""
    if not sa.inspect(connection).has_table(t.marks.name):
        return ""
    return str(connection.execute(sa.select(t.marks.c.database_id)).scalar_one())

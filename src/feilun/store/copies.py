"""A consistent copy of a SQLite workspace while others write to it, and what such a copy refers to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feilun.errors import FeilunError
from feilun.store.chain import GENESIS, HASHED, Head
from feilun.store.releases import LIVE_ACTIONS
from feilun.store.store import Store
from feilun.store.tables import utc_now


class DatabaseElsewhere(FeilunError):
    """The rows are not in the workspace's own SQLite file; another tool copies them."""

    code, kind = "store.elsewhere", "conflict"
    en = (
        "[store] url points to a {database} database outside the workspace. Back it up with that database's own tool "
        "({tool}), and copy the folders datasets and models of {workspace} after it."
    )
    zh = (
        "[store] url 指向工作区之外的 {database} 数据库。请用该数据库自带的工具（{tool}）备份，"
        "然后复制 {workspace} 中的 datasets 和 models 文件夹。"
    )


class DatabaseDamaged(FeilunError):
    """SQLite's own check found damage in the database."""

    code, kind = "store.damaged", "conflict"
    en = "The database {path} is damaged: {found}. Stop the server and restore the latest backup: feilun restore"
    zh = "数据库 {path} 已损坏：{found}。请停止服务，并用 feilun restore 恢复最近的备份。"


@dataclass(frozen=True)
class Contents:
    """What a database refers to: its schema, projects (name and folder), models, champions, datasets, open turns."""

    schema: str
    projects: tuple[tuple[str, str], ...]
    model_ids: tuple[str, ...]
    champions: tuple[str, ...]
    dataset_ids: tuple[str, ...]
    running_turns: tuple[str, ...]


TOOLS = {"postgresql": "pg_dump", "sqlite": "sqlite3 FILE .backup", "mysql": "mysqldump"}


def refuse_elsewhere(url: str, *, workspace: Path) -> None:
    """Raises DatabaseElsewhere for a database that is not the workspace's own file; never shows the URL."""
    own = f"sqlite:///{workspace / 'feilun.db'}"
    if url not in ("", own):
        database = url.partition("://")[0].partition("+")[0]
        raise DatabaseElsewhere(database=database, tool=TOOLS.get(database, "dump"), workspace=str(workspace))


def copy_database(store: Store, target: Path) -> None:
    """Copy the database as it is at one moment into the new file `target`; writers go on meanwhile.

    Every row that was acknowledged before the call is in the copy.

    Raises:
        DatabaseElsewhere: the rows are not in the workspace's own file.
        DatabaseDamaged: the copy does not pass SQLite's integrity check.
    """
    import pysqlite3

    refuse_elsewhere(store.url, workspace=store.workspace)
    source: Any = store.engine.raw_connection()
    try:
        with closing(pysqlite3.connect(str(target))) as copy:
            source.driver_connection.backup(copy)  # all pages in one step: the state of one moment
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    finally:
        source.close()
    found = check_integrity(target)
    if found != "ok":
        raise DatabaseDamaged(path=str(store.workspace / "feilun.db"), found=found)


def check_integrity(path: Path) -> str:
    """`ok`, or the first thing that SQLite's integrity check finds wrong with a database file."""
    import pysqlite3

    try:
        with _opened(path) as connection:
            return str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except pysqlite3.DatabaseError as error:
        return str(error)


def read_contents(path: Path) -> Contents:
    """What the database file `path` refers to."""
    with _opened(path) as connection:

        def column(query: str, *values: object) -> tuple[str, ...]:
            return tuple(str(row[0]) for row in connection.execute(query, values))

        projects = connection.execute("SELECT project, folder FROM projects ORDER BY project").fetchall()
        live = ", ".join("?" * len(LIVE_ACTIONS))
        return Contents(
            schema=column("SELECT version_num FROM alembic_version")[0],
            projects=tuple((str(name), str(folder)) for name, folder in projects),
            model_ids=column("SELECT DISTINCT model_id FROM models ORDER BY model_id"),
            champions=column(
                "SELECT model_id FROM releases WHERE seq IN "
                f"(SELECT max(seq) FROM releases WHERE action IN ({live}) GROUP BY project) ORDER BY model_id",
                *LIVE_ACTIONS,
            ),
            dataset_ids=column(
                "SELECT dataset_id FROM models UNION SELECT dataset_id FROM turns "
                "WHERE dataset_id IS NOT NULL ORDER BY dataset_id"
            ),
            running_turns=column("SELECT turn_id FROM turns WHERE status = 'running' ORDER BY turn_id"),
        )


def list_living_keys(path: Path) -> list[tuple[str, str | None]]:
    """Id and end of each key that still opens, by the database file `path`."""
    with _opened(path) as connection:
        rows = connection.execute(
            "SELECT key_id, expires_at FROM api_keys WHERE revoked_at IS NULL "
            "AND (expires_at IS NULL OR expires_at > ?) ORDER BY seq",
            (utc_now().isoformat(timespec="microseconds"),),
        ).fetchall()
    return [(str(key_id), None if end is None else str(end)) for key_id, end in rows]


@contextmanager
def opened_audit(path: Path) -> Iterator[tuple[Iterator[dict[str, Any]], Head, str]]:
    """As `Store.audit_chain`, by the database file `path`."""
    with _opened(path) as connection:
        connection.execute("BEGIN")  # one moment for both
        kept = connection.execute("SELECT seq, hash, signature FROM audit_head").fetchone()
        rows = connection.execute(f"SELECT {', '.join((*HASHED, 'hash'))} FROM audit ORDER BY seq")
        entries = (dict(zip((*HASHED, "hash"), row, strict=True)) for row in rows)
        yield entries, *((Head(kept[0], kept[1]), str(kept[2])) if kept else (Head(0, GENESIS), ""))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A connection that never makes a database where there is none."""
    import pysqlite3

    with closing(pysqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as connection:
        yield connection

"""Where a study lives: rows in a database of Optuna's own, the answers of its best trial in a folder beside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feilun.train.search.errors import StudyUnreadable

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

SCHEMA = "feilun_search"
"""On PostgreSQL Optuna's tables have a schema of their own: it keeps a table of versions by the same name as ours."""


@dataclass(frozen=True)
class StudyPlace:
    """folder: for files and locks; url: a PostgreSQL URL, or empty for SQLite in the folder."""

    folder: Path
    url: str = ""

    def open_storage(self) -> RDBStorage:
        """Optuna's storage; tables are made when there are none. It holds JSON and numbers only.

        Raises:
            StudyUnreadable: the tables were made by an Optuna with another schema.
        """
        from optuna.storages import RDBStorage

        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            return RDBStorage(*self._connection())
        except RuntimeError as error:
            where = f"schema {SCHEMA}" if self.url else str(self.folder / "search.db")
            raise StudyUnreadable(where=where, told=str(error).split(".")[0]) from error

    def _connection(self) -> tuple[str, dict[str, object]]:
        if self.url:
            _make_schema(self.url)
            return self.url, {"connect_args": {"options": f"-csearch_path={SCHEMA}"}, "pool_pre_ping": True}
        import pysqlite3

        # The mended SQLite, as in feilun.store.database. One process writes at a time: see `study.open_study`.
        return f"sqlite:///{self.folder / 'search.db'}", {"module": pysqlite3}


def _make_schema(url: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    engine.dispose()

"""What a database refers to; read without changing it, whatever its schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.database import schema_version
from feilun.store.releases import LIVE_ACTIONS


@dataclass(frozen=True)
class Contents:
    """Projects by name and folder, and the ids of what there is; `living_keys` with the time that each ends."""

    schema: str
    projects: tuple[tuple[str, str], ...]
    model_ids: tuple[str, ...]
    champions: tuple[str, ...]
    dataset_ids: tuple[str, ...]
    running_turns: tuple[str, ...]
    living_keys: tuple[tuple[str, str | None], ...]


def read_contents(connection: sa.Connection) -> Contents | None:
    """What a database refers to; None when it has no tables of ours.

    Only columns that every schema has are read.
    """
    schema = schema_version(connection)
    if schema is None:
        return None

    def rows(query: Any) -> list[Any]:
        return list(connection.execute(query))

    def column(query: Any) -> tuple[str, ...]:
        return tuple(sorted(str(row[0]) for row in rows(query)))

    r, k = t.releases.c, t.api_keys.c
    live = sa.select(sa.func.max(r.seq)).where(r.action.in_(LIVE_ACTIONS)).group_by(r.project)
    datasets = sa.union(
        sa.select(t.models.c.dataset_id).where(t.models.c.dataset_id != ""),
        sa.select(t.turns.c.dataset_id).where(t.turns.c.dataset_id.is_not(None)),
    )
    living = sa.select(k.key_id, k.expires_at).where(
        k.revoked_at.is_(None), sa.or_(k.expires_at.is_(None), k.expires_at > t.utc_now())
    )
    return Contents(
        schema=schema,
        projects=tuple(sorted((row[0], row[1]) for row in rows(sa.select(t.projects.c.project, t.projects.c.folder)))),
        model_ids=column(sa.select(t.models.c.model_id).distinct()),
        champions=column(sa.select(r.model_id).where(r.seq.in_(live))),
        dataset_ids=column(datasets),
        running_turns=column(sa.select(t.turns.c.turn_id).where(t.turns.c.status == "running")),
        living_keys=tuple((row[0], row[1] and row[1].isoformat()) for row in rows(living.order_by(k.seq))),
    )


@contextmanager
def opened_file(path: Path) -> Iterator[sa.Connection]:
    """A connection to a SQLite file that is there; never makes one, and leaves its journal as it is."""
    import pysqlite3

    def connect() -> Any:
        return pysqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)

    engine = sa.create_engine("sqlite://", module=pysqlite3, creator=connect, poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))  # one moment for all
    with engine.connect() as connection:
        yield connection

"""Verbs on requests for smaller forms of a model, and on what they came to."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import FEILUN, Change, Unaudited
from feilun.store.verbs import MAX_PAGE, Verbs, new_id

PROGRESS = Unaudited("how far it is; that it was asked for and how it ended are entries")


class CompressionVerbs(Verbs):
    """Compressions: one unfinished at a time in a project."""

    def add_compression(
        self, project: str, *, model_id: str, asked: dict[str, Any], requested_by: str
    ) -> dict[str, Any] | None:
        """A new request, status waiting; None when another one of the project is unfinished."""

        def work(connection: sa.Connection) -> str:
            if connection.execute(self._open_compressions(project)).first() is not None:
                return ""
            compression_id = new_id("compression")
            connection.execute(
                t.compressions.insert().values(
                    compression_id=compression_id,
                    project=project,
                    model_id=model_id,
                    status="waiting",
                    asked=asked,
                    requested_by=requested_by,
                    n_crashes=0,
                    created_at=t.utc_now(),
                )
            )
            return compression_id

        compression_id = self.writer.write(
            work,
            audit=lambda made: (
                Change("compression.asked", made, requested_by, project, details={"model_id": model_id})
                if made
                else None
            ),
        )
        return self.get_compression(project, compression_id) if compression_id else None

    def start_compression(self, project: str, compression_id: str) -> bool:
        """Set the status to running; False when it is finished already."""
        query = self._unfinished_compression(project, compression_id).values(status="running")
        return bool(self.writer.write(lambda c: c.execute(query).rowcount, audit=PROGRESS))

    def add_compression_crash(self, project: str, compression_id: str) -> int:
        """Count a process that died over it; how often that has happened."""
        query = self._unfinished_compression(project, compression_id).values(n_crashes=t.compressions.c.n_crashes + 1)
        self.writer.write(lambda c: c.execute(query), audit=PROGRESS)
        return int(self.get_compression(project, compression_id)["n_crashes"])

    def finish_compression(
        self,
        project: str,
        compression_id: str,
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        """Close it: done with a result, failed with an error. Closing a closed one changes nothing."""
        row = self.get_compression(project, compression_id)
        status = "failed" if error else "done"
        values = {"status": status, "result": result, "error": error}
        query = self._unfinished_compression(project, compression_id).values(**values, finished_at=t.utc_now())
        told = {"model_id": row["model_id"], "error": (error or {}).get("code")}
        closed = Change(f"compression.{status}", compression_id, FEILUN, project, details=told)
        self.writer.write(lambda c: c.execute(query).rowcount, audit=lambda n_rows: closed if n_rows else None)

    def get_compression(self, project: str, compression_id: str) -> dict[str, Any]:
        query = sa.select(t.compressions).where(*self._compression(project, compression_id))
        return self._get(query, "compression", compression_id)

    def find_open_compression(self, project: str) -> dict[str, Any] | None:
        """The one that waits or runs."""
        return self._find(self._open_compressions(project))

    def list_compressions(self, project: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Latest first."""
        query = sa.select(t.compressions).where(t.compressions.c.project == project)
        return self._list(query.order_by(t.compressions.c.seq.desc()).limit(min(limit, MAX_PAGE)))

    @staticmethod
    def _open_compressions(project: str) -> sa.Select[Any]:
        return sa.select(t.compressions).where(
            t.compressions.c.project == project, t.compressions.c.finished_at.is_(None)
        )

    @staticmethod
    def _compression(project: str, compression_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        return t.compressions.c.project == project, t.compressions.c.compression_id == compression_id

    def _unfinished_compression(self, project: str, compression_id: str) -> sa.Update:
        return t.compressions.update().where(
            *self._compression(project, compression_id), t.compressions.c.finished_at.is_(None)
        )

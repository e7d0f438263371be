"""Verbs on models and the append-only release log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.verbs import MAX_PAGE, Verbs, new_id

LIVE_ACTIONS = ("promote", "rollback")


class ReleaseVerbs(Verbs):
    """Finished models, and which of them answers."""

    def add_model(
        self, project: str, *, model_id: str, turn_id: str, dataset_id: str, report: dict[str, Any], size_mb: float
    ) -> None:
        """Remember a sealed bundle; adding the same one again changes nothing."""

        def work(connection: sa.Connection) -> None:
            if connection.execute(self._model(project, model_id)).first() is None:
                connection.execute(
                    t.models.insert().values(
                        project=project,
                        model_id=model_id,
                        turn_id=turn_id,
                        dataset_id=dataset_id,
                        report=report,
                        size_mb=size_mb,
                        created_at=t.utc_now(),
                    )
                )

        self._write_alone(work)

    def get_model(self, project: str, model_id: str) -> dict[str, Any]:
        return self._get(self._model(project, model_id), "model", model_id)

    def list_models(self, project: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Latest first."""
        query = sa.select(t.models).where(t.models.c.project == project).order_by(t.models.c.seq.desc())
        return self._list(query.limit(min(limit, MAX_PAGE)))

    def add_release(
        self,
        project: str,
        *,
        action: str,
        model_id: str,
        actor: str,
        reason_code: str,
        en: str,
        zh: str,
        turn_id: str | None = None,
    ) -> dict[str, Any]:
        """Append to the log. A turn decides once: its second decision returns the first one's entry."""

        def work(connection: sa.Connection) -> str:
            if turn_id is not None:
                known = (
                    connection.execute(sa.select(t.releases).where(t.releases.c.turn_id == turn_id)).mappings().first()
                )
                if known is not None:
                    return str(known["release_id"])
            live = connection.execute(self._live(project)).mappings().first()
            release_id = new_id("rel")
            connection.execute(
                t.releases.insert().values(
                    release_id=release_id,
                    project=project,
                    action=action,
                    model_id=model_id,
                    previous_model_id=live["model_id"] if live else None,
                    turn_id=turn_id,
                    actor=actor,
                    reason_code=reason_code,
                    en=en,
                    zh=zh,
                    created_at=t.utc_now(),
                )
            )
            return release_id

        # A person may put a model live while a turn runs; what a turn decides counts only while it holds the project.
        release_id = self.writer.write(work) if turn_id is None else self._write_alone(work)
        return self._get(sa.select(t.releases).where(t.releases.c.release_id == release_id), "release", release_id)

    def find_champion(self, project: str) -> str | None:
        """model_id of the model that answers, if any."""
        live = self._find(self._live(project))
        return live["model_id"] if live else None

    def find_live_release(self, project: str) -> dict[str, Any] | None:
        return self._find(self._live(project))

    def list_releases(self, project: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Latest first."""
        query = sa.select(t.releases).where(t.releases.c.project == project).order_by(t.releases.c.seq.desc())
        return self._list(query.limit(min(limit, MAX_PAGE)))

    @staticmethod
    def _model(project: str, model_id: str) -> sa.Select[Any]:
        return sa.select(t.models).where(t.models.c.project == project, t.models.c.model_id == model_id)

    @staticmethod
    def _live(project: str) -> sa.Select[Any]:
        query = sa.select(t.releases).where(t.releases.c.project == project, t.releases.c.action.in_(LIVE_ACTIONS))
        return query.order_by(t.releases.c.seq.desc()).limit(1)

"""Verbs on models and the append-only release log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import FEILUN, Change
from feilun.store.verbs import MAX_PAGE, Verbs, new_id

LIVE_ACTIONS = ("promote", "rollback")


class ReleaseVerbs(Verbs):
    """Finished models, and which of them answers."""

    def add_model(
        self, project: str, *, model_id: str, turn_id: str, dataset_id: str, report: dict[str, Any], size_mb: float
    ) -> None:
        """Remember a sealed bundle; adding the same one again changes nothing."""

        def work(connection: sa.Connection) -> bool:
            if connection.execute(self._model(project, model_id)).first() is not None:
                return False
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
            return True

        made_of = {"turn_id": turn_id, "dataset_id": dataset_id}
        sealed = Change("model.sealed", model_id, FEILUN, project, details=made_of)
        self.writer.write(work, audit=lambda is_new: sealed if is_new else None)

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

        def work(connection: sa.Connection) -> tuple[str, bool]:
            if turn_id is not None:
                same_turn = (t.releases.c.project == project, t.releases.c.turn_id == turn_id)
                known = connection.execute(sa.select(t.releases).where(*same_turn)).mappings().first()
                if known is not None:
                    return str(known["release_id"]), False
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
            return release_id, True

        told = {"model_id": model_id, "turn_id": turn_id, "reason_code": reason_code, "reason": en}
        release_id, _ = self.writer.write(
            work,
            audit=lambda made: Change(f"release.{action}", made[0], actor, project, details=told) if made[1] else None,
        )
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

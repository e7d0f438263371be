"""Verbs on models and the append-only release log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from feilun.records import Challenge
from feilun.store import tables as t
from feilun.store.chain import FEILUN, Change
from feilun.store.verbs import MAX_PAGE, Verbs, new_id

LIVE_ACTIONS = ("promote", "rollback")
CHALLENGE_ACTIONS = ("shadow", "canary")


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
        share: float | None = None,
    ) -> dict[str, Any]:
        """Append to the log. A turn decides once: its second decision returns the first one's entry.

        Whatever is released ends the shadow or canary that was under way.

        Args:
            share: of the traffic, of a shadow or canary.
        """
        values: dict[str, Any] = {"action": action, "model_id": model_id, "actor": actor, "reason_code": reason_code}
        values |= {"en": en, "zh": zh, "turn_id": turn_id, "share": share}

        def work(connection: sa.Connection) -> tuple[str, bool]:
            self._one_at_a_time(connection, project)
            if turn_id is not None:
                same_turn = (t.releases.c.project == project, t.releases.c.turn_id == turn_id)
                known = connection.execute(sa.select(t.releases).where(*same_turn)).mappings().first()
                if known is not None:
                    return str(known["release_id"]), False
            return self._append(connection, project, values), True

        release_id, _ = self.writer.write(
            work, audit=lambda made: self._entry(made[0], project, values) if made[1] else None
        )
        return self._get_release(release_id)

    def end_challenge(
        self,
        project: str,
        challenge: Challenge,
        *,
        action: str,
        model_id: str,
        actor: str,
        reason_code: str,
        en: str,
        zh: str,
    ) -> dict[str, Any] | None:
        """Append what ends a shadow or canary; None, and nothing is written, when it is not under way any more.

        So of many processes that want to end it one does, and none undoes what a person released meanwhile.
        """
        values = {"action": action, "model_id": model_id, "actor": actor, "reason_code": reason_code}
        # What is rolled back from is the canary, although the champion never ceased to be live.
        other = challenge.model_id if model_id == challenge.champion_id else challenge.champion_id
        values |= {"en": en, "zh": zh, "previous_model_id": other}

        def work(connection: sa.Connection) -> str | None:
            self._one_at_a_time(connection, project)
            latest = connection.execute(self._latest(project)).mappings().first()
            if latest is None or latest["release_id"] != challenge.release_id:
                return None
            return self._append(connection, project, values)

        release_id = self.writer.write(work, audit=lambda made: self._entry(made, project, values) if made else None)
        return None if release_id is None else self._get_release(release_id)

    def find_challenge(self, project: str) -> Challenge | None:
        """The shadow or canary that is under way: one that nothing was released after."""
        row = self._find(self._latest(project))
        if row is None or row["action"] not in CHALLENGE_ACTIONS:
            return None
        kept = {name: row[name] for name in ("release_id", "action", "model_id", "share", "actor", "created_at")}
        return Challenge(champion_id=row["previous_model_id"], **kept)

    def _append(self, connection: sa.Connection, project: str, values: dict[str, Any]) -> str:
        live = connection.execute(self._live(project)).mappings().first()
        row = {"previous_model_id": live["model_id"] if live else None} | values
        release_id = new_id("rel")
        connection.execute(
            t.releases.insert().values(release_id=release_id, project=project, created_at=t.utc_now(), **row)
        )
        return release_id

    @staticmethod
    def _entry(release_id: str, project: str, values: dict[str, Any]) -> Change:
        """What the audit log tells of a release."""
        told = {name: values.get(name) for name in ("model_id", "turn_id", "reason_code", "share")}
        told |= {"reason": values["en"]}
        return Change(f"release.{values['action']}", release_id, values["actor"], project, details=told)

    @staticmethod
    def _one_at_a_time(connection: sa.Connection, project: str) -> None:
        """Until this transaction ends, no other one decides on the project's log. (SQLite has one writer anyway.)"""
        row = sa.select(t.projects.c.project).where(t.projects.c.project == project)
        connection.execute(row.with_for_update())

    def _get_release(self, release_id: str) -> dict[str, Any]:
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

    @staticmethod
    def _latest(project: str) -> sa.Select[Any]:
        """The entry that says who answers what: the latest one that is no refusal."""
        query = sa.select(t.releases).where(t.releases.c.project == project, t.releases.c.action != "reject")
        return query.order_by(t.releases.c.seq.desc()).limit(1)

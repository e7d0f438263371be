"""Verbs on turns, turn requests and the event stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from feilun.records import Event
from feilun.store import tables as t
from feilun.store.chain import FEILUN, Change, Unaudited
from feilun.store.verbs import MAX_PAGE, Verbs, new_id

PROGRESS = Unaudited("how far it is; the model that it seals and its end are entries")


def state_of(turn: dict[str, Any]) -> str:
    """running, paused, done, failed or cancelled: a paused turn is an unfinished one that nobody works at."""
    return "paused" if turn["paused_at"] is not None else str(turn["status"])


class TurnVerbs(Verbs):
    """Turns, who asked for them, and what happened meanwhile."""

    def add_turn(
        self, project: str, *, settings: dict[str, Any], seed: int, budget_s: float, requested_by: str
    ) -> dict[str, Any]:
        """The project's unfinished turn when there is one (whoever asked), else a new one.

        Open turn requests are taken by the turn that starts. Which feedback it learns from is settled here, so that
        a turn that was killed and taken up again sees the same rows however much feedback came meanwhile.
        """

        def work(connection: sa.Connection) -> tuple[str, bool]:
            running = connection.execute(self._unfinished(project)).mappings().first()
            if running is not None:
                return str(running["turn_id"]), False
            turn_id = new_id("turn")
            latest = sa.select(sa.func.max(t.feedback.c.seq)).where(t.feedback.c.project == project)
            connection.execute(
                t.turns.insert().values(
                    turn_id=turn_id,
                    project=project,
                    status="running",
                    requested_by=requested_by,
                    settings=settings,
                    seed=seed,
                    budget_s=budget_s,
                    last_feedback_seq=connection.execute(latest).scalar() or 0,
                    created_at=t.utc_now(),
                )
            )
            connection.execute(self._open_requests(t.turn_requests.update(), project).values(turn_id=turn_id))
            return turn_id, True

        turn_id, _ = self.writer.write(
            work,
            audit=lambda made: (
                Change("turn.started", made[0], requested_by, project, details={"seed": seed, "budget_s": budget_s})
                if made[1]
                else None
            ),
        )
        return self.get_turn(project, turn_id)

    def update_turn(self, project: str, turn_id: str, **values: Any) -> None:
        """Set columns of a turn, such as dataset_id once the snapshot is on disk."""
        query = self._turn(t.turns.update(), project, turn_id).values(values)
        self._write_alone(lambda c: c.execute(query), audit=PROGRESS)

    def finish_turn(
        self,
        project: str,
        turn_id: str,
        *,
        status: str,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
        actor: str = FEILUN,
    ) -> None:
        """Close a turn: status done, failed or cancelled. Closing a closed turn changes nothing.

        Args:
            actor: who cancelled it; a turn that ends by itself needs nobody.
        """
        turn = self.get_turn(project, turn_id)
        values = {"status": status, "result": result, "error": error, "finished_at": t.utc_now(), "paused_at": None}
        query = self._unfinished_turn(project, turn_id).values(values)
        told = {"model_id": turn["model_id"], "dataset_id": turn["dataset_id"], "error": (error or {}).get("code")}
        closed = Change(f"turn.{status}", turn_id, actor, project, details=told)
        self._write_alone(lambda c: c.execute(query).rowcount, audit=lambda n_rows: closed if n_rows else None)

    def halt_turn(self, project: str, turn_id: str, *, is_paused: bool, actor: str) -> bool:
        """Pause a turn, so that nobody works at it, or let it go on; False when it is over or so already.

        Those who follow the events hear of it.
        """
        kind, since = ("turn.paused", t.utc_now()) if is_paused else ("turn.resumed", None)
        is_other = t.turns.c.paused_at.is_(None) if is_paused else t.turns.c.paused_at.is_not(None)
        query = self._unfinished_turn(project, turn_id).where(is_other).values(paused_at=since)
        event = {"project": project, "turn_id": turn_id, "kind": kind, "data": {"by": actor}, "created_at": t.utc_now()}

        def work(connection: sa.Connection) -> bool:
            if not connection.execute(query).rowcount:
                return False
            connection.execute(t.events.insert().values(event))
            return True

        changed = Change(kind, turn_id, actor, project)
        return self.writer.write(work, audit=lambda is_changed: changed if is_changed else None)

    def get_turn(self, project: str, turn_id: str) -> dict[str, Any]:
        return self._get(self._turn(sa.select(t.turns), project, turn_id), "turn", turn_id)

    def find_unfinished_turn(self, project: str) -> dict[str, Any] | None:
        return self._find(self._unfinished(project))

    def find_last_turn(self, project: str, *, status: str = "done") -> dict[str, Any] | None:
        """The latest turn with this status; "" takes any."""
        query = sa.select(t.turns).where(t.turns.c.project == project)
        if status:
            query = query.where(t.turns.c.status == status)
        return self._find(query.order_by(t.turns.c.seq.desc()))

    def list_turns(self, project: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Latest first."""
        query = sa.select(t.turns).where(t.turns.c.project == project).order_by(t.turns.c.seq.desc())
        return self._list(query.limit(min(limit, MAX_PAGE)))

    def add_turn_request(self, project: str, *, trigger: str, actor: str, note: str = "") -> bool:
        """Ask for a turn; False when one is asked for already."""

        def work(connection: sa.Connection) -> bool:
            query = self._open_requests(sa.select(t.turn_requests.c.seq), project)
            if connection.execute(query).first() is not None:
                return False
            connection.execute(
                t.turn_requests.insert().values(project=project, trigger=trigger, note=note, created_at=t.utc_now())
            )
            return True

        asked = Change("turn.asked", project, actor, project, details={"trigger": trigger})
        return self.writer.write(work, audit=lambda is_new: asked if is_new else None)

    def find_turn_request(self, project: str) -> dict[str, Any] | None:
        """The open request, when somebody or something asked for a turn that has not started."""
        return self._find(self._open_requests(sa.select(t.turn_requests), project))

    def add_event(self, project: str, *, kind: str, data: dict[str, Any], turn_id: str = "") -> None:
        """Append to the event stream; progress is not worth waiting for the disk."""
        row = {"project": project, "turn_id": turn_id, "kind": kind, "data": data, "created_at": t.utc_now()}
        self.writer.submit(lambda c: c.execute(t.events.insert().values(row)), audit=Unaudited("progress to look at"))

    def list_events(
        self, project: str, *, after: int = 0, turn_id: str = "", kinds: Sequence[str] = (), limit: int = MAX_PAGE
    ) -> list[Event]:
        """Events in order, those with event_id > after; `kinds` takes only these."""
        query = sa.select(t.events).where(t.events.c.project == project, t.events.c.seq > after)
        if kinds:
            query = query.where(t.events.c.kind.in_(kinds))
        if turn_id:
            query = query.where(t.events.c.turn_id == turn_id)
        rows = self._list(query.order_by(t.events.c.seq).limit(min(limit, MAX_PAGE)))
        return [_event(row) for row in rows]

    def find_last_event(self, project: str, turn_id: str) -> Event | None:
        """What was last heard of a turn or compression."""
        query = sa.select(t.events).where(t.events.c.project == project, t.events.c.turn_id == turn_id)
        row = self._find(query.order_by(t.events.c.seq.desc()))
        return None if row is None else _event(row)

    @staticmethod
    def _turn(statement: Any, project: str, turn_id: str) -> Any:
        return statement.where(t.turns.c.project == project, t.turns.c.turn_id == turn_id)

    def _unfinished_turn(self, project: str, turn_id: str) -> Any:
        return self._turn(t.turns.update(), project, turn_id).where(t.turns.c.status == "running")

    @staticmethod
    def _unfinished(project: str) -> sa.Select[Any]:
        return sa.select(t.turns).where(t.turns.c.project == project, t.turns.c.status == "running")

    @staticmethod
    def _open_requests(statement: Any, project: str) -> Any:
        return statement.where(t.turn_requests.c.project == project, t.turn_requests.c.turn_id.is_(None))


def _event(row: dict[str, Any]) -> Event:
    return Event(event_id=row.pop("seq"), **row)

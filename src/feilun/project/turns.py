"""Turning the wheel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from feilun.config import with_search
from feilun.project.base import Base
from feilun.records import Event, Preflight, TurnResult
from feilun.store import utc_now

if TYPE_CHECKING:
    pass


class TurnVerbs(Base):
    """Turns, asked for and followed."""

    def turn(
        self,
        *,
        budget_s: float | None = None,
        seed: int | None = None,
        n_trials: int | None = None,
        requested_by: str = "python",
        on_event: Callable[[Event], None] | None = None,
    ) -> TurnResult:
        """Turn the wheel once, or take up (or join) the turn that is unfinished.

        Args:
            budget_s: wall-clock seconds for training; None takes [train] budget_s.
            seed: None takes [train] seed.
            n_trials: search for better settings with so many trials, 0 for no search; None does as [train.search] says.
            on_event: called with every event of the turn, in order, from this thread.
        Raises:
            TurnFailed: a step met a mistake, with that mistake's code and words.
            TurnCancelled, TurnPaused: somebody cancelled or paused it; a paused one goes on after `resume_turn`.
        """
        from feilun.wheel import follow_turn

        settings = self.settings if n_trials is None else with_search(self.settings, n_trials=n_trials)
        train = settings.train
        turn = self.store.add_turn(
            self.name,
            settings=settings.model_dump(mode="json"),
            seed=train.seed if seed is None else seed,
            budget_s=train.budget_s if budget_s is None else budget_s,
            requested_by=requested_by,
        )
        turn_id = str(turn["turn_id"])
        return follow_turn(self.store, folder=self.folder, project=self.name, turn_id=turn_id, on_event=on_event)

    def preflight(self, *, budget_s: float | None = None) -> Preflight:
        """What a turn would take, rung by rung: time, memory and disk. Nothing is trained, nothing is written.

        Args:
            budget_s: wall-clock seconds for training; None takes [train] budget_s.
        Raises:
            TurnFailed: a mistake that would stop the turn too, with its code and words.
        """
        from feilun.wheel.preflight import look_ahead

        return look_ahead(self.folder, budget_s=self.settings.train.budget_s if budget_s is None else budget_s)

    def request_turn(self, *, trigger: str = "hand", note: str = "", actor: str = "python") -> bool:
        """Ask the server's worker for a turn; False when one is asked for already."""
        return self.store.add_turn_request(self.name, trigger=trigger, note=note, actor=actor)

    def cancel_turn(self, turn_id: str | None = None, *, actor: str = "python") -> str | None:
        """Cancel the unfinished turn; its turn_id, or None when there is none, or when it is not `turn_id`."""
        found = self._unfinished(turn_id)
        if found is not None:
            self.store.finish_turn(self.name, found, status="cancelled", actor=actor)
        return found

    def pause_turn(self, turn_id: str | None = None, *, actor: str = "python") -> str | None:
        """Halt the running turn and keep what it has done; its turn_id, or None when there is none to pause.

        Its process ends within seconds. The time until `resume_turn` does not count against its budget.
        """
        return self._halt(turn_id, is_paused=True, actor=actor)

    def resume_turn(self, turn_id: str | None = None, *, actor: str = "python") -> str | None:
        """Let the paused turn go on: a server takes it up, and so does `turn`; None when there is none."""
        return self._halt(turn_id, is_paused=False, actor=actor)

    def _halt(self, turn_id: str | None, *, is_paused: bool, actor: str) -> str | None:
        found = self._unfinished(turn_id)
        is_changed = found is not None and self.store.halt_turn(self.name, found, is_paused=is_paused, actor=actor)
        return found if is_changed else None

    def _unfinished(self, turn_id: str | None) -> str | None:
        """The id of the unfinished turn, unless another one is meant."""
        turn = self.store.find_unfinished_turn(self.name)
        return None if turn is None or turn_id not in (None, turn["turn_id"]) else str(turn["turn_id"])

    def turn_left_s(self, turn: dict[str, Any]) -> float | None:
        """Seconds until a row of `list_turns` should end, by what its steps took in the turn before.

        None for the first turn, and for one that is paused or over.
        """
        from feilun.wheel.outlook import left_s

        return left_s(self.store, turn, now=utc_now())

    def get_turn(self, turn_id: str) -> dict[str, Any]:
        return self.store.get_turn(self.name, turn_id)

    def list_turns(self, *, limit: int = 100) -> list[dict[str, Any]]:
        return self.store.list_turns(self.name, limit=limit)

    def events(self, *, after: int = 0, turn_id: str = "") -> list[Event]:
        return self.store.list_events(self.name, after=after, turn_id=turn_id)

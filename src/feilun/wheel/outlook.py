"""How long a turn still takes: by what its steps took in the turn before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from feilun.records import Event
from feilun.store import Store, state_of

STEP_EVENTS = ("step.start", "step.done")


def left_s(store: Store, turn: dict[str, Any], *, now: datetime) -> float | None:
    """Seconds until a running turn should end; None when no turn was done before, or when the turn does not run.

    A step that takes longer than the last time counts as nearly done, so the number never grows by itself. Training is
    taken for as long as the last time, or for the turn's own budget where that is shorter.
    """
    if state_of(turn) != "running":
        return None
    before = store.find_last_turn(turn["project"])
    if before is None:
        return None
    took = {str(e.data["step"]): float(e.data["wall_s"]) for e in _steps_of(store, before) if e.kind == "step.done"}
    if "train" in took:
        took["train"] = min(took["train"], float(turn["budget_s"]))
    for event in _steps_of(store, turn):
        step = str(event.data["step"])
        since_s = (now - event.created_at).total_seconds()
        took[step] = 0.0 if event.kind == "step.done" else max(took.get(step, 0.0) - since_s, 0.0)
    return sum(took.values())


def _steps_of(store: Store, turn: dict[str, Any]) -> list[Event]:
    return store.list_events(turn["project"], turn_id=turn["turn_id"], kinds=STEP_EVENTS)

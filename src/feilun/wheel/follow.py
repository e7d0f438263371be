"""Asking for a turn and following it: one turn per project, whoever asks; everybody gets the same result."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feilun.process import child_environment
from feilun.records import Event, TurnResult
from feilun.store import Store, state_of
from feilun.wheel.errors import TurnCancelled, TurnCrashed, TurnFailed, TurnPaused, told

POLL_S = 0.1
MAX_CRASHES = 2
END_WITHIN_S = 5


def follow_turn(
    store: Store, *, folder: Path, project: str, turn_id: str, on_event: Callable[[Event], None] | None = None
) -> TurnResult:
    """Run the turn in a child process and wait for its end; joins when another process is running it already.

    The child waits for the project's lock, so whoever runs the turn may die and another follower's child takes over.

    Raises:
        TurnFailed: a step met a mistake; its words and code are the mistake's.
        TurnCrashed: the process died MAX_CRASHES times at the same step.
        TurnCancelled: somebody cancelled it meanwhile.
        TurnPaused: somebody paused it; the child is ended, and what it had done by then is kept.
    """
    seen, crashes, crashed_at, patience_s = 0, 0, "", 0.0
    child = spawn(store, turn_id, folder=folder, project=project, module="feilun.wheel.run")
    try:
        while True:
            for event in store.list_events(project, after=seen, turn_id=turn_id):
                seen = event.event_id
                if on_event is not None:
                    on_event(event)
            turn = store.get_turn(project, turn_id)
            if turn["status"] != "running":
                patience_s = END_WITHIN_S if turn["status"] == "done" else 0.0
                return _result(turn)
            if state_of(turn) == "paused":
                raise TurnPaused(turn_id=turn_id)
            status = child.poll()
            if status is not None and state_of(store.get_turn(project, turn_id)) == "running":
                step = _last_step(store, turn)
                crashes = crashes + 1 if step == crashed_at else 1
                crashed_at = step
                if crashes >= MAX_CRASHES:
                    error = TurnCrashed(turn_id=turn_id, step=step, how=how(status), log=str(log_path(store, turn_id)))
                    shutil.rmtree(store.turn_path(turn_id), ignore_errors=True)
                    store.finish_turn(project, turn_id, status="failed", error={"step": step} | told(error))
                    raise error
                child = spawn(store, turn_id, folder=folder, project=project, module="feilun.wheel.run")
            time.sleep(POLL_S)
    finally:
        _end(child, within_s=patience_s)


def _result(turn: dict[str, Any]) -> TurnResult:
    if turn["status"] == "failed":
        raise TurnFailed(turn["error"])
    if turn["status"] == "cancelled":
        raise TurnCancelled(turn_id=turn["turn_id"])
    return TurnResult.model_validate({key: turn["result"][key] for key in TurnResult.model_fields})


def spawn(store: Store, ref: str, *, folder: Path, project: str, module: str) -> subprocess.Popen[bytes]:
    """A process of ours for the turn or compression `ref`, which dies with this one; its words go to the log."""
    with log_path(store, ref).open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(folder), project, ref, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=child_environment(),
        )


def _end(child: subprocess.Popen[bytes], *, within_s: float) -> None:
    """Let the child finish by itself; else kill it: the steps are durable, the next turn goes on from there."""
    try:
        child.wait(within_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last_step(store: Store, turn: dict[str, Any]) -> str:
    events = store.list_events(turn["project"], turn_id=turn["turn_id"])
    return next((str(event.data["step"]) for event in reversed(events) if event.kind == "step.start"), "start")


def how(status: int) -> str:
    """How a process ended."""
    return signal.Signals(-status).name if status < 0 else f"exit {status}"


def log_path(store: Store, ref: str) -> Path:
    """Where the process of a turn or compression writes what it says."""
    return store.workspace / "logs" / f"{ref}.log"

"""The turn as a durable workflow on DBOS: what a step returned is on disk before the next one starts.

One process turns one project at a time: it holds the project's file lock, which the kernel lets go when the
process dies, however it dies. DBOS then finds the unfinished workflow and goes on at the first step that has no
recorded result. See docs/notes/002-durable-steps.md.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from filelock import FileLock

from feilun.errors import FeilunError
from feilun.logs import place
from feilun.store import Store
from feilun.wheel.context import TurnContext
from feilun.wheel.errors import StepBroken, told
from feilun.wheel.steps import STEPS, Results, finish

log = logging.getLogger(__name__)
# Changes when the steps change so much that a turn begun by an older release cannot go on.
STEPS_VERSION = "turn-2"
# A turn that dies this often is given up; the kill test needs more than the library's default.
MAX_RECOVERIES = 10_000

_contexts: dict[str, TurnContext] = {}


@DBOS.step(name="turn_step")
def _run_step(turn_id: str, step: str, results: Results) -> dict[str, Any]:
    """One step; the return value (small, JSON) is recorded by DBOS. A person's mistake is a result, not a retry."""
    context = _contexts[turn_id]
    context.event("step.start", {"step": step})
    started = time.perf_counter()
    try:
        outcome = STEPS[step](context, results)
    except FeilunError as error:
        return {"error": told(error)}
    except Exception as error:
        log.error("step %s of %s: %s", step, turn_id, place(error))
        where = str(context.store.workspace / "logs" / f"{turn_id}.log")
        return {"error": told(StepBroken(step=step, turn_id=turn_id, error=type(error).__name__, log=where))}
    wall_s = round(time.perf_counter() - started, 3)
    context.event("step.done", {"step": step, "wall_s": wall_s} | outcome)
    return {"outcome": outcome, "wall_s": wall_s}


@DBOS.step(name="turn_finish")
def _finish(turn_id: str, results: Results, wall_s: float) -> None:
    finish(_contexts[turn_id], results, wall_s=wall_s)


@DBOS.step(name="turn_fail")
def _fail(turn_id: str, step: str, error: dict[str, Any]) -> None:
    context = _contexts[turn_id]
    context.event("turn.failed", {"step": step} | error)
    context.store.finish_turn(context.project, turn_id, status="failed", error={"step": step} | error)


@DBOS.workflow(name="turn", max_recovery_attempts=MAX_RECOVERIES)
def _turn(turn_id: str) -> None:
    if turn_id not in _contexts:
        return  # closed or cancelled before DBOS heard of it; it must not go on beside the turn that runs now
    results: Results = {}
    wall_s = 0.0
    for step in STEPS:
        done = _run_step(turn_id, step, results)
        if "error" in done:
            _fail(turn_id, step, done["error"])
            return
        results[step] = done["outcome"]
        wall_s += done["wall_s"]
    _finish(turn_id, results, wall_s)


def run_turn(store: Store, *, folder: Path, project: str, turn_id: str) -> None:
    """Run (or take up again) the turn in this process; returns when it is done, failed or was finished elsewhere."""
    with FileLock(store.lock_path(f"turn-{project}")):
        if store.get_turn(project, turn_id)["status"] != "running":
            return
        _contexts[turn_id] = TurnContext.load(store, folder=folder, project=project, turn_id=turn_id)
        DBOS(config=_config(store, project))
        DBOS.launch()
        try:
            with SetWorkflowID(turn_id):
                DBOS.start_workflow(_turn, turn_id).get_result()
        finally:
            DBOS.destroy()


def _config(store: Store, project: str) -> DBOSConfig:
    import pysqlite3

    sqlite = store.url.startswith("sqlite")
    return DBOSConfig(
        name="feilun",
        # A database of its own beside ours: step records never wait for the writer that acknowledges feedback.
        system_database_url=f"sqlite:///{store.workspace / f'wheel-{project}.db'}" if sqlite else store.url,
        executor_id=project,
        application_version=STEPS_VERSION,
        serializer=DBOSPortableJSONSerializer(),  # its default would be pickle
        log_level="ERROR",
        db_engine_kwargs={"module": pysqlite3} if sqlite else {},  # the mended SQLite, as in feilun.store.database
    )

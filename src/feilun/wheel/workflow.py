"""The turn as a durable workflow on DBOS: what a step returned is on disk before the next one starts.

One process turns one project at a time: it holds the project, see `Store.alone`, until it dies, however it dies. DBOS
in the next one then finds the unfinished workflow and goes on at the first step that has no recorded result. See
docs/notes/002-durable-steps.md, and 015-postgresql.md for several machines.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from feilun.errors import FeilunError
from feilun.logs import place
from feilun.process import leave
from feilun.store import HoldLost, Store, StoreFull, StoreUnavailable, state_of
from feilun.store.database import open_engine, parse_url
from feilun.wheel.context import TurnContext
from feilun.wheel.errors import StepBroken, told
from feilun.wheel.steps import STEPS, Results, finish

log = logging.getLogger(__name__)
# Changes when the steps change so much that a turn begun by an older release cannot go on.
STEPS_VERSION = "turn-2"
# A turn that dies this often is given up; the kill test needs more than the library's default.
MAX_RECOVERIES = 10_000
# Where its tables are on PostgreSQL; a team that uses DBOS itself has the usual schema for its own.
SCHEMA = "feilun_wheel"

_contexts: dict[str, TurnContext] = {}


@contextmanager
def _or_leave() -> Iterator[None]:
    """A database that is away and a lost hold are nobody's mistake and no result: the process ends, and the step is
    done again by whoever holds the project then."""
    try:
        yield
    except (HoldLost, StoreUnavailable) as error:
        leave(error.message("en"))


@DBOS.step(name="turn_step")
def _run_step(turn_id: str, step: str, results: Results) -> dict[str, Any]:
    """One step; the return value (small, JSON) is recorded by DBOS. A person's mistake is a result, not a retry."""
    context = _contexts[turn_id]
    started = time.perf_counter()
    try:
        with _or_leave():
            context.store.check_alone()
            context.event("step.start", {"step": step})
            outcome = STEPS[step](context, results)
    except FeilunError as error:
        return {"error": told(error)}
    except Exception as error:
        if _is_disk_full(error):
            return {"error": told(StoreFull(path=str(context.store.workspace)))}
        log.error("step %s of %s: %s", step, turn_id, place(error))
        where = str(context.store.workspace / "logs" / f"{turn_id}.log")
        return {"error": told(StepBroken(step=step, turn_id=turn_id, error=type(error).__name__, log=where))}
    wall_s = round(time.perf_counter() - started, 3)
    context.event("step.done", {"step": step, "wall_s": wall_s} | outcome)
    return {"outcome": outcome, "wall_s": wall_s}


def _is_disk_full(error: Exception) -> bool:
    """Whether a write found no room; libraries that write weights keep the words but not the class."""
    is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return is_full or os.strerror(errno.ENOSPC) in str(error)


@DBOS.step(name="turn_finish")
def _finish(turn_id: str, results: Results, wall_s: float) -> None:
    with _or_leave():
        _contexts[turn_id].store.check_alone()
        finish(_contexts[turn_id], results, wall_s=wall_s)


@DBOS.step(name="turn_fail")
def _fail(turn_id: str, step: str, error: dict[str, Any]) -> None:
    context = _contexts[turn_id]
    context.event("turn.failed", {"step": step} | error)
    shutil.rmtree(context.workdir, ignore_errors=True)  # nothing goes on from here, and the disk may be what was full
    with _or_leave():
        context.store.finish_turn(context.project, turn_id, status="failed", error={"step": step} | error)


@DBOS.workflow(name="turn", max_recovery_attempts=MAX_RECOVERIES)
def _turn(turn_id: str) -> None:
    if turn_id not in _contexts:
        return  # closed or cancelled before DBOS heard of it; it must not go on beside the turn that runs now
    try:
        _go_round(turn_id)
    except Exception as error:
        # A step cannot be recorded: the disk is full, or its database away. DBOS would end this thread alone, and who
        # took the turn up again would wait for its result for ever.
        leave(f"{turn_id} cannot be recorded, {place(error)}")


def _go_round(turn_id: str) -> None:
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
    """Run (or take up again) the turn in this process; returns when it is over, paused or was ended elsewhere."""
    with store.alone(project, is_patient=True, on_lost=lambda: leave(f"{project} was taken over")):
        if state_of(store.get_turn(project, turn_id)) != "running":
            return
        _contexts[turn_id] = TurnContext.load(store, folder=folder, project=project, turn_id=turn_id)
        with _launched(store, project), SetWorkflowID(turn_id):
            DBOS.start_workflow(_turn, turn_id).get_result()


@contextmanager
def _launched(store: Store, project: str) -> Iterator[None]:
    """DBOS, running; it takes up what a dead process of this project left behind, on whatever machine that was."""
    engine = open_engine(parse_url(store.url)) if store.is_postgres else None
    DBOS(config=_on_sqlite(store, project) if engine is None else _on_postgres(engine, project))
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()
        if engine is not None:
            engine.dispose()


def _on_sqlite(store: Store, project: str) -> DBOSConfig:
    import pysqlite3

    return DBOSConfig(
        name="feilun",
        # A database of its own beside ours: step records never wait for the writer that acknowledges feedback.
        system_database_url=f"sqlite:///{store.workspace / f'wheel-{project}.db'}",
        db_engine_kwargs={"module": pysqlite3},  # the mended SQLite, as in feilun.store.database
        **_alike(project),
    )


def _on_postgres(engine: sa.Engine, project: str) -> DBOSConfig:
    return DBOSConfig(
        # Its queue, through which an unfinished turn is taken up, is shared by all programs of one name: a name a
        # project, or the process that turns another project could be handed this one's turn. Lower case is required.
        name=f"feilun-{hashlib.sha256(project.encode()).hexdigest()[:16]}",
        system_database_engine=engine,
        dbos_system_schema=SCHEMA,
        use_listen_notify=False,  # nothing of ours sends messages; a connection less, and poolers do not like it
        **_alike(project),
    )


def _alike(project: str) -> Any:
    return {
        # The same on every machine: a turn belongs to its project, not to who ran it last.
        "executor_id": project,
        "application_version": STEPS_VERSION,
        "serializer": DBOSPortableJSONSerializer(),  # its default would be pickle
        "log_level": "ERROR",
    }

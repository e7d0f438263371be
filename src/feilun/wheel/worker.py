"""The server's side of the wheel: watches the triggers, takes up open requests and unfinished turns.

Compressions wait until no turn is asked for, or the one there is is paused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from feilun.config import FeilunSettings, load_settings
from feilun.errors import FeilunError, language
from feilun.improve import due
from feilun.logs import place
from feilun.store import EVERYWHERE, Store, state_of, utc_now
from feilun.wheel.compressing import follow_compression
from feilun.wheel.errors import TurnPaused
from feilun.wheel.follow import follow_turn

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Watched:
    """A project that the worker turns."""

    name: str
    folder: Path
    store: Store


class Worker:
    """One thread that turns one project after another; each turn runs in a child process of its own.

    Survives anything a turn can do; after a restart it goes on with turns that were left unfinished.
    """

    def __init__(self, projects: Sequence[Watched]) -> None:
        self._projects = list(projects)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feilun-worker", daemon=True)

    def watch(self, project: Watched) -> None:
        """Turn one more project."""
        self._projects = [*self._projects, project]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; a turn in progress is left to be taken up again."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            for project in self._projects:
                try:
                    self._look_after(project)
                except FeilunError as error:
                    log.warning("turn of %s: %s", project.name, error)
                except Exception as error:
                    log.error("turn of %s: %s", project.name, place(error))

    def _look_after(self, project: Watched) -> None:
        store, settings = project.store, load_settings(project.folder)
        ask_if_due(store, project=project.name, settings=settings)
        unfinished = store.find_unfinished_turn(project.name)
        is_paused = unfinished is not None and state_of(unfinished) == "paused"
        if is_paused or (unfinished is None and store.find_turn_request(project.name) is None):
            asked = store.find_open_compression(project.name)
            if asked is not None:
                compression_id = asked["compression_id"]
                follow_compression(store, folder=project.folder, project=project.name, compression_id=compression_id)
            return
        turn = store.add_turn(
            project.name,
            settings=settings.model_dump(mode="json"),
            seed=settings.train.seed,
            budget_s=settings.train.budget_s,
            requested_by="worker",
        )
        with suppress(TurnPaused):  # the other projects have their turns meanwhile
            follow_turn(store, folder=project.folder, project=project.name, turn_id=turn["turn_id"])


def ask_if_due(store: Store, *, project: str, settings: FeilunSettings) -> bool:
    """Leave a turn request when enough labels came or the calendar says so; True when one was left.

    A tenant that was shut out gets none; its projects turn when an operator asks.
    """
    if store.find_last_turn(project) is None:
        return False  # the first turn is a person's decision
    last = store.find_last_turn(project, status="")  # a turn that failed is not tried again until something new came
    assert last is not None
    n_new = store.count_corrections(project, after=int(last["last_feedback_seq"]))
    trigger = due(settings.improve, n_new_labels=n_new, last_turn_at=last["created_at"], now=utc_now())
    if trigger is None or store.get_tenant(EVERYWHERE, store.tenant_of(project))["disabled_at"] is not None:
        return False
    note = trigger.zh if language() == "zh" else trigger.en
    return store.add_turn_request(project, trigger=trigger.kind, note=note, actor="worker")

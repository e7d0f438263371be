"""What a server does for alerts: a thread watches the rules of its projects, others send what follows from them.

They answer nobody, hold nothing that an answer waits for, and survive whatever happens to an alert.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from functools import partial

from feilun.alerts import Door
from feilun.config import ServeSettings
from feilun.errors import FeilunError
from feilun.logs import place
from feilun.project import Project
from feilun.serve.api.outcomes import Outcomes

log = logging.getLogger(__name__)
SEND_EVERY_S = 1.0
WATCH_EVERY_S = 5.0
STOP_WITHIN_S = 2.0
AFTER_FAILURE_S = 60.0  # a settings file that cannot be read is not complained of every second
MAX_SENDERS = 16  # targets that may be slow at the same time before another one waits for them


class Alerting:
    """Watches the rules of what `projects` gives, from `start` to `stop`.

    Each target of a project has at most one thread at a time, so that one that takes long keeps nobody else waiting,
    and its own alerts arrive in their order.
    """

    def __init__(
        self, projects: Callable[[], Collection[Project]], *, settings: ServeSettings, outcomes: Outcomes
    ) -> None:
        self._projects, self._outcomes = projects, outcomes
        self.door = Door.of(settings)
        self._rests_until: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._senders: dict[tuple[str, str], threading.Thread] = {}

    def start(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name="feilun-alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more. Who takes long to answer is not waited for: that alert is sent again some time."""
        self._stop.set()
        until = time.monotonic() + STOP_WITHIN_S
        for thread in (self._thread, *self._senders.values()):
            if thread is not None:
                thread.join(max(until - time.monotonic(), 0))

    def _run(self, stop: threading.Event) -> None:
        watch_at = 0.0
        while not stop.wait(SEND_EVERY_S):
            is_watching = time.monotonic() >= watch_at
            for project in self._projects():
                if not stop.is_set() and time.monotonic() >= self._rests_until.get(project.name, 0.0):
                    self._surviving(project, partial(self._look_after, project, is_watching=is_watching))
            if is_watching:
                watch_at = time.monotonic() + WATCH_EVERY_S

    def _look_after(self, project: Project, *, is_watching: bool) -> None:
        if is_watching:
            self._write_down(project)
            project.watch_alerts()
        for target in project.due_alert_targets():
            self._begin_to_send(project, target)

    def _write_down(self, project: Project) -> None:
        """How its requests came out, for the rule on that: all servers' count together."""
        counts = self._outcomes.take(project.name)
        try:
            project.note_outcomes(counts)
        except BaseException:
            self._outcomes.put_back(project.name, counts)
            raise

    def _begin_to_send(self, project: Project, target: str) -> None:
        self._senders = {whose: thread for whose, thread in self._senders.items() if thread.is_alive()}
        if (project.name, target) in self._senders or len(self._senders) >= MAX_SENDERS:
            return  # the next second is soon enough
        thread = threading.Thread(
            target=self._surviving,
            args=(project, partial(project.send_alerts, to=target, door=self.door)),
            name=f"feilun-alert-{project.name}-{target}",
            daemon=True,
        )
        self._senders[project.name, target] = thread
        thread.start()

    def _surviving(self, project: Project, work: Callable[[], object]) -> None:
        """Do `work`; if it fails, log that, and let the project rest."""
        try:
            work()
        except FeilunError as error:
            log.warning("alerts of %s: %s", project.name, error.message("en"))
            self._rests_until[project.name] = time.monotonic() + AFTER_FAILURE_S
        except Exception as error:
            log.error("alerts of %s: %s", project.name, place(error))
            self._rests_until[project.name] = time.monotonic() + AFTER_FAILURE_S

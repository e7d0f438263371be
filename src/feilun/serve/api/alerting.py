"""The thread in which a server watches the rules of its projects and sends what follows from them.

It answers nobody, holds nothing that an answer waits for, and survives whatever happens to an alert.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from feilun.alerts import Door
from feilun.config import ServeSettings
from feilun.errors import FeilunError
from feilun.logs import place
from feilun.project import Project

log = logging.getLogger(__name__)
SEND_EVERY_S = 1.0
WATCH_EVERY_S = 5.0
STOP_WITHIN_S = 2.0
AFTER_FAILURE_S = 60.0  # a settings file that cannot be read is not complained of every second


class Alerting:
    """Watches the rules of what `projects` gives, from `start` to `stop`."""

    def __init__(self, projects: Callable[[], Collection[Project]], *, settings: ServeSettings) -> None:
        self._projects = projects
        self.door = Door.of(settings)
        self._rests_until: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name="feilun-alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more. Who takes long to answer is not waited for: that alert is sent again some time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)

    def _run(self, stop: threading.Event) -> None:
        watch_at = 0.0
        while not stop.wait(SEND_EVERY_S):
            is_watching = time.monotonic() >= watch_at
            for project in self._projects():
                if not stop.is_set() and time.monotonic() >= self._rests_until.get(project.name, 0.0):
                    self._look_after(project, is_watching=is_watching)
            if is_watching:
                watch_at = time.monotonic() + WATCH_EVERY_S

    def _look_after(self, project: Project, *, is_watching: bool) -> None:
        try:
            if is_watching:
                project.watch_alerts()
            project.send_alerts(door=self.door)
        except FeilunError as error:
            log.warning("alerts of %s: %s", project.name, error.message("en"))
            self._rests_until[project.name] = time.monotonic() + AFTER_FAILURE_S
        except Exception as error:
            log.error("alerts of %s: %s", project.name, place(error))
            self._rests_until[project.name] = time.monotonic() + AFTER_FAILURE_S

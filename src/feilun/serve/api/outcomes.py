"""How many requests about each project came, and how many of them failed, until it is written down."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from feilun.serve.api.problems import is_openai
from feilun.store import utc_now

PROJECTS = "/v1/projects/"
FAILED = 500  # from this status on it was not the client's doing; 503, too much at once, among them
KEPT = timedelta(hours=1)  # while the database cannot take them

Counts = dict[datetime, tuple[int, int]]  # by minute: requests, failed ones


class Outcomes:
    """The counts of one server. May be used from any thread.

    Only what sends something counts (POST): a console that is open asks a few times a second, and would hide that
    nobody's messages are answered any more. What was turned away before anybody looked whose project it was about
    counts for all.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[int, list[int]]] = {}

    def count(
        self, *, method: str, path: str, status: int, is_let_in: bool, known: Collection[str], project: str = ""
    ) -> None:
        """A request that was answered.

        Args:
            is_let_in: whether its sender is known; strangers who are sent away say nothing of how the service is.
            known: the projects that are served.
            project: which it turned out to be about, where only the body says that; empty: that was not looked at.
        """
        is_failed = status >= FAILED
        if method != "POST" or not (is_failed or is_let_in):
            return
        if path.startswith(PROJECTS):
            named = path[len(PROJECTS) :].partition("/")[0]
            about = [named] if named in known else []
        elif project:
            about = [project]
        else:
            about = list(known) if is_failed and is_openai(path) else []
        minute = int(utc_now().timestamp() // 60)
        with self._lock:
            for one in about:
                self._add(one, minute, 1, int(is_failed))

    def take(self, project: str) -> Counts:
        """What has come to be known since it was asked for last."""
        with self._lock:
            taken = self._counts.pop(project, {})
        return {datetime.fromtimestamp(60 * minute, UTC): (n, n_failed) for minute, (n, n_failed) in taken.items()}

    def put_back(self, project: str, counts: Mapping[datetime, tuple[int, int]]) -> None:
        """It could not be written down."""
        oldest = utc_now() - KEPT
        with self._lock:
            for at, (n, n_failed) in counts.items():
                if at >= oldest:
                    self._add(project, int(at.timestamp() // 60), n, n_failed)

    def _add(self, project: str, minute: int, n: int, n_failed: int) -> None:
        known = self._counts.setdefault(project, {}).setdefault(minute, [0, 0])
        known[0] += n
        known[1] += n_failed

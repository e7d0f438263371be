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

    def count(self, *, method: str, path: str, status: int, known: Collection[str], project: str = "") -> None:
        """A request that was answered.

        Args:
            known: the projects that are served.
            project: which it turned out to be about, once its sender was found to be one who may ask; empty: it did not
                come so far. Then only a failure counts: nobody hides one by asking in vain for what is another's.
        """
        if method != "POST":
            return
        is_failed = status >= FAILED
        about = [project] if project else self._aimed_at(path, known) if is_failed else []
        minute = int(utc_now().timestamp() // 60)
        with self._lock:
            for one in about:
                self._add(one, minute, 1, int(is_failed))

    def _aimed_at(self, path: str, known: Collection[str]) -> list[str]:
        """The projects that a request may have been about that nobody looked at."""
        if is_openai(path):
            return list(known)
        named = path[len(PROJECTS) :].partition("/")[0] if path.startswith(PROJECTS) else ""
        return [named] if named in known else []

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

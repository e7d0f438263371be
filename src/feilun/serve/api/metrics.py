"""What Prometheus may know: counts and times; never a message, nor any other text of a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from feilun.version import __version__

if TYPE_CHECKING:
    from feilun.project import Project

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The metrics of one server. May be used from any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        self._requests = Counter(
            "feilun_http_requests",
            "Requests answered, by route and status.",
            ["method", "route", "status"],
            registry=own,
        )
        self._seconds = Histogram(
            "feilun_http_request_seconds",
            "Time from a request's arrival to the start of its reply.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=own,
        )
        self.in_flight = Gauge("feilun_http_requests_in_flight", "Requests being worked on.", registry=own)
        self._predictions = Counter(
            "feilun_predictions",
            "Answers given, by decision; the variant is challenger where a canary answered.",
            ["project", "model_id", "variant", "decision"],
            registry=own,
        )
        self._feedback = Counter(
            "feilun_feedback", "Feedback acknowledged for the first time.", ["project"], registry=own
        )
        self._refused = Counter(
            "feilun_refused", "Requests refused, by the code of the error.", ["reason"], registry=own
        )
        self._queue = Gauge("feilun_review_queue", "Answers that wait for a person.", ["project"], registry=own)
        self._champion = Gauge(
            "feilun_champion_info", "1 for the model that answers.", ["project", "model_id"], registry=own
        )
        self._challenger = Gauge(
            "feilun_challenger_share",
            "Share of the traffic of the shadow or canary that is under way.",
            ["project", "model_id", "action"],
            registry=own,
        )
        self._ready = Gauge("feilun_ready", "1 when the project answers.", ["project"], registry=own)
        self._writing = Gauge("feilun_store_writing", "1 when feedback can be written.", ["project"], registry=own)
        Gauge("feilun_build_info", "1 for the version that runs.", ["version"], registry=own).labels(__version__).set(1)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is the template of the route, never the address that was asked for."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_refusal(self, *, reason: str) -> None:
        """`reason` is the code of an error of ours; never whose request it was."""
        self._refused.labels(reason).inc()

    def count_predictions(self, *, project: str, model_id: str, variant: str, decisions: Mapping[str, int]) -> None:
        for decision, n in decisions.items():
            self._predictions.labels(project, model_id, variant, decision).inc(n)

    def count_feedback(self, *, project: str) -> None:
        self._feedback.labels(project).inc()

    def render(self, projects: Mapping[str, Project], *, ready: Mapping[str, bool]) -> bytes:
        """The page that Prometheus reads; looks up what is not counted on the way."""
        self._champion.clear()
        self._challenger.clear()
        for name, project in projects.items():
            champion = project.store.find_champion(name)
            if champion is not None:
                self._champion.labels(name, champion).set(1)
            challenge = project.store.find_challenge(name)
            if challenge is not None:
                self._challenger.labels(name, challenge.model_id, challenge.action).set(challenge.share)
            self._queue.labels(name).set(project.store.count_queue(name))
            self._ready.labels(name).set(ready[name])
            self._writing.labels(name).set(project.store.is_writing)
        return generate_latest(self._registry)

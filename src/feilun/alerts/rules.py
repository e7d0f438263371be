"""What each rule says of the facts, and what follows when that changes. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

from feilun.config import AlertSettings
from feilun.records import AlertEvent, AlertReading, AlertRule, Drift, MonitorBucket

RULES: tuple[AlertRule, ...] = get_args(AlertRule)
CLEARS_AT = 0.9  # of its limit: a value that lies about the limit must not ring every minute
HOUR = timedelta(hours=1)
PASSING: frozenset[AlertRule] = frozenset({"turn_finished"})  # news, of which nothing has to be resolved


@dataclass(frozen=True)
class Facts:
    """What is known of a project when its rules are read.

    Args:
        window: what was answered in the last `window_h` hours.
        drift: of this week against the week before.
        n_requests, n_failed: requests of the last `failed_min` minutes that sent something, and how many failed.
        last_hour: the beginning of the hour in which the last message came.
        live: the release that says which model answers.
        failed, done: the latest turn that ended so.
        firing: the rules that fire already.
    """

    now: datetime
    window: MonitorBucket
    drift: Drift
    n_requests: int
    n_failed: int
    last_hour: datetime | None
    live: Mapping[str, Any] | None
    failed: Mapping[str, Any] | None
    done: Mapping[str, Any] | None
    disk_left_mb: float
    firing: frozenset[str]


class Step(NamedTuple):
    """What is kept of a rule from here on, and what somebody is told of it, if anything."""

    state: Literal["ok", "firing"]
    occasion: str
    event: AlertEvent | None


def read_rules(settings: AlertSettings, facts: Facts) -> list[AlertReading]:
    """What the rules that are on say, in the order of RULES."""
    return [_READ[rule](settings, facts) for rule in RULES if getattr(settings, rule)]


def step(known: Step | None, reading: AlertReading) -> Step | None:
    """What follows from a reading after what was `known`; None when nothing has changed.

    A turn or release that was there before the rule was first read is no news.
    """
    if reading.is_firing is None:
        return None
    is_about_one = reading.rule in _ABOUT_ONE
    if known is None:
        if is_about_one:
            return Step("ok", reading.occasion, None)
        return Step("firing", "", "fired") if reading.is_firing else None
    if not reading.is_firing:
        return Step("ok", known.occasion, "resolved") if known.state == "firing" else None
    if reading.occasion == known.occasion and (is_about_one or known.state == "firing"):
        return None
    return Step("ok" if reading.rule in PASSING else "firing", reading.occasion, "fired")


def state_of(known: Step | None, reading: AlertReading) -> Literal["ok", "firing", "unknown"]:
    """How a rule stands, after what was `known` of it."""
    if known is None and reading.rule in _ABOUT_ONE:
        return "firing" if reading.is_firing and reading.rule not in PASSING else "ok"
    after = step(known, reading) or known
    if after is not None and after.state == "firing":
        return "firing"
    return "unknown" if reading.is_firing is None else "ok"


def _read_drift(settings: AlertSettings, facts: Facts) -> AlertReading:
    found = facts.drift
    value = None if found.labels is None or found.confidence is None else max(found.labels, found.confidence)
    return _above("drift", value, settings.drift, facts)


def _read_hand_over(settings: AlertSettings, facts: Facts) -> AlertReading:
    share = _share(facts.window.n_handed_over, facts.window.n_messages, settings)
    return _above("hand_over", share, settings.hand_over, facts)


def _read_contradicted(settings: AlertSettings, facts: Facts) -> AlertReading:
    share = _share(facts.window.n_contradicted, facts.window.n_feedback, settings)
    return _above("contradicted", share, settings.contradicted, facts)


def _read_p99_ms(settings: AlertSettings, facts: Facts) -> AlertReading:
    value = facts.window.p99_ms if facts.window.n_messages >= settings.min_messages else None
    return _above("p99_ms", value, settings.p99_ms, facts)


def _read_failed_requests(settings: AlertSettings, facts: Facts) -> AlertReading:
    value = facts.n_failed / facts.n_requests if facts.n_requests >= settings.min_requests else None
    return _above("failed_requests", value, settings.failed_requests, facts)


def _read_silent_h(settings: AlertSettings, facts: Facts) -> AlertReading:
    value = None if facts.last_hour is None else max((facts.now - facts.last_hour - HOUR) / HOUR, 0.0)
    return _above("silent_h", value, settings.silent_h, facts)


def _read_disk_left_mb(settings: AlertSettings, facts: Facts) -> AlertReading:
    limit = settings.disk_left_mb
    bar = limit / CLEARS_AT if "disk_left_mb" in facts.firing else limit
    left = round(facts.disk_left_mb)
    return AlertReading(rule="disk_left_mb", is_firing=left < bar, value=left, limit=limit)


def _read_rolled_back(_settings: AlertSettings, facts: Facts) -> AlertReading:
    live = facts.live
    occasion = str(live["release_id"]) if live is not None and live["action"] == "rollback" else ""
    return AlertReading(rule="rolled_back", is_firing=bool(occasion), occasion=occasion)


def _read_turn_failed(_settings: AlertSettings, facts: Facts) -> AlertReading:
    failed, done = facts.failed, facts.done
    is_last = failed is not None and (done is None or failed["seq"] > done["seq"])
    occasion = str(failed["turn_id"]) if failed is not None and is_last else ""
    return AlertReading(rule="turn_failed", is_firing=is_last, occasion=occasion)


def _read_turn_finished(_settings: AlertSettings, facts: Facts) -> AlertReading:
    occasion = "" if facts.done is None else str(facts.done["turn_id"])
    return AlertReading(rule="turn_finished", is_firing=bool(occasion), occasion=occasion)


_ABOUT_ONE = frozenset({"rolled_back", "turn_failed", "turn_finished"})
_READ: dict[AlertRule, Callable[[AlertSettings, Facts], AlertReading]] = {
    "drift": _read_drift,
    "hand_over": _read_hand_over,
    "contradicted": _read_contradicted,
    "p99_ms": _read_p99_ms,
    "failed_requests": _read_failed_requests,
    "silent_h": _read_silent_h,
    "disk_left_mb": _read_disk_left_mb,
    "rolled_back": _read_rolled_back,
    "turn_failed": _read_turn_failed,
    "turn_finished": _read_turn_finished,
}


def _share(part: int, whole: int, settings: AlertSettings) -> float | None:
    return part / whole if whole >= settings.min_messages else None


def _above(rule: AlertRule, value: float | None, limit: float, facts: Facts) -> AlertReading:
    bar = limit * CLEARS_AT if rule in facts.firing else limit
    return AlertReading(rule=rule, is_firing=None if value is None else value >= bar, value=value, limit=limit)

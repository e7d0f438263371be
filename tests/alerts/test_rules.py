"""When a rule fires, when it is resolved, and what is said then."""

from __future__ import annotations

import random
import string
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import feilun.alerts
from feilun.alerts import Facts, Step, payload_of, read_rules, state_of, step, when_again
from feilun.alerts.rules import PASSING, RULES
from feilun.config import AlertSettings
from feilun.records import AlertReading, Drift, MonitorBucket

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ALL = AlertSettings(hand_over=0.4, contradicted=0.2, p99_ms=50, silent_h=6, turn_finished=True)
FINE = AlertSettings(drift=0, failed_requests=0, disk_left_mb=0, rolled_back=False, turn_failed=False)


def facts(**known: Any) -> Facts:
    """A project with which all is well, but for what is `known`."""
    window = {"n_messages": 1000, "n_handed_over": 100, "n_feedback": 200, "n_contradicted": 10, "p99_ms": 20.0}
    window |= {"at": NOON, "p50_ms": 1.0, "p95_ms": 10.0, "confidence": ()} | known.pop("window", {})
    drift = {"state": "steady", "n_before": 900, "n_needed": 200, "labels": 0.01, "confidence": 0.02}
    given: dict[str, Any] = {
        "now": NOON,
        "window": MonitorBucket.model_validate(window),
        "drift": Drift.model_validate(drift | known.pop("drift", {})),
        "n_requests": 200,
        "n_failed": 4,
        "last_hour": NOON - timedelta(hours=1),
        "live": {"action": "promote", "release_id": "rel_1"},
        "failed": {"seq": 1, "turn_id": "turn_1"},
        "done": {"seq": 2, "turn_id": "turn_2"},
        "disk_left_mb": 9000.0,
        "firing": frozenset(),
    }
    return Facts(**given | known)


def says(settings: AlertSettings, known: Facts) -> dict[str, bool | None]:
    return {one.rule: one.is_firing for one in read_rules(settings, known)}


def test_only_rules_that_are_on_are_read():
    assert says(FINE, facts()) == {}
    assert list(says(ALL, facts())) == list(RULES)
    assert set(says(AlertSettings(), facts())) == {
        "drift",
        "failed_requests",
        "disk_left_mb",
        "rolled_back",
        "turn_failed",
    }


@pytest.mark.parametrize(
    ("rule", "known", "value"),
    [
        ("drift", {"drift": {"labels": 0.1, "confidence": 0.25}}, 0.25),
        ("hand_over", {"window": {"n_handed_over": 400}}, 0.4),
        ("contradicted", {"window": {"n_contradicted": 40}}, 0.2),
        ("p99_ms", {"window": {"p99_ms": 50.0}}, 50),
        ("failed_requests", {"n_failed": 10}, 0.05),
        ("silent_h", {"last_hour": NOON - timedelta(hours=7)}, 6),
        ("disk_left_mb", {"disk_left_mb": 1999.0}, 1999),
        ("rolled_back", {"live": {"action": "rollback", "release_id": "rel_9"}}, None),
        ("turn_failed", {"failed": {"seq": 3, "turn_id": "turn_3"}}, None),
        ("turn_failed", {"failed": {"seq": 3, "turn_id": "turn_3"}, "done": {"seq": 1, "turn_id": "turn_1"}}, None),
    ],
)
def test_each_rule_fires_at_its_limit_and_alone(rule: str, known: dict[str, Any], value: float | None):
    well, ill = says(ALL, facts()), says(ALL, facts(**known))
    assert (well[rule], ill) == (False, well | {rule: True})
    assert next(one.value for one in read_rules(ALL, facts(**known)) if one.rule == rule) == value


def test_with_too_little_to_go_by_a_rule_says_nothing():
    little = facts(
        window={"n_messages": 99, "n_handed_over": 99, "n_feedback": 99, "n_contradicted": 99, "p99_ms": 900.0},
        drift={"state": "too_few", "labels": None, "confidence": None},
        n_requests=19,
        n_failed=19,
        last_hour=None,
        live=None,
        failed=None,
        done=None,
    )
    unknown = dict.fromkeys(("drift", "hand_over", "contradicted", "p99_ms", "failed_requests", "silent_h"))
    certain = dict.fromkeys(("disk_left_mb", "rolled_back", "turn_failed", "turn_finished"), False)
    assert says(ALL, little) == unknown | certain


def test_a_value_about_its_limit_rings_once():
    known, told = None, []
    for share in (0.39, 0.4, 0.41, 0.39, 0.4, 0.37, 0.35, 0.39, 0.4):
        firing = frozenset({"hand_over"} if known and known.state == "firing" else ())
        seen = facts(window={"n_handed_over": round(1000 * share)}, firing=firing)
        (reading,) = (one for one in read_rules(ALL, seen) if one.rule == "hand_over")
        after = step(known, reading)
        known = after or known
        told.append(after and after.event)
    assert told == [None, "fired", None, None, None, None, "resolved", None, "fired"]


def about(rule: Any, occasion: str) -> AlertReading:
    return AlertReading(rule=rule, is_firing=bool(occasion), occasion=occasion)


def test_what_was_there_before_is_no_news_and_each_new_one_is_told_once():
    known, told = None, []
    for occasion in ("rel_old", "rel_old", "", "rel_2", "rel_2", "rel_3", "", ""):
        after = step(known, about("rolled_back", occasion))
        known = after or known
        told.append(after and after.event)
    assert told == [None, None, None, "fired", None, "fired", "resolved", None]
    assert step(Step("ok", "", None), about("rolled_back", "rel_1")) == Step("firing", "rel_1", "fired")


def test_news_are_told_and_leave_nothing_to_resolve():
    assert step(None, about("turn_finished", "turn_1")) == Step("ok", "turn_1", None)
    assert step(Step("ok", "turn_1", None), about("turn_finished", "turn_2")) == Step("ok", "turn_2", "fired")
    assert step(Step("ok", "turn_2", None), about("turn_finished", "turn_2")) is None


def test_a_rule_that_fires_goes_on_firing_while_nobody_knows():
    unknown = AlertReading(rule="drift", is_firing=None, limit=0.25)
    assert step(Step("firing", "", None), unknown) is None
    assert state_of(Step("firing", "", None), unknown) == "firing"
    assert (state_of(None, unknown), state_of(Step("ok", "", None), unknown)) == ("unknown", "unknown")
    assert state_of(None, about("turn_failed", "turn_1")) == "firing"
    assert state_of(None, about("turn_finished", "turn_1")) == "ok"
    assert state_of(Step("ok", "turn_1", None), about("turn_failed", "turn_1")) == "ok"


def test_the_pauses_double_and_end_after_a_day():
    rng, at, n_tries, pauses = random.Random(0), NOON, 0, []
    while at is not None:
        n_tries += 1
        again = when_again(n_tries, created_at=NOON, now=at, rng=rng)
        pauses += [] if again is None else [(again - at).total_seconds()]
        at = again
    assert 15 <= pauses[0] <= 30 and 30 <= pauses[1] <= 60 and max(pauses) <= 7200
    assert 20 * 3600 < sum(pauses) < 24 * 3600 and n_tries < 40
    assert when_again(10**6, created_at=NOON, now=NOON, rng=rng) is not None


@pytest.mark.parametrize(
    ("event", "reading", "en", "zh"),
    [
        (
            "fired",
            AlertReading(rule="hand_over", is_firing=True, value=0.4712, limit=0.4),
            "[Feilun] support: 47.1 % of the messages of the last 24 hours were handed over, the limit is 40.0 %.",
            "【飞轮 Feilun】support：最近 24 小时有 47.1% 的消息转人工，上限为 40.0%。",
        ),
        (
            "resolved",
            AlertReading(rule="p99_ms", is_firing=False, value=31.4, limit=50),
            "[Feilun] support, resolved: the slowest 1 % of the answers take 31 ms now.",
            "【飞轮 Feilun】support，已恢复：目前最慢的 1% 回答耗时 31 毫秒。",
        ),
        (
            "fired",
            AlertReading(rule="failed_requests", is_firing=True, value=0.25, limit=0.05),
            "[Feilun] support: 25.0 % of the requests of the last 10 minutes failed or were refused for overload, "
            "the limit is 5.0 %. See server.log.",
            "【飞轮 Feilun】support：最近 10 分钟有 25.0% 的请求失败或因过载被拒绝，上限为 5.0%。详见 server.log。",
        ),
        (
            "test",
            None,
            "[Feilun] support: this is a test. Alerts arrive here.",
            "【飞轮 Feilun】support：这是一条测试消息，告警会发到这里。",
        ),
    ],
)
def test_an_alert_says_what_where_and_how_much_in_both_languages(event, reading, en, zh):
    payload = payload_of(event, project="support", at=NOON, reading=reading, settings=ALL)
    assert (payload["type"], payload["timestamp"]) == (f"alert.{event}", "2026-11-28T12:00:00+00:00")
    assert (payload["data"]["en"], payload["data"]["zh"]) == (en, zh)


def test_every_rule_has_words_with_the_same_placeholders_in_both_languages():
    words = tomllib.loads((Path(feilun.alerts.__file__).parent / "words.toml").read_text("utf-8"))
    assert set(words["fired"]) == set(RULES)
    assert set(words["resolved"]) == set(RULES) - PASSING
    for table in words.values():
        for entry in table.values():
            names = [{name for _, name, *_ in string.Formatter().parse(entry[lang]) if name} for lang in ("en", "zh")]
            assert names[0] == names[1], entry

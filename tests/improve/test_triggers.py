from datetime import UTC, datetime, timedelta, timezone

import pytest

from feilun.config import ImproveSettings
from feilun.improve import due

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
NEVER = ImproveSettings(every_labels=0, schedule="never")


@pytest.mark.parametrize(("n_new", "asks"), [(49, False), (50, True), (500, True)])
def test_enough_new_labels_ask_for_a_turn(n_new, asks):
    trigger = due(ImproveSettings(every_labels=50), n_new_labels=n_new, last_turn_at=NOW, now=NOW)
    assert (trigger is not None) == asks
    if trigger:
        assert trigger.kind == "labels"
        assert str(n_new) in trigger.en
        assert str(n_new) in trigger.zh


def test_nothing_asks_when_everything_is_switched_off():
    assert due(NEVER, n_new_labels=10**6, last_turn_at=None, now=NOW) is None


@pytest.mark.parametrize(
    ("schedule", "period"),
    [("hourly", timedelta(hours=1)), ("daily", timedelta(days=1)), ("weekly", timedelta(days=7))],
)
def test_the_calendar_asks_once_a_period_has_passed(schedule, period):
    settings = ImproveSettings(every_labels=0, schedule=schedule)
    early = due(settings, n_new_labels=0, last_turn_at=NOW - period + timedelta(seconds=1), now=NOW)
    trigger = due(settings, n_new_labels=0, last_turn_at=NOW - period, now=NOW)
    assert early is None
    assert trigger.kind == "schedule"
    assert schedule in trigger.en


def test_a_calendar_without_a_first_turn_asks_at_once():
    settings = ImproveSettings(every_labels=0, schedule="weekly")
    assert due(settings, n_new_labels=0, last_turn_at=None, now=NOW).kind == "schedule"


def test_labels_come_before_the_calendar():
    settings = ImproveSettings(every_labels=5, schedule="hourly")
    assert due(settings, n_new_labels=5, last_turn_at=None, now=NOW).kind == "labels"


def test_times_mean_the_same_in_any_zone_and_without_one():
    settings = ImproveSettings(every_labels=0, schedule="daily")
    shanghai = (NOW - timedelta(days=1)).astimezone(timezone(timedelta(hours=8)))
    naive = (NOW - timedelta(days=1)).replace(tzinfo=None)
    found = [due(settings, n_new_labels=0, last_turn_at=at, now=NOW) for at in (shanghai, naive)]
    assert found[0] == found[1] is not None


def test_a_clock_set_back_asks_for_nothing():
    settings = ImproveSettings(every_labels=0, schedule="hourly")
    assert due(settings, n_new_labels=0, last_turn_at=NOW + timedelta(days=2), now=NOW) is None

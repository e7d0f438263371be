"""The decision to turn again: pure, so that it can be asked at any moment, by anyone, any number of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from feilun.config import ImproveSettings
from feilun.records import Record

PERIODS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(weeks=1)}
PERIOD_ZH = {"hourly": "每小时", "daily": "每天", "weekly": "每周"}


class Trigger(Record):
    """Why a turn is due, in one sentence for a person."""

    kind: Literal["labels", "schedule"]
    en: str
    zh: str


def due(
    settings: ImproveSettings, *, n_new_labels: int, last_turn_at: datetime | None, now: datetime
) -> Trigger | None:
    """What asks for a turn now; None when nothing does. Enough labels come before the calendar.

    Args:
        n_new_labels: labels that arrived since the data of the last turn were taken.
        last_turn_at: when the last turn began, whatever came of it (so that a turn that fails is not asked for again
            at once); None when there was none, and then a calendar asks immediately.
        now: both times are UTC; times without a zone are taken as UTC. A clock set back asks for nothing.
    """
    if settings.every_labels and n_new_labels >= settings.every_labels:
        return Trigger(
            kind="labels",
            en=f"{n_new_labels:,} new labels since the last turn; [improve] every_labels is {settings.every_labels:,}.",
            zh=f"上一轮之后新增 {n_new_labels:,} 条标注，[improve] every_labels 为 {settings.every_labels:,}。",
        )
    if settings.schedule == "never":
        return None
    if last_turn_at is None or _utc(now) - _utc(last_turn_at) >= PERIODS[settings.schedule]:
        since_en = f"the last turn began {_utc(last_turn_at):%Y-%m-%d %H:%M} UTC" if last_turn_at else "no turn yet"
        since_zh = f"上一轮始于 {_utc(last_turn_at):%Y-%m-%d %H:%M} UTC" if last_turn_at else "还没有运行过"
        return Trigger(
            kind="schedule",
            en=f"[improve] schedule is {settings.schedule}; {since_en}.",
            zh=f"[improve] schedule 为 {settings.schedule}（{PERIOD_ZH[settings.schedule]}）；{since_zh}。",
        )
    return None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

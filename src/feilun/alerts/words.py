"""What an alert says. Numbers, ids and names of rules: never a message, never a person's words."""

from __future__ import annotations

import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from feilun.config import AlertSettings
from feilun.records import AlertEvent, AlertReading

SHARES = frozenset({"hand_over", "contradicted", "failed_requests"})
UNITS = {"p99_ms": ("{:.0f} ms", "{:.0f} 毫秒"), "silent_h": ("{:.0f} h", "{:.0f} 小时")}
UNITS |= {"disk_left_mb": ("{:.0f} MB", "{:.0f} MB")}


def payload_of(
    event: AlertEvent,
    *,
    project: str,
    at: datetime,
    reading: AlertReading | None = None,
    settings: AlertSettings | None = None,
) -> dict[str, Any]:
    """What is kept and sent of an alert; the shape of the JSON follows Standard Webhooks: type, timestamp, data.

    Args:
        reading, settings: what a rule said, and under which settings; None for a test, which no rule is behind.
    """
    data: dict[str, Any] = {"project": project}
    if reading is not None:
        data |= reading.model_dump(exclude={"is_firing"})
    data |= {lang: _sentence(lang, event, project, reading, settings or AlertSettings()) for lang in ("en", "zh")}
    return {"type": f"alert.{event}", "timestamp": at.isoformat(timespec="seconds"), "data": data}


def _sentence(lang: str, event: AlertEvent, project: str, reading: AlertReading | None, of: AlertSettings) -> str:
    words = _words()
    if reading is None:
        what = words["test"]["what"][lang]
    else:
        said = {name: _quantity(lang, reading.rule, getattr(reading, name)) for name in ("value", "limit")}
        said |= {"window_h": str(of.window_h), "window_min": str(of.failed_min), "occasion": reading.occasion}
        what = words[event][reading.rule][lang].format(**said)
    frame = words["event"]["resolved" if event == "resolved" else "fired"][lang]
    return str(frame.format(project=project, what=what))


def _quantity(lang: str, rule: str, value: float | None) -> str:
    if value is None:
        return "–"
    if rule in SHARES:
        return f"{100 * value:.1f} %" if lang == "en" else f"{100 * value:.1f}%"
    return UNITS.get(rule, ("{:.3g}", "{:.3g}"))[lang == "zh"].format(value)


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))

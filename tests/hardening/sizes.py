"""How much of a thing is done: what a change can wait for, or what a night has time for (`make hardening`)."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")
IS_NIGHT = os.environ.get("FEILUN_HARDENING") == "night"


def by_day_or_night(day: T, night: T) -> T:
    """What this run does: the number of its cases, kills or rows, or which ones."""
    return night if IS_NIGHT else day

"""When the wheel should turn again (`due`); whoever asks leaves the request in the store."""

from feilun.improve.triggers import Trigger, due

__all__ = ["Trigger", "due"]

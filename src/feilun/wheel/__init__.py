"""The turn itself: steps in order, durable, resumable; and the worker that turns when asked."""

from feilun.wheel.errors import PreflightBroken, StepBroken, TurnCancelled, TurnCrashed, TurnFailed
from feilun.wheel.follow import follow_turn

__all__ = ["PreflightBroken", "StepBroken", "TurnCancelled", "TurnCrashed", "TurnFailed", "follow_turn"]

"""The turn itself: steps in order, durable, resumable; the worker that turns when asked; and the learning curve."""

from feilun.wheel.curve import draw_curve
from feilun.wheel.errors import PreflightBroken, StepBroken, TurnCancelled, TurnCrashed, TurnFailed, TurnPaused
from feilun.wheel.follow import follow_turn

__all__ = [
    "PreflightBroken",
    "StepBroken",
    "TurnCancelled",
    "TurnCrashed",
    "TurnFailed",
    "TurnPaused",
    "draw_curve",
    "follow_turn",
]

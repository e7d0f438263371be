"""Candidates on one leaderboard, under one time budget: probe, tune, adapt, full, the best one kept."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feilun.train.cache import EmbeddingCache
    from feilun.train.errors import NoCandidate, NothingToLearn, ResultDamaged
    from feilun.train.forecast import preflight
    from feilun.train.refits import refit
    from feilun.train.result import load_result, write_result
    from feilun.train.room import NotEnoughRoom
    from feilun.train.run import train
    from feilun.train.search import StudyPlace

__all__ = [
    "EmbeddingCache",
    "NoCandidate",
    "NotEnoughRoom",
    "NothingToLearn",
    "ResultDamaged",
    "StudyPlace",
    "load_result",
    "preflight",
    "refit",
    "train",
    "write_result",
]

_ROOMS = {
    "EmbeddingCache": "cache",
    "NoCandidate": "errors",
    "NotEnoughRoom": "room",
    "NothingToLearn": "errors",
    "ResultDamaged": "errors",
    "StudyPlace": "search",
    "load_result": "result",
    "preflight": "forecast",
    "refit": "refits",
    "train": "run",
    "write_result": "result",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(f"feilun.train.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'feilun.train' has no attribute {name!r}")

"""Candidates on one leaderboard, under one time budget: the probe, then tuning, the better one kept."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feilun.train.cache import EmbeddingCache
    from feilun.train.errors import NoCandidate, NothingToLearn, ResultDamaged
    from feilun.train.refits import refit
    from feilun.train.result import load_result
    from feilun.train.run import train

__all__ = ["EmbeddingCache", "NoCandidate", "NothingToLearn", "ResultDamaged", "load_result", "refit", "train"]

_ROOMS = {
    "NoCandidate": "errors",
    "EmbeddingCache": "cache",
    "NothingToLearn": "errors",
    "ResultDamaged": "errors",
    "load_result": "result",
    "refit": "refits",
    "train": "run",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(f"feilun.train.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'feilun.train' has no attribute {name!r}")

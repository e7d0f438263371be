"""The search: better settings for the tune rung, by Optuna, on the same folds and within the same budget."""

from __future__ import annotations

from feilun.train.search.place import StudyPlace
from feilun.train.search.run import search_line

__all__ = ["StudyPlace", "search_line"]

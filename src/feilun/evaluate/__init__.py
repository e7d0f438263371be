"""Judge a model (`judge`), its data (`find_label_doubts`, `learning_curve`), and tell a person (`describe`)."""

from feilun.evaluate.arrays import ChampionView, Judgement, ValidationArrays
from feilun.evaluate.curve import CurveArrays, learning_curve
from feilun.evaluate.label_errors import find_label_doubts
from feilun.evaluate.report import describe, describe_curve
from feilun.evaluate.run import judge

__all__ = [
    "ChampionView",
    "CurveArrays",
    "Judgement",
    "ValidationArrays",
    "describe",
    "describe_curve",
    "find_label_doubts",
    "judge",
    "learning_curve",
]

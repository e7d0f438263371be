"""Judge a model (`judge`), its data (`find_label_doubts`, `learning_curve`), and tell a person (`describe`)."""

from feilun.evaluate.arrays import ChampionView, Judgement, ValidationArrays
from feilun.evaluate.curve import CurveArrays, learning_curve
from feilun.evaluate.examples import (
    Confusion,
    ConfusionCell,
    ExampleFilter,
    ExamplePage,
    ExampleRow,
    Judged,
    Order,
    ThresholdCurve,
    ThresholdPoint,
    cheapest,
)
from feilun.evaluate.judged import hold_out, read_answers
from feilun.evaluate.label_errors import find_label_doubts
from feilun.evaluate.occlusion import Explanation, WordWeight, occlude, weigh
from feilun.evaluate.report import describe, describe_curve
from feilun.evaluate.run import judge
from feilun.evaluate.side_by_side import Flip, ModelComparison, line_up

__all__ = [
    "ChampionView",
    "Confusion",
    "ConfusionCell",
    "CurveArrays",
    "ExampleFilter",
    "ExamplePage",
    "ExampleRow",
    "Explanation",
    "Flip",
    "Judged",
    "Judgement",
    "ModelComparison",
    "Order",
    "ThresholdCurve",
    "ThresholdPoint",
    "ValidationArrays",
    "WordWeight",
    "cheapest",
    "describe",
    "describe_curve",
    "find_label_doubts",
    "hold_out",
    "judge",
    "learning_curve",
    "line_up",
    "occlude",
    "read_answers",
    "weigh",
]

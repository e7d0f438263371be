"""The gate: whether a judged model may go live; and what becomes of it on a share of the traffic."""

from feilun.release.canary import Verdict, judge
from feilun.release.draw import Draw, draw
from feilun.release.gate import ComparisonMissing, UnknownGoalMetric, decide, p_text, standing
from feilun.release.guard import Outcomes, evidence

__all__ = [
    "ComparisonMissing",
    "Draw",
    "Outcomes",
    "UnknownGoalMetric",
    "Verdict",
    "decide",
    "draw",
    "evidence",
    "judge",
    "p_text",
    "standing",
]

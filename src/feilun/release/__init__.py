"""The gate: whether a judged model may go live."""

from feilun.release.gate import ComparisonMissing, UnknownGoalMetric, decide

__all__ = ["ComparisonMissing", "UnknownGoalMetric", "decide"]

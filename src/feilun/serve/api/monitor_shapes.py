"""How the served model fares, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from feilun.serve.api.shapes import Shape


class MonitorSpan(Shape):
    """What was answered in a part of the time, or in all of it."""

    at: datetime = Field(description="When it begins.")
    n_messages: int
    n_handed_over: int
    n_feedback: int = Field(description="Given in this time, on whatever answer.")
    n_contradicted: int = Field(description="Of the feedback: a thumb down, or another label than was answered.")
    p50_ms: float | None = Field(description="Half of the answers took no longer, to within 5 %; null: no answers.")
    p95_ms: float | None
    p99_ms: float | None
    confidence: list[int] = Field(description="Messages in each fifth of confidence, the unsure ones first.")


class AnswerRow(Shape):
    """One answer, as it was given."""

    seq: int
    prediction_id: str
    inputs: dict[str, Any] = Field(description="The message.")
    labels: list[str]
    confidence: float
    decision: Literal["answer", "hand_over"]
    reason: str = Field(description="confident, unsure, out_of_scope or memory.")
    model_id: str
    created_at: datetime


class AnswerPage(Shape):
    answers: list[AnswerRow] = Field(description="Latest first.")
    next_before: int | None = Field(
        description="Pass it as `before` for earlier ones; null when this is the last page."
    )


class MonitorLabel(Shape):
    """How often a label was predicted."""

    label: str
    n: int
    n_before: int = Field(description="In the interval of equal length before.")


class MonitorDrift(Shape):
    """How far the traffic has moved since the interval of equal length before."""

    state: Literal["too_few", "steady", "shifted", "drifted"] = Field(
        description="By the larger index: steady below 0.1, drifted from 0.25 on; too_few messages to say."
    )
    n_before: int = Field(description="Messages in the interval before.")
    n_needed: int = Field(description="Messages that both intervals need.")
    labels: float | None = Field(description="Population stability index of the predicted labels; 0 is no change.")
    confidence: float | None = Field(description="Population stability index of the confidence.")


class MonitorReply(Shape):
    """Traffic, answer times, hand-over, confidence, labels and feedback over time."""

    since: datetime = Field(description="The beginning of the first bucket.")
    until: datetime
    bucket: Literal["hour", "day", "week"]
    buckets: list[MonitorSpan] = Field(description="In the order of time, without gaps; days are those of UTC.")
    whole: MonitorSpan
    labels: list[MonitorLabel] = Field(description="The most frequent first.")
    drift: MonitorDrift

"""What a challenger did beside the champion, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from feilun.serve.api.shapes import Shape


class TrafficArm(Shape):
    """What one of the two models did with its share."""

    role: Literal["champion", "challenger"]
    model_id: str
    n_messages: int
    n_handed_over: int
    n_contradicted: int = Field(description="Answers that somebody spoke against: a thumb down, or another label.")
    n_failed: int = Field(description="Messages that the champion answered, for the challenger had failed.")


class TrafficGuard(Shape):
    """One guard of a canary."""

    metric: Literal["hand_over", "contradicted", "failed"]
    champion: float = Field(description="Share of its messages.")
    challenger: float = Field(description="Share of its messages.")
    evidence: float | None = Field(
        description="How strongly this speaks for the canary being worse than tolerated; null: too few messages yet."
    )
    needed: float = Field(description="Evidence from which the canary is rolled back.")


class TrafficDifference(Shape):
    """A message that the two answered otherwise."""

    prediction_id: str
    inputs: dict[str, Any] = Field(description="The message.")
    champion: list[str] = Field(description="What was answered.")
    champion_confidence: float
    challenger: list[str] = Field(description="What the shadow would have answered.")
    challenger_confidence: float
    created_at: datetime


class TrafficShadow(Shape):
    """What a shadow said beside the champion."""

    n_compared: int
    n_agreed: int = Field(description="Messages to which both gave the same labels.")
    n_champion_handed_over: int
    n_challenger_handed_over: int
    n_labelled: int = Field(description="Compared messages whose right label somebody has told.")
    n_champion_right: int = Field(description="Of those.")
    n_challenger_right: int = Field(description="Of those.")
    differences: list[TrafficDifference] = Field(description="Messages that the two answered otherwise, latest first.")


class TrafficChallenge(Shape):
    """The shadow or canary that is under way."""

    release_id: str = Field(description="Its entry in the release log.")
    action: Literal["shadow", "canary"]
    model_id: str
    champion_id: str
    share: float
    actor: str
    created_at: datetime


class TrafficReply(Shape):
    """Which models answer, with what share, and how the two compare."""

    champion_id: str | None
    challenge: TrafficChallenge | None = Field(description="Null when the champion answers alone.")
    arms: list[TrafficArm] = Field(description="Of a canary: the champion's part, then the challenger's.")
    guards: list[TrafficGuard] = Field(description="Of a canary: what the guards read.")
    state: Literal["none", "shadow", "alone", "too_few", "watching", "worse", "proven"] = Field(
        description="Of a canary: too_few messages yet, watching, worse (it is being rolled back), proven (it is "
        "promoted if it meets the goal), alone (it answers everything)."
    )
    reason: str = Field(description="The same in one sentence in the caller's language; empty without a canary.")
    shadow: TrafficShadow | None
    trouble: str | None = Field(
        description="Why this server could not load the challenger, in the caller's language; the champion answers."
    )

"""What comes out where two models are held against each other."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from feilun.records import Comparison, Interval
from feilun.serve.api.example_shapes import ModelAnswer
from feilun.serve.api.shapes import Shape


class ComparedModelShape(Shape):
    model_id: str
    accuracy: Interval = Field(description="On the messages that both were judged on.")
    n_examples: int = Field(description="Labelled messages in its own holdout.")
    size_mb: float | None = Field(description="As its report has it; null where that is not recorded.")
    p50_ms: float | None = Field(description="As its report has it; null where that is not recorded.")


class ClassChangeShape(Shape):
    """One label on the messages that both were judged on."""

    label: str
    n_examples: int = Field(description="Messages with this label.")
    n_right_old: int = Field(description="Of those, the ones to which the old model gave it.")
    n_right_new: int
    n_false_old: int = Field(description="Messages without this label to which the old model gave it.")
    n_false_new: int


class FlippedRowShape(Shape):
    """A held-out message on which the two part."""

    kind: Literal["fixed", "broken", "changed"] = Field(
        description="fixed: only the new one is right; broken: only the old one was; changed: neither, differently."
    )
    example_id: str = Field(description="Names the message; equal messages have the same.")
    text: str = Field(description="The message.")
    gold: list[str] = Field(description="What the data say, as of the later of the two models.")
    old: ModelAnswer
    new: ModelAnswer
    source: str = Field(description="The file it stands in.")
    row: int | None = Field(description="Where in the file, if that is known.")


class ModelComparisonShape(Shape):
    """Two models on the messages that both were judged on."""

    old: ComparedModelShape
    new: ComparedModelShape
    test: Comparison = Field(description="The gate's paired test, with the old model in the champion's place.")
    verdict: Literal["better", "not_better", "worse"] = Field(description="What the gate makes of the test.")
    n_changed: int = Field(description="Both wrong, each in its own way.")
    n_wrong_alike: int = Field(description="Both wrong in the same way; these are not among the flips.")
    classes: list[ClassChangeShape] = Field(description="Those that gain most right answers first.")
    n_found: int = Field(description="Flipped messages that are looked for.")
    flips: list[FlippedRowShape] = Field(description="Those that the new model is surest of first.")
    next_after: int | None = Field(description="Pass it as `after` for the next page; null when this is the last.")

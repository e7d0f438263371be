"""What goes in and comes out where single messages are looked at, any model is asked, and answers explained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from feilun.serve.api.shapes import MessageInput, Shape

MAX_LABEL = 200
MAX_SKIPPED = 2**31  # rows that a page may begin after


class ModelAnswer(Shape):
    """What a model says by itself; nothing of it is recorded, so there is no id for feedback."""

    label: str = Field(description="The label; several are joined by [task] label_separator, none is empty.")
    labels: list[str] = Field(description="The labels one by one.")
    confidence: float = Field(description="How likely the answer is right, calibrated.")
    decision: Literal["answer", "hand_over"] = Field(description="What it would do with its own thresholds.")
    reason: Literal["confident", "unsure", "out_of_scope", "memory"] = Field(description="Why; never 'memory' here.")
    alternatives: list[tuple[str, float]] = Field(description="The likeliest labels with their probabilities.")


class ExampleShape(Shape):
    """A held-out message as the model answered it when it was judged."""

    example_id: str = Field(description="Names the message; equal messages have the same.")
    text: str = Field(description="The message.")
    gold: list[str] = Field(description="What the data say.")
    answer: ModelAnswer
    correct: bool
    source: str = Field(description="The file it stands in.")
    row: int | None = Field(description="Where in the file, if that is known.")


class ExamplePageShape(Shape):
    model_id: str
    n_examples: int = Field(description="Held-out messages in all.")
    n_found: int = Field(description="Those that are looked for.")
    n_wrong: int = Field(description="Of those found, the ones that were answered wrongly.")
    examples: list[ExampleShape]
    next_after: int | None = Field(description="Pass it as `after` for the next page; null when this is the last.")
    sources: list[str] = Field(description="The files that held-out messages stand in.")


class ConfusionCellShape(Shape):
    gold: str = Field(description="What it was; empty where a label was given that nothing called for.")
    predicted: str = Field(description="What it was taken for; empty where no label was given.")
    count: int


class ConfusionShape(Shape):
    """The confusion matrix without its zeros."""

    model_id: str
    n_examples: int = Field(description="Held-out messages that are in scope.")
    cells: list[ConfusionCellShape] = Field(description="The most frequent first; right answers are the diagonal.")


class ThresholdPointShape(Shape):
    threshold: float = Field(description="Answers are given from this confidence on.")
    n_answered: int
    n_wrong: int = Field(description="Of those answered.")


class ThresholdCurveShape(Shape):
    """What other thresholds would have come to on the holdout. A model's own is sealed with it."""

    model_id: str
    n_examples: int
    threshold: float = Field(description="The model's own.")
    max_error_rate: float = Field(description="[evaluate] max_error_rate, for which it was chosen.")
    points: list[ThresholdPointShape] = Field(description="In rising order; the last one hands everything over.")


class AnswersRequest(Shape):
    inputs: list[MessageInput] = Field(min_length=1, description="The messages; at most [serve] max_batch.")


class AnswersReply(Shape):
    model_id: str
    answers: list[ModelAnswer] = Field(description="One for each input, in the same order.")


class ExplanationRequest(Shape):
    """A message of which to say why it is answered as it is."""

    inputs: MessageInput = Field(description="The message; its first 4000 characters count.")
    label: str | None = Field(
        None, min_length=1, max_length=MAX_LABEL, description="The label to explain; absent: the likeliest."
    )
    model_id: str | None = Field(
        None, min_length=1, max_length=64, description="The model; absent: the champion, or the latest one."
    )


class WordWeightShape(Shape):
    """A stretch of the message; start and end count Unicode characters, the end is not part of it."""

    start: int
    end: int
    weight: float = Field(description="Log-odds that the label loses without it; below 0: it speaks against the label.")
    without: float = Field(description="Probability of the label without it.")


class ExplanationReply(Shape):
    model_id: str
    label: str
    probability: float = Field(description="Of the label, for the whole message; the model's own, without a memory.")
    words: list[WordWeightShape] = Field(description="In the order of the message; longer ones are weighed in pieces.")
    n_read: int = Field(description="Characters from the beginning that were looked at.")


class QueueRequest(Shape):
    """A message on which somebody wants a second opinion."""

    inputs: MessageInput


class QueueAsked(Shape):
    prediction_id: str = Field(description="Under which it waits; feedback and skip take it.")

"""What goes in and comes out, field by field; the OpenAPI document is made from this page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from feilun.records import CompressResult, Event, UsageLine

MAX_TEXT = 100_000  # far beyond what a model reads; keeps one message from taking a core for seconds


MAX_USER = 256
USER = (
    "Who asks, in any words that stay the same, such as a hash of the customer's number: while a canary is under way, "
    "one user always meets the same model. It is not kept."
)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return text


class Shape(BaseModel):
    """Base of bodies: unknown keys are refused, so that a typo is not taken for silence."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Problem(Shape):
    """Every error has this shape. The code is stable; the words follow Accept-Language (en, zh) and may improve."""

    code: str = Field(description="What went wrong, for programs; stable.", examples=["request.invalid"])
    message: str = Field(description="What was found, what was expected and what to do next, for people.")
    fields: dict[str, Any] = Field(description="The values in the message, by name.")


class MessageInput(Shape):
    """One message."""

    text: Annotated[str, AfterValidator(_not_blank)] = Field(
        max_length=MAX_TEXT,
        description="What the customer wrote. The model reads its beginning, up to [backbone] max_tokens.",
        examples=["Where is my parcel?", "我的包裹到哪里了？"],
    )


class PredictRequest(Shape):
    inputs: list[MessageInput] = Field(
        min_length=1, description="The messages to answer, one or many; at most [serve] max_batch."
    )
    user: str | None = Field(None, min_length=1, max_length=MAX_USER, description=USER)


class Prediction(Shape):
    """One answer."""

    prediction_id: str = Field(description="Names this answer; feedback takes it.")
    label: str = Field(description="The label; several are joined by [task] label_separator, none is empty.")
    labels: list[str] = Field(description="The labels one by one.")
    confidence: float = Field(
        ge=0,
        le=1,
        description="How likely the answer is right, calibrated; with reason 'memory', how near the correction is.",
    )
    decision: Literal["answer", "hand_over"] = Field(
        description="'answer': sure enough for the promised error rate; 'hand_over': let a person answer."
    )
    reason: Literal["confident", "unsure", "out_of_scope", "memory"] = Field(
        description="Why: the model is sure, is not, does not think this is its business, or a person corrected it."
    )
    model_version: str = Field(description="The model that answered; GET …/models/{model_id} tells its story.")
    alternatives: list[tuple[str, float]] = Field(description="The model's likeliest labels with their probabilities.")


class PredictReply(Shape):
    predictions: list[Prediction] = Field(description="One for each input, in the same order.")


class FeedbackRequest(Shape):
    """What someone says about an answer: at least one of label, thumb, text and comment."""

    prediction_id: str | None = Field(
        None, min_length=1, max_length=64, description="The answer this is about. Without it, `inputs` is needed."
    )
    inputs: MessageInput | None = Field(None, description="The message itself, when no answer was asked for.")
    label: str | list[str] | None = Field(
        None, description="The right label. Where a message may carry several: a list, or joined as in the data."
    )
    thumb: Literal["up", "down"] | None = Field(
        None, description="'up' confirms the answer's labels; 'down' puts it at the top of the review queue."
    )
    text: str | None = Field(
        None, description="An edited answer. When it reads like a known label it counts as that label."
    )
    comment: str | None = Field(None, description="Anything else; kept for people to read.")


class FeedbackReply(Shape):
    feedback_id: str = Field(description="Names this feedback; it is on disk.")
    replayed: bool = Field(description="True when the same Idempotency-Key brought the same body before.")
    labels: list[str] | None = Field(description="The labels it was understood as; null when it says none.")
    new_label: bool = Field(description="True when a label is one that the model does not know yet: a new class.")
    hint: str | None = Field(description="The known label nearest to a new one, in case it was a typo.")


class FeedbackRow(Shape):
    """One feedback as it is kept."""

    seq: int = Field(description="Place in the log; `after` takes it.")
    feedback_id: str
    prediction_id: str | None
    inputs: dict[str, Any] = Field(description="The message it is about.")
    labels: list[str] | None = Field(description="The right labels, when it says them.")
    thumb: Literal["up", "down"] | None
    edited_text: str | None
    comment: str | None
    actor: str = Field(description="Who gave it: the name of the API key, or how it came in.")
    created_at: datetime


class FeedbackPage(Shape):
    feedback: list[FeedbackRow] = Field(description="In the order it came; with `latest`, latest first.")
    next_after: int | None = Field(description="Pass it as `after` for the next page; null when this is the last.")
    next_before: int | None = Field(description="With `latest`: pass it as `before`; null when this is the last page.")


class Reason(Shape):
    """Why a person is asked."""

    code: str = Field(
        description="One of disliked, handed_over, out_of_scope, label_doubt, unsure, undecided, disagreement, novel, "
        "typical, few_labels, by_lot, useful, models_disagree, asked."
    )
    text: str = Field(description="The reason in one sentence in the caller's language.")


class QueueRow(Shape):
    """An answer that waits for a person, or a training row whose label looks wrong."""

    prediction_id: str | None = Field(
        description="The answer; feedback takes it. Null where a label looks wrong: feedback takes the `inputs`."
    )
    example_id: str = Field(description="Names the message; equal messages have the same.")
    inputs: dict[str, Any] = Field(description="The message.")
    labels: list[str] = Field(description="What the model would say.")
    given: list[str] | None = Field(description="What the training row says, where that is in doubt.")
    confidence: float | None = Field(description="Of the answer; null where there was none.")
    reason: str = Field(description="unsure, out_of_scope or another reason of an answer; label_doubt.")
    alternatives: list[tuple[str, float]]
    teach: float = Field(
        description="How much a label would teach; a thumb down adds 1. In doubt: how likely the label is wrong."
    )
    model_id: str = Field(description="The model that answered, or whose turn doubted the label.")
    similar: list[str] = Field(description="Prediction ids of nearly the same messages, shown as this one.")
    why: list[Reason] = Field(description="Why it waits.")
    created_at: datetime


class SimilarRow(QueueRow):
    """An answer that waits for a person and means much the same as another."""

    similarity: float = Field(description="Cosine of the two messages' embeddings.")
    is_sure: bool = Field(description="As near as a correction must be to decide for another message.")


class SimilarReply(Shape):
    similar: list[SimilarRow] = Field(description="Nearest first.")


class QueueReply(Shape):
    queue: list[QueueRow] = Field(description="Answers, those that teach most first; then labels that look wrong.")
    n_waiting: int = Field(description="Answers that wait in all; labels that look wrong are not counted.")


class DoubtRow(Shape):
    """A training row whose label looks wrong."""

    example_id: str
    inputs: dict[str, Any] = Field(
        description="The message; give feedback with it and the right label to settle the row."
    )
    source: str = Field(description="The file it stands in.")
    row: int | None = Field(description="Where in the file.")
    labels: list[str] = Field(description="What the row says.")
    suggested: list[str] = Field(description="What cross-validation says.")
    score: float = Field(description="Calibrated probability of the row's label, out of fold; low is doubtful.")


class DoubtList(Shape):
    doubts: list[DoubtRow] = Field(description="The most doubtful first.")


class SuggestionRow(Shape):
    """A message whose label would teach the model."""

    example_id: str = Field(description="Names the message; equal messages have the same.")
    inputs: dict[str, Any] = Field(description="The message; feedback takes it where there is no prediction_id.")
    prediction_id: str | None = Field(description="The answer that was given, if one was; feedback takes it.")
    source: str = Field(
        description="queue: waits for a person; traffic: was answered; data: a row without a label; "
        "doubt: a row whose label looks wrong."
    )
    labels: list[str] = Field(description="What the model would say.")
    confidence: float
    alternatives: list[tuple[str, float]]
    why: list[Reason] = Field(description="The most telling reason first.")
    n_similar: int = Field(description="Other messages without a label that mean nearly the same.")


class SuggestionReply(Shape):
    suggestions: list[SuggestionRow] = Field(description="The most useful first.")
    strategy: str
    model_id: str
    n_pool: int = Field(description="Messages that could be asked about.")
    n_scored: int = Field(description="How many of them the model has read by now; the next request reads more.")


class ModelRow(Shape):
    """A sealed model, live or not."""

    model_id: str
    turn_id: str
    dataset_id: str
    is_champion: bool = Field(description="True for the model that answers.")
    metrics: dict[str, float] = Field(description="On the frozen holdout; intervals are in the report.")
    size_mb: float
    created_at: datetime


class ModelList(Shape):
    models: list[ModelRow] = Field(description="Latest first.")


class CompressionRequest(Shape):
    """Which smaller forms of a model to make and compare."""

    model_id: str | None = Field(
        None, min_length=1, max_length=64, description="The model; absent: the champion, or the latest one."
    )
    n_layers: list[Annotated[int, Field(ge=1, le=1000)]] | None = Field(
        None,
        max_length=8,
        description="Students of so many layers; [] for none. Absent: one of half the layers, without `widths`.",
    )
    widths: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [],
        max_length=8,
        description="Students of all layers that keep this share of each one's heads and feed-forward units.",
    )
    only_show: bool = Field(False, description="Measure the forms, and make nothing.")


class CompressionRow(Shape):
    """Smaller forms of a model that were asked for, and what they came to."""

    compression_id: str
    model_id: str = Field(description="The model of which smaller forms were asked for.")
    status: str = Field(description="waiting, running, done or failed.")
    n_layers: list[int] | None
    widths: list[float]
    only_show: bool
    requested_by: str
    result: CompressResult | None = Field(
        description="When done: every form, measured; the model that was made, if one was; why, in both languages."
    )
    error: dict[str, Any] | None = Field(description="What went wrong, when failed.")
    created_at: datetime
    finished_at: datetime | None


class CompressionList(Shape):
    compressions: list[CompressionRow] = Field(description="Latest first.")


class ReleaseRow(Shape):
    """An entry of the release log, which only grows."""

    release_id: str
    action: str = Field(description="promote, rollback, reject, shadow, canary or stop.")
    model_id: str
    previous_model_id: str | None = Field(
        description="The model that answered before, or beside a shadow or canary; of a canary rolled back, the canary."
    )
    share: float | None = Field(description="Of the traffic, of a shadow or canary.")
    turn_id: str | None
    actor: str
    reason_code: str
    reason: str = Field(description="Why, in one sentence in the caller's language.")
    created_at: datetime


class ReleaseList(Shape):
    releases: list[ReleaseRow] = Field(description="Latest first.")


class ReleaseRequest(Shape):
    """Let another model answer."""

    action: Literal["promote", "rollback", "shadow", "canary", "stop"]
    model_id: str | None = Field(
        None, min_length=1, max_length=64, description="promote, shadow, canary: the model that this is about."
    )
    share: float | None = Field(
        None, gt=0, le=1, description="shadow, canary: of the traffic; absent: 1 for a shadow, 0.1 for a canary."
    )
    reason: str = Field("", max_length=500, description="Kept in the log; an override needs one.")
    override: bool = Field(False, description="promote, canary: although the model misses the goal.")
    actor: str = Field(
        "",
        max_length=64,
        description="Who decides, where no key tells; an override needs it. With a key, its name is kept instead.",
    )


class ProjectRow(Shape):
    """One project."""

    name: str
    task: str
    language: str
    is_multi_label: bool = Field(description="Whether a message may carry several labels.")
    is_ready: bool = Field(description="True when a verified model answers.")
    champion: str | None = Field(description="The model that answers.")
    labels: list[str] = Field(description="The classes that the champion knows.")


class ProjectList(Shape):
    projects: list[ProjectRow]


class ProjectReply(ProjectRow):
    traffic: dict[str, int] = Field(description="Counts: predictions, handed_over, open, feedback, corrections.")
    n_new_labels: int = Field(description="Labels that arrived since the data of the last finished turn were taken.")
    turn_id: str | None = Field(description="The turn that is running or paused.")
    turn_is_paused: bool
    turn_is_requested: bool = Field(description="True when a turn is asked for that has not started.")


class TurnRow(Shape):
    """One trip round the wheel."""

    turn_id: str
    status: str = Field(description="running, done, failed or cancelled; a paused one is running.")
    paused_at: datetime | None = Field(description="Since when a running one is paused.")
    left_s: float | None = Field(
        description="Seconds until a running one should end, by what its steps took in the turn before."
    )
    requested_by: str
    seed: int
    budget_s: float
    dataset_id: str | None
    model_id: str | None
    result: dict[str, Any] | None = Field(description="What it came to, when done.")
    error: dict[str, Any] | None = Field(description="What went wrong, when failed.")
    created_at: datetime
    finished_at: datetime | None


class TurnList(Shape):
    turns: list[TurnRow] = Field(description="Latest first.")


class TurnRequest(Shape):
    note: str = Field("", max_length=500, description="Why, for people.")


class TurnRequested(Shape):
    requested: bool = Field(description="False when a turn was asked for already: there will be one, not two.")


class EventPage(Shape):
    events: list[Event] = Field(description="In order.")
    next_after: int = Field(description="Pass it as `after` for what comes next.")


class UsageReply(Shape):
    usage: list[UsageLine] = Field(
        description="A line for each value of the parts asked for; null where not told apart."
    )


class LimitRequest(Shape):
    per_minute: int | None = Field(None, description="Most requests a minute.")
    burst: int | None = Field(
        None, description="Requests that may come at once after a pause; null: two seconds' worth."
    )
    monthly_requests: int | None = Field(
        None, description="Most requests a month (UTC); one with several inputs counts as so many."
    )
    monthly_characters: int | None = Field(None, description="Most characters of inputs a month (UTC).")


class LimitRow(LimitRequest):
    subject: Literal["key", "tenant"] = Field(description="Whose limit it is.")
    subject_id: str


class LimitList(Shape):
    limits: list[LimitRow] = Field(description="Those of keys first.")


class AuditRow(Shape):
    """One change of state."""

    seq: int = Field(description="Place in the log of the workspace; `after` takes it.")
    at: datetime
    tenant: str
    project: str = Field(description="Empty for what concerns the workspace as a whole.")
    actor: str = Field(description="The person, the key's name or the part of Feilun that did it.")
    action: str = Field(description="What happened, such as key.revoked or release.promote.", examples=["key.revoked"])
    subject: str = Field(description="Id of what it happened to.")
    details: dict[str, Any] = Field(description="Ids, names and counts; never a message, never a secret.")
    prev_hash: str = Field(description="Hash of the entry before.")
    hash: str = Field(description="SHA-256 of this entry, the hash before included.")


class AuditPage(Shape):
    audit: list[AuditRow] = Field(description="In order, or latest first.")
    next_after: int | None = Field(description="Pass it as `after` for the next page; null when this is the last.")
    next_before: int | None = Field(description="With `latest`: pass it as `before`; null when this is the last page.")


class Health(Shape):
    status: Literal["ok"] = "ok"
    version: str = Field(description="The version of Feilun that runs.")


class Readiness(Shape):
    ready: bool
    reasons: list[Problem] = Field(description="What is in the way, or (when ready) what needs somebody's attention.")


class OpenApi(BaseModel):
    """The OpenAPI document."""

    openapi: str
    model_config = ConfigDict(extra="allow")

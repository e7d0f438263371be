"""The typed records that travel from room to room. No behaviour, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Split = Literal["train", "holdout", "unlabelled"]
Guard = Literal["hand_over", "contradicted", "failed"]


class Record(BaseModel):
    """Base of records that are stored or sent as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


@dataclass(frozen=True, slots=True)
class Example:
    """One row: inputs, perhaps a target, and where it came from.

    `inputs` is what the task reads (classify: {"text": ...}); `target` what it learns (classify: a tuple of
    label names) or None when the row is unlabelled. `example_id` is a hash of the normalised inputs, so the
    same message from two sources is the same example.
    """

    example_id: str
    inputs: dict[str, Any]
    target: tuple[str, ...] | None
    source: str
    row: int | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Dataset:
    """An immutable snapshot of examples with named splits; its id is the hash of its content."""

    dataset_id: str
    train: tuple[Example, ...]
    holdout: tuple[Example, ...]
    unlabelled: tuple[Example, ...] = ()
    labels: tuple[str, ...] = ()


class SetAside(Record):
    """A row that could not be used, and why. `row` is the line a person sees (header = 1 for tables)."""

    source: str
    row: int
    reason_code: str
    en: str
    zh: str


class DataReport(Record):
    """What was found in the data; made by `data`, shown by `feilun data check`.

    Pairs are (row reference, row reference), a reference being "file:row"; the lists are cut, the counts are whole.
    n_conflicts counts texts, the other counts rows. Near leaks are near duplicates across train and holdout. Label
    doubts are (row reference, label, suggested label): labels that the last turn's cross-validation speaks against
    and that nobody has changed or confirmed since.
    """

    n_rows: int
    n_train: int
    n_holdout: int
    n_unlabelled: int
    n_corrections: int = 0
    encodings: dict[str, str] = {}
    class_counts: dict[str, int] = {}
    holdout_counts: dict[str, int] = {}
    set_aside: tuple[SetAside, ...] = ()
    n_set_aside: int = 0
    n_exact_duplicates: int = 0
    exact_duplicates: tuple[tuple[str, str], ...] = ()
    n_near_duplicates: int = 0
    near_duplicates: tuple[tuple[str, str], ...] = ()
    n_conflicts: int = 0
    conflicts: tuple[tuple[str, str], ...] = ()
    n_leaks: int = 0
    leaks: tuple[tuple[str, str], ...] = ()
    n_near_leaks: int = 0
    near_leaks: tuple[tuple[str, str], ...] = ()
    n_label_doubts: int = 0
    label_doubts: tuple[tuple[str, str, str], ...] = ()
    advice_en: tuple[str, ...] = ()
    advice_zh: tuple[str, ...] = ()


class Interval(Record):
    """A figure with its error bar; `level` is the confidence level of [low, high]."""

    value: float
    low: float
    high: float
    level: float = 0.95


class CandidateResult(Record):
    """One line of the leaderboard: a method with its hyper-parameters and its cross-validated score."""

    method: str
    params: dict[str, Any] = {}
    validation: dict[str, float] = {}
    cpu_s: float = 0.0
    wall_s: float = 0.0
    status: Literal["done", "skipped", "stopped", "failed"] = "done"
    note_en: str = ""
    note_zh: str = ""
    chosen: bool = False


class Need(Record):
    """What a rung of training needs of one thing, what there is of it, and whether that will do."""

    what: Literal["time", "memory", "disk"]
    needs: float
    has: float
    unit: Literal["s", "MB"]
    verdict: Literal["AMPLE", "TIGHT", "OVER"]


class RungForecast(Record):
    """The needs of one rung; none, with a note, when it would not be tried."""

    method: str
    needs: tuple[Need, ...] = ()
    note_en: str = ""
    note_zh: str = ""


class Preflight(Record):
    """What a turn would take, before it is begun."""

    n_rows: int
    n_classes: int
    budget_s: float
    rungs: tuple[RungForecast, ...]


class SearchTrial(Record):
    """One trial of a search; its scores are over the folds it got to. is_given: it is [train.tune] as it stands.

    reason: of a stopped or failed one: out_of_time, killed (its process died) or failed (its settings do not work).
    """

    number: int
    is_given: bool = False
    params: dict[str, Any]
    status: Literal["done", "pruned", "stopped", "failed"]
    log_loss: float | None = None
    accuracy: float | None = None
    n_folds: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    reason: str = ""


class SearchReport(Record):
    """What a search tried, in order, and what it found out. Scores are out of fold, calibrated, on the same folds.

    best: number of the trial with the lowest log-loss, None when none was finished; n_earlier: trials that an earlier
    turn on the same rows had made; importances: share of each setting in how much the trials differ (fANOVA), sum 1,
    empty when too few were finished.
    """

    study: str
    method: Literal["tpe", "random", "grid"]
    n_asked: int
    n_done: int
    n_pruned: int
    n_failed: int
    n_earlier: int = 0
    best: int | None = None
    trials: tuple[SearchTrial, ...] = ()
    importances: dict[str, float] = {}


class BackboneInfo(Record):
    """Which pretrained network, where it came from, and the fingerprint that says it is the same bytes."""

    alias: str
    fingerprint: str
    source: str
    licence: str
    languages: tuple[str, ...]
    pooling: Literal["mean", "cls"] = "mean"
    prefix: str = ""


@dataclass(frozen=True)
class Backbone:
    """A resolved backbone on disk: `folder` holds config.json, tokenizer.json and model.safetensors."""

    folder: Path
    info: BackboneInfo


@dataclass(frozen=True)
class TrainResult:
    """What `train` leaves behind in `folder`.

    network.safetensors   the backbone tensors that tuning changed (maybe none), by their Hugging Face names,
                          neighbours.* where unlabelled messages vote (see models/neighbours.py),
                          and head.weight (n_classes, n_hidden), head.bias (n_classes,): logits = W·e + b
                          with e the pooled embedding, scaled to unit length
    validation.safetensors  logits (n, n_classes) float32 out of fold, targets (n, n_classes) uint8 and embeddings
                          (n, n_hidden) float32 (by the final network) of the training examples that were held
                          out in some fold, and rows (n,) int64, ascending: their places in Dataset.train. That is
                          all of them, unless they are so many that one fold was enough; maybe none
    """

    folder: Path
    labels: tuple[str, ...]
    leaderboard: tuple[CandidateResult, ...]
    seed: int
    meta: dict[str, Any] = field(default_factory=dict)


class ParityReport(Record):
    """How far the shipped graph is from the float model on real rows.

    n_pieces: pieces of the vocabulary that ship, of n_pieces_all that the backbone has; 0 in older reports.
    """

    n_rows: int
    float_accuracy: float
    shipped_accuracy: float
    agreement: float
    max_logit_difference: float
    precision: Literal["int8", "float32"]
    size_mb: float
    float_size_mb: float
    p50_ms: float
    p99_ms: float
    n_pieces: int = 0
    n_pieces_all: int = 0
    note_en: str = ""
    note_zh: str = ""


class CompressPoint(Record):
    """One form in which a model could ship, with what it costs and what it is worth.

    n_heads, n_ffn: attention heads and feed-forward units of each layer;
    accuracy: on training rows that neither the model nor a student had learnt from, never the holdout; is_dominated:
    another point is at least as small, as fast and as good, and better in one of them; is_within: inside the goal.
    """

    name: str
    n_layers: int
    n_heads: int
    n_ffn: int
    n_pieces: int
    precision: Literal["int8", "float32"]
    size_mb: float
    p50_ms: float
    p99_ms: float
    accuracy: Interval
    agreement: float
    is_dominated: bool = False
    is_within: bool = False
    is_chosen: bool = False


class CompressWish(Record):
    """Which smaller forms of a model are asked for.

    n_layers: students of fewer layers; None: one of half the layers, where torch is installed and no widths are asked
    for; widths: students of narrower layers, each by the share of heads and units that it keeps; only_show: measure,
    and make nothing.
    """

    n_layers: tuple[int, ...] | None = None
    widths: tuple[float, ...] = ()
    only_show: bool = False


class CompressResult(Record):
    """What `feilun model compress` came to; model_id is empty when nothing was made, and en and zh say why."""

    parent_model_id: str
    points: tuple[CompressPoint, ...]
    n_rows: int
    model_id: str = ""
    released: bool = False
    reason_code: str
    en: str
    zh: str


class ClassMetrics(Record):
    """Precision, recall and F1 of one class on the holdout."""

    label: str
    n_examples: int
    precision: Interval
    recall: Interval
    f1: Interval


class ConfusedPair(Record):
    """Two classes that are taken for each other, with the example ids of up to five such messages."""

    gold: str
    predicted: str
    count: int
    example_ids: tuple[str, ...] = ()


class ReliabilityBin(Record):
    low: float
    high: float
    n_examples: int
    confidence: float
    accuracy: float


class Calibration(Record):
    """Temperature that makes confidence honest, and what it achieved (expected calibration error)."""

    temperature: float
    ece_before: float
    ece_after: Interval
    bins: tuple[ReliabilityBin, ...] = ()
    n_examples: int = 0
    source: Literal["out_of_fold", "holdout", "none"] = "out_of_fold"


class Thresholds(Record):
    """The lines between answering and handing over, each in [0, 1].

    answer: calibrated confidence from which the model answers itself, chosen for `max_error_rate`
    label: multi-label only; probability from which a label is given
    memory: cosine similarity from which a corrected neighbour decides instead of the model
    out_of_scope: `Task.in_scope` below which a message counts as out of scope; None when never learnt
    """

    answer: float
    max_error_rate: float
    expected_answer_rate: float
    expected_error_rate: float
    label: float = 0.5
    memory: float = 0.9
    out_of_scope: float | None = None
    guaranteed: bool = True


class OutOfScope(Record):
    """How well out-of-scope messages are told apart (only when the data have such rows)."""

    n_examples: int
    auroc: Interval
    fpr95: float
    recall: float
    in_scope_accuracy: float


Standing = Literal["better", "not_better", "worse"]


class Comparison(Record):
    """The paired test of challenger against champion on the same holdout rows (exact McNemar)."""

    champion_id: str
    metric: str
    champion: float
    challenger: float
    difference: Interval
    n_fixed: int
    n_broken: int
    p_value: float
    n_rows: int


class LabelDoubt(Record):
    """A training example whose label looks wrong.

    score: the calibrated probability of the given label, out of fold. source, row: where the example stood when the
    turn read it; row is None when that is not known.
    """

    example_id: str
    source: str
    row: int | None = None
    given: tuple[str, ...]
    suggested: tuple[str, ...]
    score: float


class LabelDoubts(Record):
    """What confident learning says about the labels that training learnt from; the most doubtful first.

    n_judged: labelled examples that were looked at; n_doubtful is whole, `doubts` is cut. When nothing was looked for,
    n_judged is 0 and the note says why.
    """

    n_judged: int = 0
    n_doubtful: int = 0
    doubts: tuple[LabelDoubt, ...] = ()
    note_en: str = ""
    note_zh: str = ""


class CurvePoint(Record):
    """The metric of refits that learnt from so many labels, judged on messages they had not seen."""

    n_labels: int
    value: float


class Forecast(Record):
    """What so many more labels of the same kind would bring: the metric then, and how much that is more than now."""

    n_more: int
    value: Interval
    gain: Interval


class ClassGain(Record):
    """What labels of one class would bring. `gain` is in right answers: the share of all messages, for ten labels."""

    label: str
    n_examples: int
    error: float
    gain: float


class LearningCurve(Record):
    """How the metric grows with labels, and whether the goal can be reached by labelling.

    now: the metric today; forecasts: the next 100 labels, twice and four times as many as there are; classes: those
    that gain most for each label first.
    goal, verdict, chance: with a goal set, whether at most four times the labels reach it ("reached" already, "yes",
    "likely", "unlikely") and in which share of the plausible curves; n_needed: the labels it takes, with the bounds of
    its interval; None where even four times as many may not do.
    """

    metric: str
    n_labels: int
    points: tuple[CurvePoint, ...] = ()
    now: Interval
    forecasts: tuple[Forecast, ...] = ()
    classes: tuple[ClassGain, ...] = ()
    goal: float | None = None
    verdict: Literal["reached", "yes", "likely", "unlikely", ""] = ""
    chance: float | None = None
    n_needed: int | None = None
    n_needed_low: int | None = None
    n_needed_high: int | None = None


class Report(Record):
    """Everything known about a model, written before it may go live."""

    model_id: str = ""
    turn_id: str = ""
    dataset_id: str
    config_hash: str
    code_version: str
    seed: int
    created_at: datetime
    task: str
    n_train: int
    n_holdout: int
    n_classes: int
    metrics: dict[str, Interval]
    per_class: tuple[ClassMetrics, ...] = ()
    confused: tuple[ConfusedPair, ...] = ()
    calibration: Calibration
    thresholds: Thresholds
    out_of_scope: OutOfScope | None = None
    comparison: Comparison | None = None
    parity: ParityReport
    leaderboard: tuple[CandidateResult, ...] = ()
    search: SearchReport | None = None
    backbone: BackboneInfo
    warnings_en: tuple[str, ...] = ()
    warnings_zh: tuple[str, ...] = ()
    label_doubts: LabelDoubts | None = None
    learning_curve: LearningCurve | None = None


class Decision(Record):
    """What the gate says, in one sentence."""

    released: bool
    reason_code: str
    en: str
    zh: str


class Challenge(Record):
    """A shadow or canary that is under way, as the release log has it.

    share: of the traffic, in (0, 1]; champion_id: the model that answered when it began.
    """

    release_id: str
    action: Literal["shadow", "canary"]
    model_id: str
    champion_id: str
    share: float
    actor: str
    created_at: datetime


class ArmTraffic(Record):
    """What one of the two models did with its share of the traffic. n_failed: requests that the other answered for it.

    n_contradicted: its answers that people spoke against, by a thumb down or another label.
    """

    role: Literal["champion", "challenger"]
    model_id: str
    n_messages: int
    n_handed_over: int
    n_contradicted: int
    n_failed: int


class GuardReading(Record):
    """One guard: the shares of both models, and how strongly they say that the challenger is worse than tolerated.

    evidence: an e-value; from `needed` on the canary is ended. Before there are enough messages it is None.
    """

    metric: Guard
    champion: float
    challenger: float
    evidence: float | None
    needed: float


class Difference(Record):
    """A message that champion and shadow answered otherwise."""

    prediction_id: str
    inputs: dict[str, Any]
    champion: tuple[str, ...]
    champion_confidence: float
    challenger: tuple[str, ...]
    challenger_confidence: float
    created_at: datetime


class ShadowTraffic(Record):
    """What a shadow said beside the champion.

    n_labelled: compared messages whose right label somebody has told; the two counts after it are of those.
    """

    n_compared: int
    n_agreed: int
    n_champion_handed_over: int
    n_challenger_handed_over: int
    n_labelled: int
    n_champion_right: int
    n_challenger_right: int
    differences: tuple[Difference, ...] = ()


class Traffic(Record):
    """Which models answer, with what share, and how the two compare. state: what the guard makes of a canary.

    trouble: why the challenger could not be loaded here; the champion answers for it meanwhile.
    """

    champion_id: str | None
    challenge: Challenge | None = None
    arms: tuple[ArmTraffic, ...] = ()
    guards: tuple[GuardReading, ...] = ()
    state: Literal["none", "shadow", "alone", "too_few", "watching", "worse", "proven"] = "none"
    en: str = ""
    zh: str = ""
    shadow: ShadowTraffic | None = None
    trouble_en: str = ""
    trouble_zh: str = ""


class FileEntry(Record):
    name: str
    size: int
    sha256: str


class Manifest(Record):
    """manifest.json of a bundle: what it is, what it was made from, a checksum for every file."""

    format_version: int = 1
    task: str
    labels: tuple[str, ...]
    multi_label: bool
    max_tokens: int
    backbone: BackboneInfo
    lineage: dict[str, Any]
    files: tuple[FileEntry, ...]


class AuditFault(Record):
    """Something in the audit log that is not as it was written."""

    code: Literal[
        "changed", "not_linked", "missing", "marked", "cut", "forged", "emptied", "no_key", "head_unknown", "head_other"
    ]
    seq: int  # the entry, or the one before the place


class AuditVerdict(Record):
    """Whether the audit log is whole."""

    is_whole: bool
    n_entries: int
    head: str  # "seq:hash" of the last entry; keep it elsewhere
    faults: tuple[AuditFault, ...]  # the first ones
    n_faults: int


class Answer(Record):
    """One answer of the engine, before it gets a prediction id."""

    label: str
    labels: tuple[str, ...]
    confidence: float
    decision: Literal["answer", "hand_over"]
    reason: Literal["confident", "unsure", "out_of_scope", "memory"] = "confident"
    alternatives: tuple[tuple[str, float], ...] = ()


class Event(Record):
    """One line of a project's event stream."""

    event_id: int = 0
    project: str
    turn_id: str = ""
    kind: str
    data: dict[str, Any] = {}
    created_at: datetime


class TurnResult(Record):
    """What a turn came to; the JSON of `feilun turn --json`."""

    turn_id: str
    dataset_id: str
    model_id: str
    metrics: dict[str, float]
    released: bool
    reason: str
    wall_s: float
    leaderboard: tuple[CandidateResult, ...]


class ServedPrediction(Record):
    """One served answer, with the id that feedback refers to."""

    prediction_id: str
    label: str
    labels: tuple[str, ...]
    confidence: float
    decision: Literal["answer", "hand_over"]
    reason: Literal["confident", "unsure", "out_of_scope", "memory"]
    model_version: str
    alternatives: tuple[tuple[str, float], ...] = ()
    latency_ms: float = 0.0
    n_tokens: int = 0  # that the network read of the message; counted when an answer is asked for in full
    variant: Literal["champion", "challenger"] = "champion"  # challenger: a canary answered


class Why(Record):
    """Why a person is asked about a message: a stable code, and a sentence in both languages."""

    code: str
    en: str
    zh: str


class Suggestion(Record):
    """A message worth a label, with the model's guess and why it is worth one; the most important reason first.

    prediction_id: of the served answer when there was one; feedback takes it, or else `inputs`.
    source: "queue" waits for a person already, "traffic" was answered, "data" is a row without a label, "doubt" a row
    whose label looks wrong.
    n_similar: other messages of the pool that mean nearly the same.
    """

    example_id: str
    inputs: dict[str, Any]
    prediction_id: str | None = None
    source: str = "data"
    labels: tuple[str, ...] = ()
    confidence: float = 0.0
    alternatives: tuple[tuple[str, float], ...] = ()
    why: tuple[Why, ...] = ()
    n_similar: int = 0


class SuggestionBatch(Record):
    """What to label next. n_pool messages could be asked about, n_scored of them were weighed up."""

    suggestions: tuple[Suggestion, ...]
    strategy: str
    model_id: str
    n_pool: int
    n_scored: int


class LabelGroup(Record):
    """A group of like messages without labels, and what it might be called."""

    number: int
    label: str
    n_messages: int
    keywords: tuple[str, ...]
    examples: tuple[str, ...]


class LabelProposal(Record):
    """What `feilun label start` found in a file without labels, and where it wrote it."""

    groups: tuple[LabelGroup, ...]
    n_messages: int
    n_set_aside: int
    language: str
    separation: float
    groups_path: str = ""
    messages_path: str = ""


class LabelledFile(Record):
    """What `feilun label apply` wrote."""

    out: str
    n_rows: int
    n_labelled: int
    class_counts: dict[str, int]


class FilePrediction(Record):
    """What predicting a whole file came to."""

    out: str
    model_id: str
    n_rows: int
    n_answered: int
    n_handed_over: int
    n_set_aside: int


@dataclass(frozen=True)
class Spent:
    """What the engine spent on a request."""

    n_tokens: int = 0  # that the network read, special ones and the prefix included
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Bill:
    """On whose account a request goes."""

    minute: datetime  # in which it came, UTC
    tenant: str
    project: str  # empty: about the workspace as a whole
    key_id: str  # empty: from this machine, without a key
    kind: str  # predict, chat, embed, feedback, read, admin
    server: str  # the process that answered


@dataclass(frozen=True)
class Usage:
    """A line for the ledger."""

    bill: Bill
    n_requests: int = 1
    n_inputs: int = 0
    n_characters: int = 0
    n_tokens: int = 0
    cpu_ms: float = 0.0


class Limit(Record):
    """What a key or a tenant may use; None is no limit."""

    subject: Literal["key", "tenant"]
    subject_id: str
    per_minute: int | None = None  # requests
    burst: int | None = None  # requests that may come at once after a pause
    monthly_requests: int | None = None  # a request with several inputs counts as so many
    monthly_characters: int | None = None


class UsageLine(Record):
    """What was used in a month, or in the part of it that the names say; None where parts are not told apart."""

    month: str
    day: str | None = None
    tenant: str | None = None
    project: str | None = None
    key_id: str | None = None
    key_name: str | None = None
    kind: str | None = None
    n_requests: int = 0
    n_inputs: int = 0
    n_characters: int = 0
    n_tokens: int = 0
    cpu_ms: float = 0.0


class MonitorBucket(Record):
    """What was answered from `at` on. p50_ms…: of the answer time, None without answers; confidence: messages in each
    fifth of [0, 1], the unsure ones first."""

    at: datetime
    n_messages: int
    n_handed_over: int
    n_feedback: int
    n_contradicted: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    confidence: tuple[int, ...]


class LabelShare(Record):
    """How often a label was predicted, and how often in the interval before."""

    label: str
    n: int
    n_before: int


class Drift(Record):
    """How far the traffic has moved since the interval of equal length before: population stability indices, of the
    predicted labels and of the confidence; None when one of the two has too few messages."""

    state: Literal["too_few", "steady", "shifted", "drifted"]
    n_before: int
    n_needed: int
    labels: float | None = None
    confidence: float | None = None


class Monitor(Record):
    """What was answered from since to before until, in buckets of time (in UTC) and as a whole."""

    since: datetime
    until: datetime
    bucket: Literal["hour", "day", "week"]
    buckets: tuple[MonitorBucket, ...]
    whole: MonitorBucket
    labels: tuple[LabelShare, ...]
    drift: Drift


AlertRule = Literal[
    "drift",
    "hand_over",
    "contradicted",
    "p99_ms",
    "failed_requests",
    "silent_h",
    "disk_left_mb",
    "rolled_back",
    "turn_failed",
    "turn_finished",
]
AlertEvent = Literal["fired", "resolved", "test"]


class AlertReading(Record):
    """What a rule says at a moment. value, limit: in the rule's own unit, None for one that has none.

    is_firing: None when there is too little to say. occasion: the turn or release that the rule is about, if it is
    about one: it fires for each anew.
    """

    rule: AlertRule
    is_firing: bool | None
    value: float | None = None
    limit: float | None = None
    occasion: str = ""


class AlertStanding(Record):
    """A rule that a project has, and how it stands. since: when it fired or was resolved last, None if never."""

    rule: AlertRule
    state: Literal["ok", "firing", "unknown"]
    value: float | None
    limit: float | None
    occasion: str
    since: datetime | None


class AlertTarget(Record):
    """Where alerts go, without what is secret of it. trouble: why nothing can be sent there, None when it can."""

    name: str
    format: Literal["json", "slack", "wecom", "dingtalk", "feishu"]
    host: str
    is_signed: bool
    trouble: dict[str, Any] | None


class AlertBoard(Record):
    """The rules of a project, and who is told."""

    rules: tuple[AlertStanding, ...]
    targets: tuple[AlertTarget, ...]


class AlertDelivery(Record):
    """One alert to one target. error: what the latest try came to, with `code`, `en` and `zh`, None if it arrived."""

    delivery_id: str
    target: str
    format: str
    event: AlertEvent
    rule: str
    state: Literal["waiting", "delivered", "failed"]
    n_tries: int
    error: dict[str, Any] | None
    en: str
    zh: str
    created_at: datetime
    next_at: datetime | None
    finished_at: datetime | None

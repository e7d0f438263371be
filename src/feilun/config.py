"""feilun.toml ⇄ Settings: every key, its default, its meaning, its error.

The models below are the one source of the file's validation, of `feilun init`'s comments, of the
reference page and of the API schema. They are frozen and refuse unknown keys.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails

from feilun.errors import FeilunError
from feilun.records import Guard

CONFIG_NAME = "feilun.toml"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


Strategy = Literal["auto", "margin", "entropy", "typical", "diverse", "gradient", "disagreement", "random"]


class ConfigMissing(FeilunError):
    """There is no feilun.toml where a project was expected."""

    code, kind = "config.missing", "missing"
    en = "No {name} in {folder}. Make one with: feilun init {folder} --data FILE"
    zh = "{folder} 中没有 {name}。请先运行：feilun init {folder} --data 文件"


class ConfigInvalid(FeilunError):
    """feilun.toml cannot be read, or some of its keys are wrong; every mistake is listed at once."""

    code, kind = "config.invalid", "invalid"
    en = "{path} has {n_mistakes} mistake(s):\n{mistakes}"
    zh = "{path} 中有 {n_mistakes} 处错误：\n{mistakes}"


class Settings(BaseModel):
    """Base of every settings table: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ProjectSettings(Settings):
    """[project] What this project is called and which language its messages are in."""

    name: str = Field(pattern=NAME_PATTERN, description="Name in commands and URLs: letters, digits, '-' and '_'.")
    language: Literal["en", "zh", "multi"] = Field("en", description="Language of the messages; picks the backbone.")
    tenant: str = Field(
        "house", pattern=NAME_PATTERN, description="Whose it is; keys of another tenant never see it. See server.md."
    )


class TaskSettings(Settings):
    """[task] What the model learns to do."""

    type: str = Field("classify", description="The task; 'classify' sorts messages into classes.")
    multi_label: bool = Field(False, description="True when one message may carry several labels.")
    label_separator: str = Field(
        "|", min_length=1, description="What separates several labels in one cell (multi_label)."
    )
    out_of_scope_label: str = Field(
        "", description="The label of rows that belong to no class; empty when the data have none."
    )
    descriptions: dict[str, str] = Field(
        {}, description="What a class is about, in a sentence, by label; a training text of that class like its name."
    )


class SourceSettings(Settings):
    """[[data.sources]] One file of messages. Paths are relative to feilun.toml."""

    path: str = Field(min_length=1, description="CSV, TSV, JSONL, XLSX or Parquet file.")
    text: str = Field("text", description="Column that holds the message.")
    label: str = Field("label", description="Column that holds the label; rows without one are unlabelled.")
    encoding: str = Field("", description="Encoding of the file; empty means: recognise it.")
    sheet: str = Field("", description="Excel sheet; empty means the first one.")


class DataSettings(Settings):
    """[data] Where examples come from and how they are split."""

    sources: tuple[SourceSettings, ...] = Field((), description="Files that training learns from.")
    holdout: SourceSettings | None = Field(
        None, description="A file that is the frozen holdout; without it a share of the sources is held out."
    )
    holdout_fraction: float = Field(
        0.2, gt=0, lt=0.9, description="Share of each class held out, once and for all, when no holdout file is given."
    )
    max_chars: int = Field(4000, ge=16, description="Messages longer than this many characters are set aside.")
    max_traffic: int = Field(
        10_000, ge=0, le=100_000, description="Latest messages asked of the served model that join the unlabelled ones."
    )
    near_duplicate: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Jaccard similarity of character trigrams of near duplicates.",
    )


class BackboneSettings(Settings):
    """[backbone] The pretrained network underneath."""

    model: str = Field(
        "", description="Alias, hf:org/name, ms:org/name, dir:/path or pip:dist==version#member; empty: by language."
    )
    max_tokens: int = Field(128, ge=8, le=512, description="Messages are cut after this many tokens.")


class ProbeSettings(Settings):
    """[train.probe] Frozen backbone, cached embeddings, linear head."""

    enabled: bool = Field(True, description="Try this rung of the ladder.")
    c: tuple[float, ...] = Field(
        (30.0, 10.0, 100.0, 1.0),
        min_length=1,
        description="Inverse regularisation strengths to try.",
    )
    label_names: bool = Field(True, description="Let the class names themselves be training texts.")


class LearningSettings(Settings):
    """What every rung that trains layers can be told."""

    enabled: bool = Field(True, description="Try this rung of the ladder, when torch is installed.")
    epochs: int = Field(
        3, ge=1, le=200, description="Passes over the training examples, unless min_updates or patience."
    )
    min_updates: int = Field(
        80, ge=0, description="With few examples, passes are added until there are so many updates (at most 10 passes)."
    )
    learning_rate: float = Field(2e-4, gt=0, le=1e-1, description="Peak step size of AdamW, reached after warm-up.")
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="Each layer learns at this share of the rate of the one above it."
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="Decoupled weight decay of the layers' matrices.")
    token_drop: float = Field(
        0.1, ge=0, lt=1, description="Share of the tokens left out at random, anew in each epoch."
    )
    batch_size: int = Field(32, ge=1, description="Messages per update.")
    patience: int = Field(3, ge=1, description="Epochs without a better validation loss before stopping early.")


class ManySettings(Settings):
    """[train.tune.many] What takes the place of the same keys of [train.tune] when there are many examples."""

    min_rows: int = Field(2000, ge=0, description="From so many training examples on.")
    epochs: int = Field(4, ge=1, le=200, description="Passes over the training examples.")
    learning_rate: float = Field(3e-4, gt=0, le=1e-1, description="Peak step size of AdamW, reached after warm-up.")
    token_drop: float = Field(
        0.2, ge=0, lt=1, description="Share of the tokens left out at random, anew in each epoch."
    )


class FewSettings(Settings):
    """[train.tune.few] What takes the place of the same keys of [train.tune] for few examples of few classes."""

    max_rows: int = Field(400, ge=0, description="Up to so many training examples; 0: never.")
    max_classes: int = Field(8, ge=2, description="Up to so many classes.")
    epochs: int = Field(10, ge=1, le=200, description="Passes over the training examples.")
    learning_rate: float = Field(1e-4, gt=0, le=1e-1, description="Peak step size of AdamW, reached after warm-up.")
    frozen_fraction: float = Field(0.0, ge=0, lt=1, description="Share of the layers, from below, kept frozen.")


class TuneSettings(LearningSettings):
    """[train.tune] Update the upper layers of the backbone and the head (needs feilun[train])."""

    frozen_fraction: float = Field(
        0.5, ge=0, lt=1, description="Share of the layers, from below, kept frozen; their activations are cached."
    )
    few: FewSettings = FewSettings()
    many: ManySettings = ManySettings()


class AdaptSettings(LearningSettings):
    """[train.adapt] Train low-rank adapters (LoRA) instead of the layers themselves (needs feilun[train,adapt])."""

    enabled: bool = Field(
        False, description="Try this rung of the ladder; off, for it costs as much as tune and is rarely better."
    )
    learning_rate: float = Field(1e-3, gt=0, le=1e-1, description="Peak step size of AdamW, reached after warm-up.")
    frozen_fraction: float = Field(
        0.5, ge=0, lt=1, description="Share of the layers, from below, without adapters; their activations are cached."
    )
    rank: int = Field(8, ge=1, le=256, description="Rank of the adapters: how many directions each matrix can learn.")
    alpha: float = Field(16, gt=0, description="Adapters are scaled by alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the input of the adapters.")
    targets: tuple[Literal["query", "key", "value", "dense"], ...] = Field(
        ("query", "key", "value", "dense"),
        min_length=1,
        description="Matrices that get an adapter; dense are the projections behind attention and the feed-forward.",
    )


class FullSettings(LearningSettings):
    """[train.full] Update every layer of the backbone and the head (needs feilun[train])."""

    learning_rate: float = Field(1e-4, gt=0, le=1e-1, description="Peak step size of AdamW, reached after warm-up.")
    min_rows: int = Field(
        2000, ge=0, description="With fewer training examples than this, tuning the upper layers is as good."
    )


class Range(BaseModel):
    """The values from `low` to `high`, both included: evenly, or by their logarithm; `step` apart if that is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = Field(None, gt=0)

    def __str__(self) -> str:
        shown = self.model_dump(exclude_defaults=True)
        return "{" + ", ".join(f"{key} = {_toml_word(value)}" for key, value in shown.items()) + "}"


def _toml_word(value: bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


class SearchSpaceSettings(Settings):
    """[train.search.space] What is tried: a list of values, or a range. An empty list leaves a setting as it is."""

    learning_rate: Range | tuple[float, ...] = Field(
        Range(low=5e-5, high=1e-3, log=True), description="Values of [train.tune] learning_rate."
    )
    epochs: Range | tuple[int, ...] = Field(
        Range(low=2, high=12), description="Passes over the training examples; min_updates and patience do not apply."
    )
    token_drop: Range | tuple[float, ...] = Field(
        Range(low=0, high=0.3), description="Values of [train.tune] token_drop."
    )
    layer_decay: Range | tuple[float, ...] = Field(
        Range(low=0.7, high=1), description="Values of [train.tune] layer_decay."
    )
    batch_size: Range | tuple[int, ...] = Field((16, 32, 64), description="Values of [train.tune] batch_size.")
    weight_decay: Range | tuple[float, ...] = Field((), description="Values of [train.tune] weight_decay.")
    frozen_fraction: Range | tuple[float, ...] = Field(
        (), description="Values of [train.tune] frozen_fraction; lower ones take more time."
    )
    head_c: Range | tuple[float, ...] = Field(
        Range(low=3, high=100, log=True), description="Inverse regularisation strength of the final head."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _possible(cls, given: Any, info: ValidationInfo) -> Any:
        """A range or a list whose every value the setting itself would take."""
        name = str(info.field_name)
        if isinstance(given, dict):
            try:
                given = Range.model_validate(given)
            except ValidationError as error:
                told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
                raise ValueError(f"a range is {{low = …, high = …, log = true or false, step = …}}. {told}") from error
        if isinstance(given, Range):
            if given.low >= given.high:
                raise ValueError(f"low = {given.low:g} must be below high = {given.high:g}")
            if given.log and (given.low <= 0 or given.step is not None):
                raise ValueError("log = true needs low > 0 and no step")
            values = (given.low, given.high, *(() if given.step is None else (given.low + given.step,)))
        elif isinstance(given, list | tuple):
            values = tuple(given)
        else:
            raise ValueError(f"must be a list of values or a range {{low = …, high = …}}, not {given!r}")
        for value in values:
            _check_value(name, value)
        return given


def _check_value(name: str, value: Any) -> None:
    """Raise a ValueError when [train.tune] (or the head) could not take this value."""
    if name == "head_c":
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ValueError(f"head_c = {value!r} must be a number above 0")
        return
    try:
        TuneSettings.model_validate({name: value})
    except ValidationError as error:
        raise ValueError(f"{name} = {value!r}: {error.errors()[0]['msg']}") from error


class SearchSettings(Settings):
    """[train.search] Look for better settings of the tune rung (needs feilun[search])."""

    enabled: bool = Field(False, description="Search after the tune rung, in the time that is left of the budget.")
    method: Literal["tpe", "random", "grid"] = Field(
        "tpe", description="How the next trial is picked: from the trials so far (tpe), at random, or from a grid."
    )
    n_trials: int = Field(20, ge=1, le=10_000, description="Trials beside the settings of [train.tune] themselves.")
    pruner: Literal["median", "halving", "none"] = Field(
        "median", description="After each fold, give up trials worse than the median, or than the better half."
    )
    n_workers: int = Field(
        1, ge=1, le=256, description="Trials at the same time, each in a process of its own; cores are shared out."
    )
    executor: Literal["processes", "ray"] = Field(
        "processes", description="What runs the trials: our own processes, or Ray Tune (needs feilun[scale])."
    )
    space: SearchSpaceSettings = SearchSpaceSettings()

    @field_validator("method", mode="before")
    @classmethod
    def _offered(cls, given: Any) -> Any:
        refused = {
            "gp": "'gp' needs torch for every suggestion and is made for fewer, costlier trials",
            "cmaes": "'cmaes' needs the package cmaes and keeps its state as a pickle, which Feilun never reads",
        }
        told = refused.get(str(given).lower().replace("-", ""))
        if told:
            raise ValueError(f"{told}. Use 'tpe'; 'random' and 'grid' are there too")
        return given


class PropagateSettings(Settings):
    """[train.propagate] Let labels spread to messages without one, and these vote beside the head."""

    enabled: bool = Field(True, description="Try this rung of the ladder, when there are unlabelled messages.")
    max_messages: int = Field(10_000, ge=100, le=30_000, description="Unlabelled messages used at most, drawn by lot.")


class TrainSettings(Settings):
    """[train] How much to spend on finding a model."""

    budget_s: float = Field(120, gt=0, description="Wall-clock limit in seconds for all candidates of a turn.")
    seed: int = Field(0, ge=0, description="Seed of everything random in a turn.")
    class_weight: Literal["auto", "balanced", "none"] = Field(
        "auto", description="Weigh rare classes up, or not; auto tries both when classes are of unequal size."
    )
    n_folds: int = Field(4, ge=2, le=20, description="Folds of the cross-validated choice.")
    probe: ProbeSettings = ProbeSettings()
    tune: TuneSettings = TuneSettings()
    adapt: AdaptSettings = AdaptSettings()
    full: FullSettings = FullSettings()
    search: SearchSettings = SearchSettings()
    propagate: PropagateSettings = PropagateSettings()


class EvaluateSettings(Settings):
    """[evaluate] How a model is judged."""

    max_error_rate: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Wrong answers allowed among those given without a person, as a share.",
    )
    max_refused: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of the rightly answered messages that may be refused as out of scope by mistake.",
    )
    confidence_level: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval in the report.")
    n_bootstrap: int = Field(1000, ge=100, le=100_000, description="Resamples behind the intervals.")
    label_doubts: bool = Field(True, description="Look for wrong labels among the training rows (needs feilun[train]).")
    learning_curve: bool = Field(True, description="Say what more labels would bring; costs a few seconds a turn.")


class DistilSettings(Settings):
    """[compress.distil] How a smaller network learns from the larger one (`feilun model compress`)."""

    epochs: int = Field(3, ge=1, le=200, description="Passes over all messages, labelled and unlabelled.")
    learning_rate: float = Field(3e-4, gt=0, le=1e-1, description="Peak step size of AdamW, reached after warm-up.")
    batch_size: int = Field(32, ge=1, description="Messages per update.")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Decoupled weight decay of the layers' matrices.")
    token_drop: float = Field(
        0.1, ge=0, lt=1, description="Share of the tokens left out at random, anew in each epoch."
    )
    temperature: float = Field(1.0, gt=0, description="The teacher's answers are softened by this before they teach.")
    embedding_weight: float = Field(
        1.0, ge=0, description="Weight of being near the teacher's embedding, beside giving its answer."
    )
    max_messages: int = Field(20_000, ge=100, description="Most messages to learn from; more are thinned out evenly.")
    budget_s: float = Field(1200, gt=0, description="Wall-clock limit in seconds for one student.")


class CompressSettings(Settings):
    """[compress] What is shipped."""

    int8: bool = Field(True, description="Quantise the weights to 8 bits.")
    vocabulary: Literal["project", "all"] = Field(
        "project",
        description="Pieces of a large multilingual vocabulary that ship: those of the project's language and texts, "
        "or all. Language multi keeps all.",
    )
    tolerance: float = Field(
        0.005,
        ge=0,
        lt=1,
        description="Accuracy that int8, or a smaller vocabulary, may lose before the larger form ships.",
    )
    max_loss: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="Accuracy that `feilun model compress` may give up for a smaller model, as a share.",
    )
    distil: DistilSettings = DistilSettings()


class GoalSettings(Settings):
    """[goal] The bar for going live."""

    metric: str = Field("accuracy", description="Metric of the report that the goal is set on.")
    at_least: float = Field(0.0, ge=0, le=1, description="The metric must reach this value on the holdout.")
    max_size_mb: float | None = Field(None, gt=0, description="Most megabytes a bundle may take.")
    max_p99_ms: float | None = Field(None, gt=0, description="Most milliseconds the slowest 1 % of answers may take.")
    significance: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="A challenger replaces the champion only if the paired test's p is below this.",
    )


class ReleaseSettings(Settings):
    """[release] How a new model comes to answer real messages."""

    canary_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the traffic on which a turn's model begins, as a canary; 0: it answers all at once.",
    )
    guards: tuple[Guard, ...] = Field(
        ("hand_over", "contradicted", "failed"),
        description="What ends a canary when it is worse there: messages handed over, answers that people contradict, "
        "requests that failed. None: only a person ends it.",
    )
    guard_tolerance: float = Field(
        0.01, ge=0, lt=1, description="How much larger the canary's share may be than the champion's in a guard."
    )
    guard_level: float = Field(
        0.05, gt=0, lt=1, description="How often a canary that is not worse may be rolled back by mistake, at most."
    )
    min_messages: int = Field(
        100, ge=20, description="Messages that each of the two must have answered before a guard says anything."
    )
    promote_after: int = Field(
        0,
        ge=0,
        description="Messages after which a canary that is no worse is promoted by itself; 0: a person does it.",
    )


class ServeSettings(Settings):
    """[serve] The HTTP door."""

    host: str = Field("127.0.0.1", description="Address to listen on; anything but loopback needs an API key.")
    port: int = Field(8710, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    require_key: bool = Field(
        False, description="Ask callers on this machine for an API key too; for a proxy that adds no header."
    )
    threads: int = Field(0, ge=0, le=256, description="Threads that the engine computes in; 0: one for each core.")
    max_waiting: int = Field(
        1024, ge=1, le=1_000_000, description="Messages that may wait for the engine; more are refused with 503."
    )
    deadline_s: float = Field(
        5, gt=0, le=3600, description="Seconds within which the engine must begin with a request, or it gets a 503."
    )
    max_batch: int = Field(256, ge=1, le=10_000, description="Most inputs in one request.")
    max_body_mb: float = Field(8, gt=0, le=1024, description="Largest request body in megabytes.")
    max_upload_mb: float = Field(200, gt=0, le=100_000, description="Largest file of messages that is taken in.")
    traces: str = Field(
        "",
        pattern=r"^(https?://[^\s/]+(/\S*)?)?$",
        description="Where OpenTelemetry traces go over OTLP/HTTP, such as http://127.0.0.1:4318/v1/traces; "
        "empty: nowhere.",
    )
    alert_hosts: tuple[str, ...] = Field(
        ("hooks.slack.com", "qyapi.weixin.qq.com", "oapi.dingtalk.com", "open.feishu.cn", "open.larksuite.com"),
        description="Hosts that alerts may be sent to; with a port that is not 443, such as relay.example.com:8443.",
    )
    alert_networks: tuple[str, ...] = Field(
        (),
        description="Private networks that alerts may be sent to all the same, such as 10.1.0.0/16; where loopback is "
        "among them, also over http.",
    )

    @field_validator("alert_hosts")
    @classmethod
    def _named_hosts(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [one for one in given if not re.fullmatch(r"[a-z0-9._-]+(:\d{1,5})?|\[[0-9a-f:.]+\](:\d{1,5})?", one)]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} is no host in lower case, or host:port; without https:// and without a path"
            )
        return given

    @field_validator("alert_networks")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for one in given:
            ipaddress.ip_network(one)
        return given


class ImproveSettings(Settings):
    """[improve] When the wheel turns by itself."""

    every_labels: int = Field(50, ge=0, description="Ask for a turn after so many new labels; 0 never.")
    schedule: Literal["never", "hourly", "daily", "weekly"] = Field(
        "never", description="Ask for a turn on a calendar."
    )


AlertFormat = Literal["json", "slack", "wecom", "dingtalk", "feishu"]


class AlertTargetSettings(Settings):
    """[[alerts.to]] Where alerts are sent: an address of your own, or a robot in a group chat."""

    name: str = Field(
        pattern=NAME_PATTERN, description="What the target is called in the log: letters, digits, '-', '_'."
    )
    format: AlertFormat = Field(
        "json", description="What is sent: JSON signed as Standard Webhooks has it, or a message of that chat."
    )
    url: str = Field(
        min_length=1,
        description="Where its address stands: env:NAME or file:PATH. With format json also the https address itself; "
        "that of a chat's robot is a secret.",
    )
    secret: str = Field(
        "",
        pattern=r"^((env|file):.+)?$",
        description="Where the secret that signs stands: env:NAME or file:PATH; empty: nothing is signed.",
    )

    @model_validator(mode="after")
    def _keeps_secrets_out(self) -> AlertTargetSettings:
        if self.format != "json" and not self.url.startswith(("env:", "file:")):
            raise ValueError("the address of a chat's robot is a secret: write url = 'env:NAME' or 'file:PATH'")
        return self


class AlertSettings(Settings):
    """[alerts] Who is told when something is wrong. A rule whose value is 0 or false is off."""

    language: Literal["auto", "en", "zh"] = Field("auto", description="Language of the alerts; auto: the server's.")
    window_h: int = Field(24, ge=1, le=720, description="Hours that hand_over, contradicted and p99_ms look back.")
    min_messages: int = Field(
        100,
        ge=1,
        description="With fewer messages (or, for contradicted, fewer feedback) in them, these three say nothing.",
    )
    drift: float = Field(
        0.25, ge=0, description="Tell when the stability index of this week against the week before reaches this."
    )
    hand_over: float = Field(0.0, ge=0, le=1, description="Tell when this share of the messages is handed over.")
    contradicted: float = Field(
        0.0, ge=0, le=1, description="Tell when this share of the feedback speaks against the answer."
    )
    p99_ms: float = Field(0.0, ge=0, description="Tell when the slowest 1 % of the answers take so many milliseconds.")
    failed_requests: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Tell when this share of the requests that send something (POST) fails with a status from 500 "
        "on, 503 for overload among them.",
    )
    failed_min: int = Field(10, ge=1, le=1440, description="Minutes that failed_requests looks back.")
    min_requests: int = Field(20, ge=1, description="With fewer requests in them, failed_requests says nothing.")
    silent_h: int = Field(0, ge=0, le=8760, description="Tell when no message came for so many hours.")
    disk_left_mb: float = Field(2000.0, ge=0, description="Tell when fewer megabytes are left on the workspace's disk.")
    rolled_back: bool = Field(True, description="Tell when a model was rolled back, by a person or by the guard.")
    turn_failed: bool = Field(True, description="Tell when a turn failed.")
    turn_finished: bool = Field(False, description="Tell when a turn has finished.")
    to: tuple[AlertTargetSettings, ...] = Field(
        (),
        max_length=10,
        exclude=True,  # where a team's chat is stays out of what turns and bundles keep of the settings
        description="Where alerts are sent; without any, nobody is told.",
    )

    @field_validator("to")
    @classmethod
    def _names_differ(cls, given: tuple[AlertTargetSettings, ...]) -> tuple[AlertTargetSettings, ...]:
        names = [one.name for one in given]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two targets are called {twice!r}")
        return given


class LabelSettings(Settings):
    """[label] How messages are chosen that a person should label."""

    strategy: Strategy = Field(
        "auto",
        description="How 'feilun label next' chooses; 'auto' asks amid what the model does not know.",
    )
    batch: int = Field(20, ge=1, le=1000, description="Messages suggested at a time.")


class StoreSettings(Settings):
    """[store] Where rows live."""

    url: str = Field(
        "",
        exclude=True,  # it may hold a password: it stays out of what turns and bundles keep of the settings
        description="postgresql://USER@HOST/DATABASE; empty: SQLite in the workspace folder '.feilun'.",
    )


class FeilunSettings(Settings):
    """feilun.toml as a whole: the contract of a project."""

    project: ProjectSettings
    task: TaskSettings = TaskSettings()
    data: DataSettings = DataSettings()
    backbone: BackboneSettings = BackboneSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    compress: CompressSettings = CompressSettings()
    goal: GoalSettings = GoalSettings()
    release: ReleaseSettings = ReleaseSettings()
    serve: ServeSettings = ServeSettings()
    alerts: AlertSettings = AlertSettings()
    label: LabelSettings = LabelSettings()
    improve: ImproveSettings = ImproveSettings()
    store: StoreSettings = StoreSettings()


def load_settings(folder: Path) -> FeilunSettings:
    """Read and check `folder`/feilun.toml.

    Raises:
        ConfigMissing: there is no such file.
        ConfigInvalid: it is not TOML, or keys are unknown, missing or out of range (all listed, with lines).
    """
    path = Path(folder) / CONFIG_NAME
    if not path.is_file():
        raise ConfigMissing(name=CONFIG_NAME, folder=str(folder))
    try:
        text = path.read_text("utf-8-sig")
        raw = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(path=str(path), n_mistakes=1, mistakes=f"  {error}") from error
    try:
        return FeilunSettings.model_validate(raw)
    except ValidationError as error:
        mistakes = [_describe(mistake, text) for mistake in error.errors()]
        raise ConfigInvalid(path=str(path), n_mistakes=len(mistakes), mistakes="\n".join(mistakes)) from error


def with_search(settings: FeilunSettings, *, n_trials: int) -> FeilunSettings:
    """The same settings with a search of so many trials; with none when it is 0."""
    raw = settings.model_dump(mode="json")
    raw["train"]["search"] |= {"enabled": True, "n_trials": n_trials} if n_trials else {"enabled": False}
    return FeilunSettings.model_validate(raw)


def _describe(mistake: ErrorDetails, text: str) -> str:
    keys = [part for part in mistake["loc"] if isinstance(part, str)]
    line = _line_of(list(mistake["loc"]), text)
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        near = get_close_matches(keys[-1], _siblings(keys), n=1)
        message = "unknown key" + (f"; did you mean '{near[0]}'?" if near else "")
    elif mistake["type"] == "missing":
        message = "this key is needed"
    return f"  line {line}: {'.'.join(keys)}: {message}"


def _siblings(keys: list[str]) -> list[str]:
    model: Any = FeilunSettings
    for key in keys[:-1]:
        field = model.model_fields.get(key)
        found = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        model = next((a for a in found if isinstance(a, type) and issubclass(a, Settings)), None)
        if model is None:
            return []
    return list(model.model_fields)


def _line_of(loc: list[int | str], text: str) -> int:
    """1-based line of the key at `loc`; the nearest enclosing table's line when the key itself is absent."""
    keys = [part for part in loc if isinstance(part, str)]
    nth = next((part for part in loc if isinstance(part, int)), 0)
    table, best, seen = [], 1, -1
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith("["):
            table = [part.strip().strip('"') for part in line.strip("[] ").split("#")[0].strip("[] ").split(".")]
            if line.startswith("[[") and table == keys[: len(table)]:
                seen += 1
            if table == keys[: len(table)] and (not line.startswith("[[") or seen == nth):
                best = number
        elif "=" in line and not line.startswith("#"):
            key = line.split("=", 1)[0].strip().strip('"').split(".")
            if table + key == keys[: len(table) + len(key)] and (seen < 0 or seen == nth):
                return number
    return best


def dump_settings(settings: FeilunSettings, *, header: str = "") -> str:
    """A commented feilun.toml that `load_settings` reads back to the same settings.

    Every key is written with its meaning above it, from the same field descriptions that validate it.
    """
    document = tomlkit.document()
    for line in header.splitlines():
        document.add(tomlkit.comment(line))
    for name, field in FeilunSettings.model_fields.items():
        section: Settings = getattr(settings, name)
        document.add(tomlkit.nl())
        document.add(tomlkit.comment(_meaning(field.annotation)))
        document.add(name, _table(section))
    return tomlkit.dumps(document)


def set_keys(text: str, values: Mapping[str, Any]) -> str:
    """A feilun.toml's `text` with other values of some keys; everything else stays as it was written.

    Args:
        values: by name, such as "goal.at_least"; None takes the key out.
    """
    document = tomlkit.parse(text.removeprefix("\ufeff"))
    for name, value in values.items():
        *tables, key = name.split(".")
        table: Any = document
        for one in tables:
            table = table.setdefault(one, tomlkit.table())
        if value is None:
            table.pop(key, None)
        else:
            table[key] = list(value) if isinstance(value, tuple) else value
    return tomlkit.dumps(document)


def add_source(text: str, source: SourceSettings) -> str:
    """A feilun.toml's `text` with one more [[data.sources]]; everything else stays as it was written."""
    document = tomlkit.parse(text.removeprefix("\ufeff"))
    data = document.setdefault("data", tomlkit.table())
    said = source.model_dump(exclude_defaults=True) | {"path": source.path, "text": source.text, "label": source.label}
    if isinstance(data.get("sources"), tomlkit.items.Array):
        row: Any = tomlkit.inline_table()
        row.update(said)
        data["sources"].append(row)
        return tomlkit.dumps(document)
    row = tomlkit.table()
    row.update(said)
    data.setdefault("sources", tomlkit.aot()).append(row)
    return tomlkit.dumps(document)


def _meaning(section: Any) -> str:
    first_line = str(section.__doc__).splitlines()[0]
    return first_line.split("] ", 1)[-1]


def _table(section: Settings) -> Any:
    """A TOML table with each key's meaning above it; nested tables last, as TOML wants them."""
    table = tomlkit.table()
    nested: list[tuple[str, str, Any]] = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, Settings):
            nested.append((key, field.description or _meaning(type(value)), _table(value)))
        elif isinstance(value, tuple) and value and isinstance(value[0], Settings):
            array = tomlkit.aot()
            for item in value:
                array.append(_table(item))
            nested.append((key, field.description or "", array))
        else:
            table.add(tomlkit.comment(field.description or ""))
            if value in (None, (), {}):
                table.add(tomlkit.comment(f"{key} ="))
            elif isinstance(value, Range):
                inline = tomlkit.inline_table()
                inline.update(value.model_dump(exclude_defaults=True))
                table.add(key, inline)
            else:
                table.add(key, list(value) if isinstance(value, tuple) else value)
    for key, meaning, value in nested:
        table.add(tomlkit.nl())
        table.add(tomlkit.comment(meaning))
        table.add(key, value)
    return table

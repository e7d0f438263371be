"""A turn as it happens, on stderr: a live panel on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from feilun.cli.shared import setting, words
from feilun.errors import language

if TYPE_CHECKING:
    from rich.console import RenderableType

    from feilun.records import Event

# The order of the wheel; a step that a later release adds is appended when its first event comes.
STEPS = ("data", "train", "compress", "evaluate", "seal", "release")
REFRESH_PER_S = 8
SHOWN_CANDIDATES = 6  # the latest ones, in the live panel
UPDATES = ("train.update", "train.embed")  # too many for plain lines; the live panel shows them


@dataclass
class TurnView:
    """What is known of a turn from its events. Feeding it the same events gives the same view."""

    turn_id: str = ""
    last_event_id: int = 0
    steps: dict[str, dict[str, Any] | None] = field(default_factory=lambda: dict.fromkeys(STEPS))
    running: str = ""
    kind: str = ""  # of the latest event that the running step sent, with its data
    detail: dict[str, Any] = field(default_factory=dict)
    candidates: list[dict[str, Any]] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Take one event in; kinds it does not know are left aside."""
        self.turn_id, self.last_event_id = event.turn_id or self.turn_id, event.event_id
        step = str(event.data.get("step", ""))
        if event.kind == "step.start":
            self.running, self.kind, self.detail = step, "", {}
            self.steps.setdefault(step, None)
        elif event.kind == "step.done":
            self.steps[step] = event.data
            self.running, self.kind, self.detail = "", "", {}
        elif event.kind.startswith("turn."):
            self.running, self.kind, self.detail = "", "", {}
        elif "." in event.kind:
            self.kind, self.detail = event.kind, event.data
            if event.kind == "train.candidate":
                self.candidates.append(event.data)


def line_of(event: Event) -> str:
    """One plain line for an event; empty for kinds a person need not see one by one."""
    data = event.data
    if event.kind == "step.start":
        return words("progress.step_start", step=step_name(data["step"]))
    if event.kind == "step.done":
        outcome = outcome_of(str(data["step"]), data)
        return words("progress.step_done", step=step_name(data["step"]), wall_s=data.get("wall_s", 0), outcome=outcome)
    if event.kind == "turn.failed":
        return words("progress.failed", step=step_name(data["step"]))
    if event.kind in UPDATES:
        return ""
    return "  " + detail_of(event.kind, data) if event.kind.startswith("train.") else ""


def say_event(kind: str, data: dict[str, Any]) -> None:
    """One line on stderr for what `compress_model` tells; nothing for kinds that only fill the log."""
    if kind == "compress.point":
        shown = {name: data[name] for name in ("name", "size_mb", "p50_ms")}
        typer.echo("  " + words("progress.forms", accuracy=data["accuracy"]["value"], **shown), err=True)
    elif kind == "compress.distil":
        shown = {name: data[name] for name in ("n_layers", "n_heads", "n_ffn", "n_messages")}
        typer.echo("  " + words("progress.distil", **shown), err=True)
    elif kind == "compress.epoch":
        shown = {name: data[name] for name in ("epoch", "epochs", "loss")}
        typer.echo("  " + words("progress.lesson", **shown), err=True)
    elif kind == "step.start":
        typer.echo(words("progress.step_start", step=step_name(data["step"])), err=True)


def step_name(step: str) -> str:
    try:
        return words(f"step.{step}")
    except KeyError:
        return step


def outcome_of(step: str, data: dict[str, Any]) -> str:
    """What a finished step came to, in a few words."""
    known = {
        "data": ("n_train", "n_holdout", "n_classes", "n_corrections"),
        "train": ("chosen", "n_candidates"),
        "compress": ("precision", "size_mb", "p50_ms"),
        "evaluate": ("accuracy", "macro_f1"),
        "seal": ("model_id",),
        "release": ("reason_code",),
    }
    return _pairs(data, known.get(step, ()))


def detail_of(kind: str, data: dict[str, Any]) -> str:
    """What a running step says about itself: candidate, epoch, loss; for kinds without words, its plain values."""
    if kind in TELLERS:
        return TELLERS[kind](data)
    left_out = {"step", "en", "zh", "params", "turn_id"}
    return _pairs(data, [key for key in data if key not in left_out])


def candidate_line(data: dict[str, Any]) -> str:
    """A line of the leaderboard: what it is, its score, what there is to say about it."""
    note = str(data.get(f"note_{language()}", ""))
    score = data.get("validation", {}).get("accuracy")
    told = [candidate_name(data), "" if score is None else words("progress.score", score=score), note]
    return " · ".join(part for part in told if part)


def _tell_epoch(data: dict[str, Any]) -> str:
    place = {name: data.get(name) for name in ("candidate", "fold", "epoch", "epochs", "loss")}
    return words("progress.epoch" if place["fold"] else "progress.epoch_of_all", **place)


def _tell_room(data: dict[str, Any]) -> str:
    named = {name: words(f"preflight.{data[name]}") for name in ("what", "verdict")}
    return words("progress.room", candidate=data["candidate"], needs=data["needs"], has=data["has"], **named)


def trial_line(data: dict[str, Any]) -> str:
    """A trial of a search that is over: how it ended, and the best so far."""
    told = {name: data[name] for name in ("n_tried", "n_asked")}
    params = " ".join(f"{name}={setting(value)}" for name, value in data["params"].items())
    best = "" if data["best_log_loss"] is None else words("progress.best", log_loss=data["best_log_loss"])
    score = data["validation"].get("log_loss")
    loss = "" if score is None else words("progress.log_loss", log_loss=score)
    state = words(f"progress.trial_{data['status']}")
    return " · ".join(part for part in (words("progress.trial", **told, state=state), loss, best, params) if part)


TELLERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "train.candidate": candidate_line,
    "train.epoch": _tell_epoch,
    "train.update": _tell_epoch,
    "train.room": _tell_room,
    "train.trial": trial_line,
    "train.chosen": lambda data: words("progress.chosen", candidate=candidate_name(data)),
    "train.start": lambda data: words(
        "progress.start", **{name: data[name] for name in ("n_rows", "n_classes", "budget_s", "seed")}
    ),
    "train.embed": lambda data: words("progress.embed", done=data["done"], total=data["total"]),
}


def candidate_name(data: dict[str, Any]) -> str:
    """A candidate with its hyper-parameters."""
    params = " ".join(f"{name}={setting(value)}" for name, value in data.get("params", {}).items())
    return f"{data['method']} {params}".strip()


DETAILS: dict[str, Callable[[dict[str, Any]], str]] = {
    "train.candidate": candidate_line,
    "train.trial": trial_line,
    "train.chosen": lambda data: words("progress.chosen", candidate=candidate_name(data)),
}


def _pairs(data: dict[str, Any], keys: Any) -> str:
    shown = []
    for key in keys:
        value = data.get(key)
        if isinstance(value, float):
            value = f"{value:.4g}"
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            shown.append(f"{key} {value}")
    return " · ".join(shown)


class Progress:
    """Follows a turn; give it to `on_event`. Use it in a `with`, so that the terminal is left tidy.

    quiet: say nothing (for --json in a pipe the plain lines still go to stderr, as they are not the result).
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.view = TurnView()
        self._quiet = quiet
        self._started: dict[str, float] = {}
        self._live: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True)
            self._live = Live(get_renderable=self._panel, console=console, refresh_per_second=REFRESH_PER_S)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        self.view.apply(event)
        if event.kind == "step.start":
            self._started[str(event.data["step"])] = time.monotonic()
        if self._live is None and not self._quiet:
            line = line_of(event)
            if line:
                typer.echo(line, err=True)

    def _panel(self) -> RenderableType:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for step, outcome in self.view.steps.items():
            if step == self.view.running:
                seconds = time.monotonic() - self._started.get(step, time.monotonic())
                mark: Any = Spinner("dots")
                row = (f"{seconds:.0f} s", Text(detail_of(self.view.kind, self.view.detail), style="cyan"))
            elif outcome is not None:
                mark = Text("✓", style="green")
                row = (f"{outcome.get('wall_s', 0):.1f} s", Text(outcome_of(step, outcome)))
            else:
                mark, row = Text("·", style="dim"), ("", Text(""))
            table.add_row(mark, step_name(step), *row)
            if step == self.view.running == "train":
                for candidate in self.view.candidates[-SHOWN_CANDIDATES:]:
                    table.add_row("", "", "", Text(detail_of("train.candidate", candidate), style="dim"))
        return table

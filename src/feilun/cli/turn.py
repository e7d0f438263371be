"""`feilun turn`: one trip round the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from feilun.cli.shared import EXIT_INTERRUPTED, HERE, AsJson, Folder, open_project, result, say, setting, table, words
from feilun.errors import EXIT_NOT_REACHED, language

MISSED = ("goal_missed", "size", "latency")  # reason codes of the gate when the goal was not reached


def turn(
    folder: Folder = HERE,
    budget: Annotated[
        float | None, typer.Option(min=1, help="Wall-clock limit for training, in seconds (default: [train] budget_s).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random (default: [train] seed).")] = None,
    search: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=10_000,
            metavar="N",
            help="Search for better settings with N trials, 0 for none (default: [train.search]).",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what the turn would take: time, memory, disk.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn the wheel once: data, train, compress, evaluate, seal, release.

    Goes on where it was when an earlier turn was stopped. The new model answers only when it clears the goal and
    beats the champion; otherwise the champion stays, and the reason is printed.

    Exit codes: 0 the turn is done and its model meets the goal; 1 the goal was missed; 2 wrong use.

    \b
    Examples:
      feilun turn
      feilun turn support --budget 60 --seed 1
      feilun turn support --dry-run
      feilun turn support --budget 1800 --search 30
      feilun turn support --json > turn.json
    """
    from feilun.cli.progress import Progress

    with open_project(folder) as project:
        if dry_run:
            result(project.preflight(budget_s=budget), as_json=as_json, human=show_preflight)
            return
        try:
            with Progress() as progress:
                done = project.turn(budget_s=budget, seed=seed, n_trials=search, requested_by="cli", on_event=progress)
        except KeyboardInterrupt:
            say("turn.interrupted", folder=folder_hint(folder))
            raise typer.Exit(EXIT_INTERRUPTED) from None
        reason_code = next(
            (row["reason_code"] for row in project.list_releases() if row["turn_id"] == done.turn_id), ""
        )
        result(done, as_json=as_json, human=show_turn)
    if reason_code in MISSED:
        raise typer.Exit(EXIT_NOT_REACHED)


def show_turn(done: Any) -> None:
    """A finished turn: its leaderboard, its figures, what the gate said."""
    table(
        [
            ("→" if c.chosen else "", c.method, c.status, c.validation.get("accuracy"), c.cpu_s, parameters(c.params))
            for c in done.leaderboard
        ],
        columns=("chosen", "method", "status", "validation_accuracy", "cpu_s", "params"),
    )
    typer.echo()
    table(list(done.metrics.items()), columns=("metric", "value"))
    typer.echo()
    key = "turn.released" if done.released else "turn.not_released"
    typer.echo(words(key, model_id=done.model_id, reason=done.reason))


def show_preflight(ahead: Any) -> None:
    """What each rung would take, beside what there is."""
    typer.echo(words("preflight.head", n_rows=ahead.n_rows, n_classes=ahead.n_classes, budget_s=ahead.budget_s))
    typer.echo()
    rows = [
        (
            rung.method,
            words(f"preflight.{need.what}"),
            need.needs,
            need.has,
            need.unit,
            words(f"preflight.{need.verdict}"),
        )
        for rung in ahead.rungs
        for need in rung.needs
    ]
    table(rows, columns=("method", "resource", "needs", "has", "unit", "verdict"))
    for rung in ahead.rungs:
        note = rung.note_zh if language() == "zh" else rung.note_en
        if note:
            typer.echo(words("preflight.note", method=rung.method, note=note))


def parameters(params: dict[str, Any]) -> str:
    return " ".join(f"{name}={setting(value)}" for name, value in params.items())


def folder_hint(folder: Path) -> str:
    """The folder as a command line takes it; nothing for the folder one is in."""
    return "" if folder == HERE else f" {folder}"

"""`feilun alert`: who is told when something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, new_app, open_project, result, table, user_name, words
from feilun.errors import EXIT_NOT_REACHED, language

if TYPE_CHECKING:
    from feilun.records import AlertBoard, AlertDelivery

app = new_app(help="Alerts: rules, who is told when one fires, and what became of it.")


@app.command("list")
def list_(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Show the rules that are on and how they stand, and the targets. Both are set in feilun.toml: [alerts].

    \b
    Examples:
      feilun alert list support
    """
    with open_project(folder) as project:
        result(project.alerts(), as_json=as_json, human=_show)


@app.command()
def test(
    folder: Folder = HERE,
    to: Annotated[str | None, typer.Option(metavar="TARGET", help="Name of a target (default: all).")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a test to the targets now. Exit 1 when one of them did not take it.

    \b
    Examples:
      feilun alert test support
      feilun alert test support --to ops
    """
    with open_project(folder) as project:
        sent = project.test_alerts(to=to, actor=user_name())
    result(sent, as_json=as_json, human=_show_log)
    if any(one.state != "delivered" for one in sent):
        raise typer.Exit(EXIT_NOT_REACHED)


@app.command()
def log(
    folder: Folder = HERE,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most rows, latest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the latest alerts, those on their way among them.

    \b
    Examples:
      feilun alert log support --limit 50
    """
    with open_project(folder) as project:
        result(project.alert_log(limit=limit), as_json=as_json, human=_show_log)


def _show(board: AlertBoard) -> None:
    rows = [[one.rule, words(f"alert.{one.state}"), one.value, one.limit, one.since] for one in board.rules]
    table(rows, columns=("rule", "state", "value", "limit", "since"))
    typer.echo("")
    if not board.targets:
        typer.echo(words("alert.nobody"))
        return
    targets = [[one.name, one.format, one.host or "-", one.is_signed, _why(one.trouble)] for one in board.targets]
    table(targets, columns=("target", "format", "host", "is_signed", "trouble"))


def _show_log(rows: list[AlertDelivery]) -> None:
    shown = [
        [
            one.created_at,
            one.target,
            words(f"alert.{one.state}"),
            one.n_tries,
            getattr(one, language()),
            _why(one.error),
        ]
        for one in rows
    ]
    table(shown, columns=("created_at", "target", "state", "n_tries", "text", "trouble"))


def _why(error: dict[str, Any] | None) -> str:
    return "" if error is None else str(error[language()])

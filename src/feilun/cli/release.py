"""`feilun release`: which model answers, and how it came to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, Yes, confirm, new_app, open_project, result, table, user_name, words
from feilun.errors import language

app = new_app(help="The append-only release log: list it, promote a model, roll back.")

Reason = Annotated[str, typer.Option(help="Why, for the release log.")]
Actor = Annotated[str, typer.Option(metavar="NAME", help="Who decides, for the release log (default: the user name).")]


@app.command("list")
def list_(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the release log, latest first: promoted, rolled back, and refused with the reason.

    \b
    Examples:
      feilun release list support
    """
    with open_project(folder) as project:
        result(project.list_releases(), as_json=as_json, human=show_releases)


@app.command()
def promote(
    folder: Folder = HERE,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Model to promote (default: the latest).")] = None,
    reason: Reason = "",
    actor: Actor = "",
    override: Annotated[
        bool, typer.Option(help="Promote although the goal is missed; your name goes into the log.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a model answer from now on. A model that misses the goal needs --override and a name.

    \b
    Examples:
      feilun release promote support --model m_0123456789ab --reason "better on refunds"
      feilun release promote support --override --actor "Li Hua" --yes
    """
    with open_project(folder) as project:
        latest = project.list_models(limit=1)
        model_id = model or (latest[0] if latest else project.get_model())["model_id"]
        confirm("release.confirm_promote", yes=yes, model_id=model_id, project=project.name)
        row = project.promote(model_id, actor=actor or user_name(), reason=reason, override=override)
        result(row, as_json=as_json, human=_show_release)


@app.command()
def rollback(
    folder: Folder = HERE, reason: Reason = "", actor: Actor = "", yes: Yes = False, as_json: AsJson = False
) -> None:
    """Let the model that answered before answer again. A roll-back is a release too.

    \b
    Examples:
      feilun release rollback support --reason "wrong on cards" --yes
    """
    with open_project(folder) as project:
        confirm("release.confirm_rollback", yes=yes, project=project.name)
        row = project.rollback(actor=actor or user_name(), reason=reason)
        result(row, as_json=as_json, human=_show_release)


def _words_of(row: dict[str, Any]) -> str:
    return str(row["zh" if language() == "zh" else "en"])


def show_releases(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (row["created_at"], words(f"action.{row['action']}"), row["model_id"], row["actor"], _words_of(row))
            for row in rows
        ],
        columns=("created_at", "action", "model_id", "actor", "reason"),
    )


def _show_release(row: dict[str, Any]) -> None:
    typer.echo(
        words("release.done", action=words(f"action.{row['action']}"), model_id=row["model_id"], reason=_words_of(row))
    )

"""`feilun feedback`: what people said about answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, new_app, open_project, result, say, short, table, user_name, words
from feilun.errors import language as spoken

app = new_app(help="Corrections: list, add and import them; the review queue.")


@app.command("list")
def list_(
    folder: Folder = HERE,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most rows to list.")] = 50,
    latest: Annotated[bool, typer.Option("--latest", help="Latest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """List feedback in the order it came, or latest first.

    \b
    Examples:
      feilun feedback list support --limit 20
      feilun feedback list support --latest
    """
    with open_project(folder) as project:
        listed = project.list_latest_feedback if latest else project.list_feedback
        result(listed(limit=limit), as_json=as_json, human=_show_feedback)


@app.command()
def add(
    prediction_id: Annotated[str, typer.Argument(metavar="PREDICTION", help="Id of the answer, as the API gave it.")],
    folder: Folder = HERE,
    label: Annotated[str | None, typer.Option(help="The right label.")] = None,
    thumb: Annotated[
        str | None, typer.Option(metavar="up|down", help="Right or wrong, without saying the right label.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The answer as it should have read.")] = None,
    comment: Annotated[str | None, typer.Option(help="Anything else.")] = None,
    actor: Annotated[str, typer.Option(metavar="NAME", help="Who says so (default: the user name).")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what was right about one answer. A label bites at once and trains the next turn.

    \b
    Examples:
      feilun feedback add p_0123456789ab support --label refund
      feilun feedback add p_0123456789ab support --thumb down --comment "two questions in one"
    """
    with open_project(folder) as project:
        row, _ = project.give_feedback(
            prediction_id=prediction_id,
            label=label,
            thumb=thumb,
            text=text,
            comment=comment,
            actor=actor or user_name(),
        )
        result(
            row, as_json=as_json, human=lambda row: typer.echo(words("feedback.added", feedback_id=row["feedback_id"]))
        )


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Corrected messages, with the project's text and label columns.")
    ],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Take in a file of corrected messages; each row is a correction, as if given one by one.

    \b
    Examples:
      feilun feedback import corrected.csv support
    """
    with open_project(folder) as project:
        n_rows = project.import_feedback(file, actor=user_name())
        result(
            {"n_imported": n_rows}, as_json=as_json, human=lambda _: typer.echo(words("feedback.imported", n=n_rows))
        )


@app.command()
def queue(
    folder: Folder = HERE,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most messages to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the messages that wait for a person, those that would teach most first; then labels that look wrong.

    Answer a prediction with `feilun feedback add`, a label that looks wrong with `feilun data settle`.

    \b
    Examples:
      feilun feedback queue support --limit 50 --json
    """
    with open_project(folder) as project:
        rows = project.queue(limit=limit)
    result(rows, as_json=as_json, human=_show_queue)
    if any(row["prediction_id"] is None for row in rows):
        say("feedback.settle_next", folder="" if folder == HERE else f" {folder}")


@app.command()
def similar(
    prediction_id: Annotated[str, typer.Argument(metavar="PREDICTION", help="Id of the answer.")],
    folder: Folder = HERE,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most messages to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what waits too and means much the same as one message, nearest first: one label may do for all.

    \b
    Examples:
      feilun feedback similar p_0123456789ab support
      feilun feedback similar p_0123456789ab support --json
    """
    with open_project(folder) as project:
        rows = project.similar_in_queue(prediction_id, limit=limit)
    result(rows, as_json=as_json, human=_show_similar)


@app.command()
def skip(
    prediction_id: Annotated[str, typer.Argument(metavar="PREDICTION", help="Id of the answer.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Put a message out of the review queue without a label.

    \b
    Examples:
      feilun feedback skip p_0123456789ab support
    """
    with open_project(folder) as project:
        project.skip(prediction_id, actor=user_name())
        result({"skipped": prediction_id}, as_json=as_json, human=lambda _: typer.echo(words("feedback.skipped")))


def _show_feedback(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                row["created_at"],
                row["prediction_id"],
                " | ".join(row["labels"] or ()) or row["thumb"],
                row["actor"],
                row["comment"],
            )
            for row in rows
        ],
        columns=("created_at", "prediction_id", "said", "actor", "comment"),
    )


def _show_similar(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                row["prediction_id"],
                row["similarity"],
                row["is_sure"],
                " | ".join(row["labels"]),
                short(str(row["inputs"].get("text", ""))),
            )
            for row in rows
        ],
        columns=("asked_id", "similarity", "is_sure", "label", "message"),
    )


def _show_queue(rows: list[dict[str, Any]]) -> None:
    from feilun.feedback import sentences

    table(
        [
            (
                row["prediction_id"] or row["example_id"],
                " | ".join(row["labels"]),
                row["confidence"],
                short(str(row["inputs"].get("text", ""))),
                sentences(row["why"], lang=spoken()),
            )
            for row in rows
        ],
        columns=("asked_id", "label", "confidence", "message", "why"),
    )

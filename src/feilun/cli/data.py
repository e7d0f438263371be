"""`feilun data`: what is in the files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, new_app, open_project, result, say, short, table, user_name, words
from feilun.errors import EXIT_WRONG_USE, language

if TYPE_CHECKING:
    from feilun.records import DataReport, LearningCurve

app = new_app(help="Look at the data that a project learns from.")


class Kind(StrEnum):
    """What became of a row."""

    ADDED = "added"
    REMOVED = "removed"
    RELABELLED = "relabelled"
    MOVED = "moved"


MOST_SHOWN = 20  # rows of one kind in the report for people; --json has them all


@app.command()
def check(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Read every source and print what a person should know before training: bad rows, duplicates, leaks, classes.

    Nothing is written.

    \b
    Examples:
      feilun data check
      feilun data check support --json
    """
    with open_project(folder) as project:
        result(project.check_data(), as_json=as_json, human=show_check)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Messages: CSV, TSV, JSONL, XLSX or Parquet.")],
    folder: Folder = HERE,
    text: Annotated[str | None, typer.Option(metavar="COL", help="Column of the message.")] = None,
    label: Annotated[str | None, typer.Option(metavar="COL", help="Column of the label.")] = None,
    as_json: AsJson = False,
) -> None:
    """Copy a file of messages into the project; turns learn from it from the next one on.

    Its columns are those of the first source where it has them, else they are recognised. Look at the whole with
    'feilun data check' afterwards.

    \b
    Examples:
      feilun data add june.csv support
      feilun data add june.xlsx support --text 内容 --label 类别
    """
    with open_project(folder) as project:
        source = project.add_data(file, text=text, label=label, actor=user_name())
        result(source, as_json=as_json, human=lambda source: typer.echo(source.path))


@app.command()
def show(
    folder: Folder = HERE,
    limit: Annotated[int, typer.Option(min=1, help="Most turns to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the datasets that turns have made: each is an immutable snapshot, its id the hash of its content.

    \b
    Examples:
      feilun data show support
    """
    with open_project(folder) as project:
        result(project.list_datasets(limit=limit), as_json=as_json, human=_show_datasets)


@app.command()
def changes(
    folder: Folder = HERE,
    dataset_id: Annotated[
        str | None, typer.Option("--dataset", metavar="DATASET", help="Id of the dataset (default: the latest).")
    ] = None,
    base_id: Annotated[
        str | None,
        typer.Option("--base", metavar="DATASET", help="The one to compare it with (default: the one before)."),
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only such rows.")] = None,
    label: Annotated[str | None, typer.Option(help="Only rows that had or have this label.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most rows to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Say what changed from one dataset to another: rows added, removed, relabelled or moved, and how classes grew.

    \b
    Examples:
      feilun data changes support
      feilun data changes support --kind relabelled --limit 100
    """
    with open_project(folder) as project:
        found = dataset_id or next((row["dataset_id"] for row in project.list_datasets(limit=1)), None)
        if found is None:
            say("data.no_dataset")
            raise typer.Exit(EXIT_WRONG_USE)
        wanted: dict[str, Any] = {"kind": None if kind is None else kind.value, "label": label, "limit": limit}
        result(project.compare_datasets(found, base_id=base_id, **wanted), as_json=as_json, human=_show_changes)


@app.command()
def doubts(
    folder: Folder = HERE,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most rows to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List training rows whose label looks wrong by the last turn's cross-validation, the most doubtful first.

    Settle each with 'feilun data settle': some of the labels will be right, for models err too.

    \b
    Examples:
      feilun data doubts support
      feilun data doubts support --limit 100 --json
    """
    with open_project(folder) as project:
        result(project.doubtful_labels(limit=limit), as_json=as_json, human=_show_doubts)


@app.command()
def settle(
    example_id: Annotated[
        str, typer.Argument(metavar="EXAMPLE", help="Id of the row, as 'feilun data doubts' gave it.")
    ],
    folder: Folder = HERE,
    label: Annotated[str | None, typer.Option(help="The right label (default: the one it has is right).")] = None,
    actor: Annotated[str, typer.Option(metavar="NAME", help="Who says so (default: the user name).")] = "",
    as_json: AsJson = False,
) -> None:
    """Give a doubtful row its right label, or confirm the one it has. It wins over the file and is not asked again.

    \b
    Examples:
      feilun data settle 9f86d081884c7d659a2feaa0 support --label refund
      feilun data settle 9f86d081884c7d659a2feaa0 support
    """
    with open_project(folder) as project:
        row = project.settle_label(example_id, label=label, actor=actor or user_name())
        result(
            row, as_json=as_json, human=lambda row: typer.echo(words("feedback.added", feedback_id=row["feedback_id"]))
        )


@app.command()
def advise(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Say what more labels would bring, in which classes, and whether they reach the goal, before anyone labels.

    Needs the data and the backbone, but no turn. Takes seconds; nothing is released.

    \b
    Examples:
      feilun data advise support
    """
    with open_project(folder) as project:
        result(project.learning_curve(), as_json=as_json, human=_show_curve)


def show_check(report: DataReport) -> None:
    """The data report for a person: counts, then each kind of trouble with where it is, then advice."""
    typer.echo(
        words(
            "data.counts",
            n_rows=report.n_rows,
            n_train=report.n_train,
            n_holdout=report.n_holdout,
            n_unlabelled=report.n_unlabelled,
            n_corrections=report.n_corrections,
            n_set_aside=report.n_set_aside,
        )
    )
    for source, encoding in report.encodings.items():
        typer.echo(words("data.encoding", source=source, encoding=encoding))
    _show_set_aside(report)
    for name in ("exact_duplicates", "near_duplicates", "conflicts", "leaks", "near_leaks"):
        n_pairs, pairs = getattr(report, f"n_{name}"), getattr(report, name)
        if n_pairs:
            typer.echo("\n" + words(f"data.{name}", n=n_pairs))
            for one, other in pairs[:MOST_SHOWN]:
                typer.echo(f"  {one}  {other}")
    if report.n_label_doubts:
        typer.echo("\n" + words("data.label_doubts", n=report.n_label_doubts))
        for reference, given, suggested in report.label_doubts[:MOST_SHOWN]:
            typer.echo("  " + words("data.label_doubt", reference=reference, given=given, suggested=suggested))
    if report.class_counts:
        typer.echo()
        counts = sorted(report.class_counts.items(), key=lambda item: (-item[1], item[0]))
        rows = [(label, n, report.holdout_counts.get(label, 0)) for label, n in counts]
        table(rows, columns=("label", "n_train", "n_holdout"))
    for advice in report.advice_zh if language() == "zh" else report.advice_en:
        typer.echo("\n" + words("data.advice", advice=advice))


def _show_set_aside(report: DataReport) -> None:
    if not report.n_set_aside:
        return
    typer.echo("\n" + words("data.set_aside", n=report.n_set_aside))
    for row in report.set_aside[:MOST_SHOWN]:
        typer.echo(f"  {row.source}:{row.row}  {row.zh if language() == 'zh' else row.en}")


def _show_datasets(rows: list[dict[str, Any]]) -> None:
    columns = ("dataset_id", "created_at", "n_train", "n_holdout", "n_unlabelled", "n_classes")
    table([[row[column] for column in columns] for row in rows], columns=columns)


def _show_changes(told: dict[str, Any]) -> None:
    typer.echo(words("data.changes", dataset_id=told["dataset_id"], base_id=told["base_id"] or "-", **told["counts"]))
    grown = [(one["label"], one["n_before"], one["n_after"]) for one in told["classes"]]
    grown = [one for one in grown if one[1] != one[2]][:MOST_SHOWN]
    if grown:
        table(grown, columns=("label", "n_before", "n_after"))
    if told["rows"]:
        typer.echo()
        table([_changed(row) for row in told["rows"]], columns=("change", "label", "split", "message"))


def _changed(row: dict[str, Any]) -> tuple[str, ...]:
    def step(old: Any, new: Any) -> str:
        return str(new or old or "-") if not old or not new or old == new else f"{old} → {new}"

    labels = ("|".join(row["old_labels"] or ()), "|".join(row["new_labels"] or ()))
    text = short(" ".join(str(value) for value in row["inputs"].values()))
    return words(f"data_change.{row['kind']}"), step(*labels), step(row["old_split"], row["new_split"]), text


def _show_doubts(rows: list[dict[str, Any]]) -> None:
    if not rows:
        typer.echo(words("data.no_doubts"))
        return
    table(
        [
            (
                row["example_id"],
                row["source"] if row["row"] is None else f"{row['source']}:{row['row']}",
                " | ".join(row["labels"]),
                " | ".join(row["suggested"]),
                row["score"],
                short(str(row["inputs"].get("text", ""))),
            )
            for row in rows
        ],
        columns=("example_id", "place", "label", "suggested", "score", "message"),
    )


def _show_curve(curve: LearningCurve) -> None:
    from feilun.evaluate import describe_curve

    typer.echo(describe_curve(curve, language()))

"""`feilun monitor`: how the served model fares."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, open_project, result, short, table, words

if TYPE_CHECKING:
    from feilun.records import Drift, Monitor

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]


class Bucket(StrEnum):
    """How long a line of the table lasts."""

    hour = "hour"
    day = "day"
    week = "week"


class Reason(StrEnum):
    """Why an answer was given, or handed over."""

    confident = "confident"
    unsure = "unsure"
    out_of_scope = "out_of_scope"
    memory = "memory"


def monitor(
    folder: Folder = HERE,
    since: Annotated[
        datetime | None,
        typer.Option(formats=FORMATS, help="In UTC (default: 2 days, 2 weeks or 12 weeks ago, by --bucket)."),
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=FORMATS, help="In UTC (default: now).")] = None,
    bucket: Annotated[Bucket, typer.Option(help="How long a line of the table lasts.")] = Bucket.day,
    as_json: AsJson = False,
) -> None:
    """Show traffic, answer times, hand-over and feedback over time, and how far the traffic has moved.

    \b
    Examples:
      feilun monitor support
      feilun monitor support --since 2026-11-01 --bucket week
    """
    with open_project(folder) as project:
        seen = project.monitor(since=since, until=until, bucket=bucket.value)
        result(seen, as_json=as_json, human=_show)


def answers(
    folder: Folder = HERE,
    label: Annotated[str | None, typer.Option(help="Only answers with this label.")] = None,
    reason: Annotated[Reason | None, typer.Option(help="Only answers decided so.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=FORMATS, help="Only from then on, in UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most answers to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was answered, message by message, latest first: what is behind a figure of `feilun monitor`.

    \b
    Examples:
      feilun answers support --label card_arrival
      feilun answers support --reason out_of_scope --since 2026-11-01
    """
    decided = None if reason is None else reason.value
    with open_project(folder) as project:
        rows = project.list_answers(label=label, reason=decided, since=since, limit=limit)
    result(rows, as_json=as_json, human=_show_answers)


def _show_answers(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                row["created_at"],
                " | ".join(row["labels"]),
                row["confidence"],
                words(f"reason.{row['reason']}"),
                short(str(row["inputs"].get("text", ""))),
            )
            for row in rows
        ],
        columns=("created_at", "label", "confidence", "reason", "message"),
    )


def _show(seen: Monitor) -> None:
    columns = ["at", "n_messages", "n_handed_over", "n_feedback", "n_contradicted", "p50_ms", "p95_ms", "p99_ms"]
    rows = [[_cell(getattr(one, name)) for name in columns] for one in seen.buckets]
    table(rows, columns=columns)
    typer.echo(_drift(seen.drift))


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "-" if value is None else value


def _drift(found: Drift) -> str:
    if found.labels is None or found.confidence is None:
        return words("monitor.too_few", n_needed=found.n_needed)
    return words(f"monitor.{found.state}", labels=found.labels, confidence=found.confidence)

"""`feilun monitor`: how the served model fares."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from feilun.cli.shared import HERE, AsJson, Folder, open_project, result, table, words

if TYPE_CHECKING:
    from feilun.records import Drift, Monitor

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]


class Bucket(StrEnum):
    """How long a line of the table lasts."""

    hour = "hour"
    day = "day"
    week = "week"


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

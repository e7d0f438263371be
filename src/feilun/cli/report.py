"""`feilun report`: everything known about a model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, open_project, result
from feilun.errors import language


def report(
    folder: Folder = HERE,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model to report on (default: the champion).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's report: figures with intervals, confused classes, calibration, threshold, comparison, lineage.

    \b
    Examples:
      feilun report
      feilun report support --model m_0123456789ab --json
    """
    with open_project(folder) as project:
        result(project.report(model), as_json=as_json, human=show_report)


def show_report(report: Any) -> None:
    from feilun.evaluate import describe

    typer.echo(describe(report, language()))

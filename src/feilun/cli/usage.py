"""`feilun usage`: who used how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Where, open_workspace, result, say, table

if TYPE_CHECKING:
    from feilun.records import UsageLine

PARTS = ("day", "tenant", "project", "key", "kind")
COUNTS = ("n_requests", "n_inputs", "n_characters", "n_tokens", "cpu_ms")


def usage(
    folder: Where = HERE,
    month: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Such as 2026-11, in UTC (default: the present one).")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="day, tenant, project, key or kind; may be repeated (default: all but day)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it to a file; the name's end picks the format.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was asked over HTTP in a month, from the ledger: requests, inputs, characters, tokens, CPU time.

    \b
    Examples:
      feilun usage support
      feilun usage support --month 2026-11 --by tenant --by key --out november.csv
    """
    parts: Any = by or [part for part in PARTS if part != "day"]
    if not set(parts) <= set(PARTS):
        raise typer.BadParameter(f"{', '.join(parts)}: not of {', '.join(PARTS)}", param_hint="--by")
    with open_workspace(folder) as workspace:
        if out is None:
            result(workspace.usage(month=month, by=parts), as_json=as_json, human=lambda rows: _show(rows, parts))
            return
        made = {"out": str(out), "n_lines": workspace.write_usage(out, month=month, by=parts)}
    result(made, as_json=as_json, human=lambda made: typer.echo(made["out"]))
    say("usage.written", n_lines=made["n_lines"])


def _show(rows: list[UsageLine], parts: list[str]) -> None:
    names = [name for part in dict.fromkeys(parts) for name in (("key_id", "key_name") if part == "key" else (part,))]
    columns = [*names, *COUNTS]
    table([[getattr(row, name) for name in columns] for row in rows], columns=columns)

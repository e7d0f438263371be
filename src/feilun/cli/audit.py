"""`feilun audit`: who did what, and whether the log of it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from feilun.cli.shared import (
    HERE,
    AsJson,
    Folder,
    Yes,
    confirm,
    new_app,
    open_project,
    result,
    say,
    table,
    user_name,
    words,
)
from feilun.errors import EXIT_NOT_REACHED

app = new_app(help="The audit log: every change of state, who made it, and whether the log is whole.")
Only = Annotated[str | None, typer.Option("--only", metavar="PROJECT", help="Entries of this project alone.")]


@app.command("list")
def list_(
    folder: Folder = HERE,
    only: Only = None,
    after: Annotated[int | None, typer.Option(min=0, help="Entries behind this one (default: the latest).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most entries.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List entries, oldest first: of all projects of the workspace, or of one.

    \b
    Examples:
      feilun audit list support
      feilun audit list support --only support --after 0 --limit 1000
    """
    with open_project(folder) as project:
        rows = project.audit(project=only, after=after, limit=limit)
    result(rows, as_json=as_json, human=_show)


@app.command()
def verify(
    folder: Folder = HERE,
    head: Annotated[
        str | None, typer.Option(metavar="SEQ:HASH", help="A head that you kept, as `feilun audit head` printed it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry, every link between two, and the signed end; leaves with 1 when the log is not whole.

    Only with --head is it found when the whole workspace was put back to an older state.

    \b
    Examples:
      feilun audit verify support
      feilun audit verify support --head "$(cat /safe/place/head)"
    """
    from feilun.trust import describe

    with open_project(folder) as project:
        verdict = project.verify_audit(head=head)
    told = [fault.model_dump() | {"words": describe(fault)} for fault in verdict.faults]
    result(verdict.model_dump() | {"faults": told}, as_json=as_json, human=_show_verdict)
    if not verdict.is_whole:
        raise typer.Exit(EXIT_NOT_REACHED)


@app.command()
def head(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Print where the log ends. Keep it where nobody who can change the database can change it.

    \b
    Examples:
      feilun audit head support
    """
    with open_project(folder) as project:
        result({"head": project.audit_head()}, as_json=as_json, human=lambda made: typer.echo(made["head"]))


@app.command()
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to write: .csv, .tsv, .jsonl or .xlsx by its name.")
    ],
    folder: Folder = HERE,
    only: Only = None,
    as_json: AsJson = False,
) -> None:
    """Write the log into a file; cells that a spreadsheet would run as a formula get an apostrophe.

    \b
    Examples:
      feilun audit export audit.csv support
      feilun audit export audit.jsonl support --only support
    """
    with open_project(folder) as project:
        made = {"file": str(file), "n_entries": project.export_audit(file, project=only)}
    result(made, as_json=as_json, human=lambda made: typer.echo(words("audit.exported", **made)))


@app.command()
def rekey(folder: Folder = HERE, yes: Yes = False, as_json: AsJson = False) -> None:
    """Sign the log with a new key from here on, because the old one is lost or somebody may know it.

    The log says who did so. What was cut from its end before is not found any more unless the old key is still there.

    \b
    Examples:
      feilun audit rekey support --yes
    """
    from feilun.project import Project

    confirm("audit.confirm_rekey", yes=yes)
    made = {"head": Project.rekey_audit(folder, actor=user_name())}
    result(made, as_json=as_json, human=lambda made: typer.echo(made["head"]))
    say("audit.rekeyed")


def _show(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                row["seq"],
                row["at"],
                row["actor"],
                row["action"],
                row["subject"],
                row["project"] or None,
                json.dumps(row["details"], ensure_ascii=False),
            )
            for row in rows
        ],
        columns=("seq", "created_at", "actor", "change", "subject", "project", "details"),
    )


def _show_verdict(made: dict[str, Any]) -> None:
    if made["is_whole"]:
        typer.echo(words("audit.whole", n_entries=made["n_entries"], head=made["head"]))
        return
    typer.echo(words("audit.broken", n_faults=made["n_faults"]))
    for fault in made["faults"]:
        typer.echo(f"  {fault['words']}")

"""`feilun backups`: those that the workspace keeps, which the console offers too."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from feilun.cli.shared import (
    HERE,
    AsJson,
    Where,
    Yes,
    confirm,
    new_app,
    open_workspace,
    result,
    say,
    table,
    user_name,
    words,
)
from feilun.errors import EXIT_NOT_REACHED, language

app = new_app(help="Backups that the workspace keeps, for the console; 'feilun backup' writes one where you say.")
MEGABYTE = 1e6


@app.command("list")
def list_(folder: Where = HERE, as_json: AsJson = False) -> None:
    """List the backups in the workspace's own folder, latest first, each with the sha256 of its archive.

    \b
    Examples:
      feilun backups list projects
    """
    with open_workspace(folder) as workspace:
        result(workspace.list_backups(), as_json=as_json, human=_show)


@app.command()
def keep(folder: Where = HERE, as_json: AsJson = False) -> None:
    """Make one in the workspace's own folder, where the console offers it; the server may go on meanwhile.

    Exit code 1 when it came to nothing.

    \b
    Examples:
      feilun backups keep projects
    """
    with open_workspace(folder) as workspace:
        row = workspace.keep_backup(actor=user_name())
    if row["state"] == "failed":
        say("error", message=row[language()])
        raise typer.Exit(EXIT_NOT_REACHED)
    size_mb = row["size"] / MEGABYTE
    result(row, as_json=as_json, human=lambda row: typer.echo(words("backup.kept", size_mb=size_mb, **row)))


@app.command()
def remove(
    backup_id: Annotated[str, typer.Argument(metavar="BACKUP", help="Its id, as 'feilun backups list' gave it.")],
    folder: Where = HERE,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete one from the workspace.

    \b
    Examples:
      feilun backups remove bk_0123456789abcdef01234567 projects --yes
    """
    with open_workspace(folder) as workspace:
        confirm("backup.confirm_remove", yes=yes, backup_id=backup_id)
        workspace.remove_backup(backup_id, actor=user_name())
    made = {"removed": backup_id}
    result(made, as_json=as_json, human=lambda _: typer.echo(words("backup.removed", backup_id=backup_id)))


def _show(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (one["backup_id"], words(f"state.{one['state']}"), one["created_at"], one["size"] / MEGABYTE, one["sha256"])
            for one in rows
        ],
        columns=("backup_id", "state", "created_at", "size_mb", "sha256"),
    )

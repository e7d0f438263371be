"""`feilun backup`, `feilun restore` and `feilun doctor`: a workspace that outlives its machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, open_project, result, say, table, user_name, words
from feilun.errors import EXIT_NOT_REACHED

MEGABYTE = 1e6


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file to write, such as monday.zip.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Write one archive of the workspace: rows, models, datasets, feilun.toml and data files of its projects.

    The server may go on meanwhile. The archive holds people's messages and no keys; keep it where only you can read it.

    \b
    Examples:
      feilun backup monday.zip support
    """
    with open_project(folder) as project:
        manifest = project.backup(file, actor=user_name())
    result(_summary(file, manifest), as_json=as_json, human=lambda made: typer.echo(words("backup.made", **made)))
    _say_left_out(manifest)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive that `feilun backup` wrote.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make; missing or empty.")],
    as_json: AsJson = False,
) -> None:
    """Make a workspace of a backup in a new folder, after every checksum was verified.

    One project comes back as FOLDER itself, several as its sub-folders.

    \b
    Examples:
      feilun restore monday.zip support-restored
    """
    from feilun.project import Project

    manifest = Project.restore(file, folder, actor=user_name())
    made = _summary(file, manifest) | {"folder": str(folder)}
    result(made, as_json=as_json, human=lambda made: typer.echo(words("backup.restored", **made)))
    _say_left_out(manifest)


def doctor(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Say what is wrong with a workspace and this machine, and what to do; leaves with 1 when there is a problem.

    \b
    Examples:
      feilun doctor support
      feilun doctor support --json
    """
    from feilun.project import Project

    findings = Project.doctor(folder)
    n_problems = sum(finding.level == "problem" for finding in findings)
    made = {"n_problems": n_problems, "findings": [finding.to_dict() for finding in findings]}
    result(made, as_json=as_json, human=_show_findings)
    if n_problems:
        say("doctor.problems", n_problems=n_problems)
        raise typer.Exit(EXIT_NOT_REACHED)
    say("doctor.well")


def _summary(file: Path, manifest: Any) -> dict[str, Any]:
    return {
        "file": str(file),
        "projects": list(manifest.projects),
        "created_at": manifest.created_at,
        "n_members": len(manifest.members),
        "size_mb": round(sum(member.size for member in manifest.members) / MEGABYTE, 3),
        "left_out": list(manifest.left_out),
    }


def _say_left_out(manifest: Any) -> None:
    if manifest.left_out:
        say("backup.left_out", names=", ".join(manifest.left_out))


def _show_findings(made: dict[str, Any]) -> None:
    rows = made["findings"]
    table(
        [(words(f"level.{row['level']}"), row["found"], row["action"] or None) for row in rows],
        columns=("level", "found", "todo"),
    )

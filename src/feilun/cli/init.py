"""`feilun init`: from a data file to a project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.pulling import Pulling
from feilun.cli.shared import AsJson, Yes, result, say, words
from feilun.cli.turn import folder_hint
from feilun.errors import EXIT_NOT_REACHED

if TYPE_CHECKING:
    from feilun.config import FeilunSettings


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it gets a feilun.toml.")],
    data: Annotated[Path, typer.Option(metavar="FILE", help="Labelled messages: CSV, TSV, JSONL, XLSX or Parquet.")],
    holdout: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that judges every model and never trains one.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COL", help="Column of the message.")] = None,
    label: Annotated[str | None, typer.Option(metavar="COL", help="Column of the label.")] = None,
    language: Annotated[str | None, typer.Option(metavar="en|zh|multi", help="Language of the messages.")] = None,
    name: Annotated[str | None, typer.Option(help="Name in URLs (default: that of the folder).")] = None,
    pull: Annotated[bool, typer.Option(help="Fetch the backbone now when it is not on this machine.")] = True,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Look at a data file and write a commented feilun.toml that works as it is.

    Columns, encoding, language and label set are recognised; on a terminal you are asked whether they are right.

    \b
    Examples:
      feilun init support --data messages.csv
      feilun init support --data messages.xlsx --text 内容 --label 类别 --language zh --yes
      feilun init support --data messages.csv --holdout judged.csv --yes
    """
    from feilun.config import CONFIG_NAME
    from feilun.project import Project, propose_settings

    guesses: dict[str, Any] = {
        "data": data,
        "holdout": holdout,
        "text": text,
        "label": label,
        "language": language,
        "name": name,
    }
    if not yes and sys.stdin.isatty():
        show_guesses(propose_settings(folder.resolve(), **guesses), data=data)
        if not typer.confirm(words("init.confirm"), default=True, err=True):
            say("init.say_otherwise")
            raise typer.Exit(EXIT_NOT_REACHED)
    with Pulling() as pulling:
        project = Project.init(folder, **guesses, pull=pull, on_event=pulling)
    with project:
        made = {
            "project": project.name,
            "folder": str(project.folder),
            "config": str(project.folder / CONFIG_NAME),
            "settings": project.settings,
        }
        result(made, as_json=as_json, human=lambda made: typer.echo(made["config"]))
        if not as_json:
            show_guesses(project.settings, data=data)
            say("init.next", folder=folder_hint(folder))


def show_guesses(settings: FeilunSettings, *, data: Path) -> None:
    """What was recognised in the file, on stderr."""
    source = settings.data.sources[0]
    say(
        "init.guesses",
        data=data,
        text=source.text,
        label=source.label,
        language=settings.project.language,
        name=settings.project.name,
        multi_label=words("yes" if settings.task.multi_label else "no"),
    )

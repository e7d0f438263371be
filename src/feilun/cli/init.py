"""`feilun init`: from a data file to a project."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from feilun.cli.pulling import Pulling
from feilun.cli.shared import AsJson, Yes, result, say, short, words
from feilun.cli.turn import folder_hint
from feilun.errors import EXIT_NOT_REACHED
from feilun.errors import language as spoken


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it gets a feilun.toml.")],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labelled messages: CSV, TSV, JSONL, XLSX or Parquet.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="en|zh", help="Begin with the bundled sample instead of a file of yours.")
    ] = None,
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
      feilun init support --sample zh
      feilun init support --data messages.xlsx --text 内容 --label 类别 --language zh --yes
      feilun init support --data messages.csv --holdout judged.csv --yes
    """
    from feilun.config import CONFIG_NAME, NAME_PATTERN
    from feilun.project import SAMPLES, Project, sample_path

    if sample is not None and sample not in SAMPLES:
        raise typer.BadParameter(f"{sample!r} is not en or zh", param_hint="--sample")
    if (data is None) == (sample is None):
        raise typer.BadParameter("give either a file or --sample", param_hint="--data")
    data = sample_path(sample) if sample else data
    assert data is not None
    if language not in (None, "en", "zh", "multi"):
        raise typer.BadParameter(f"{language!r} is not en, zh or multi", param_hint="--language")
    if name is not None and not re.match(NAME_PATTERN, name):
        raise typer.BadParameter(f"{name!r} has more than letters, digits, '-' and '_'", param_hint="--name")

    if not yes and sys.stdin.isatty():
        _ask(data, text=text, label=label, language=language)
    with Pulling() as pulling:
        project = Project.init(
            folder,
            data=data,
            holdout=holdout,
            text=text,
            label=label,
            language=language,
            name=name,
            pull=pull,
            on_event=pulling,
        )
    with project:
        made = {
            "project": project.name,
            "folder": str(project.folder),
            "config": str(project.folder / CONFIG_NAME),
            "settings": project.settings,
        }
        result(made, as_json=as_json, human=lambda made: typer.echo(made["config"]))
        source = project.settings.data.sources[0]
        say("init.made", text=source.text, label=source.label, language=project.settings.project.language)
        say("init.next", folder=folder_hint(folder))


def _ask(data: Path, *, text: str | None, label: str | None, language: str | None) -> None:
    """Show what the file seems to hold, and go on only if the person agrees."""
    from feilun.data import inspect_file

    guess = inspect_file(data, text=text, label=label)
    say("init.file", data=data, n_rows=guess.n_rows, encoding=guess.encoding, n_labels=len(guess.label_counts))
    say("init.columns", text=guess.text, label=guess.label, language=language or guess.language)
    for message, answer in guess.samples:
        typer.echo(f"  {short(message)}  →  {short(answer)}", err=True)
    for note in guess.notes_zh if spoken() == "zh" else guess.notes_en:
        typer.echo(f"  {note}", err=True)
    if not typer.confirm(words("init.confirm"), default=True, err=True):
        say("init.say_otherwise")
        raise typer.Exit(EXIT_NOT_REACHED)

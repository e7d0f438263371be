"""`feilun predict`: answers for a whole file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, open_project, result, say, words


def predict(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Messages: any format that `feilun init` reads.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where to write the answers; the name's end picks the format.")
    ],
    folder: Annotated[Path, typer.Option("--project", metavar="DIR", help="Folder of the project.")] = HERE,
    as_json: AsJson = False,
) -> None:
    """Answer every row of a file: its columns, and prediction, confidence, decision beside them.

    Rows that cannot be answered are set aside with a reason, never dropped in silence.

    \b
    Examples:
      feilun predict new.csv --project support --out answered.csv
    """
    with open_project(folder) as project:
        result(project.predict_file(file, out=out), as_json=as_json, human=show_prediction)


def show_prediction(done: Any) -> None:
    typer.echo(words("predict.done", n_rows=done.n_rows, answered=done.n_answered, handed=done.n_handed_over))
    if done.n_set_aside:
        say("predict.set_aside", n=done.n_set_aside)
    typer.echo(str(done.out))

"""The root of the command line: the commands and groups, and what happens when one of them fails.

Nothing heavy is imported here or at the top of a command file, so that `feilun --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from feilun.cli import (
    alert,
    audit,
    backups,
    config,
    data,
    feedback,
    job,
    key,
    label,
    limit,
    model,
    person,
    release,
    tenant,
)
from feilun.cli.examples import explain
from feilun.cli.init import init
from feilun.cli.monitor import answers, monitor
from feilun.cli.operate import backup, doctor, restore
from feilun.cli.predict import predict
from feilun.cli.report import report
from feilun.cli.serve import serve
from feilun.cli.shared import EXIT_CODES, new_app, say, write_json
from feilun.cli.turn import turn
from feilun.cli.usage import usage
from feilun.errors import EXIT_NOT_REACHED, FeilunError
from feilun.version import __version__

EPILOG = """Exit codes: 0 done · 1 not reached (the goal was missed, or something is unavailable) · 2 wrong use ·
130 interrupted.

\b
Examples:
  feilun init support --data messages.csv
  feilun turn support
  feilun serve support"""

app = new_app(
    help="Feilun 飞轮: from a file of messages to a served model that learns from corrections.", epilog=EPILOG
)
for command in (init, turn, serve, predict, explain, report, monitor, answers, usage, backup, restore, doctor):
    app.command()(command)
for name, group in {
    "data": data.app,
    "model": model.app,
    "release": release.app,
    "feedback": feedback.app,
    "label": label.app,
    "key": key.app,
    "limit": limit.app,
    "person": person.app,
    "tenant": tenant.app,
    "alert": alert.app,
    "audit": audit.app,
    "config": config.app,
    "backups": backups.app,
    "job": job.app,
}.items():
    app.add_typer(group, name=name)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"feilun {__version__}")
        raise typer.Exit


@app.callback()
def root(
    lang: Annotated[
        str, typer.Option(help="Language of results and errors: en or zh (default: FEILUN_LANG, else the locale).")
    ] = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    if lang not in ("", "en", "zh"):
        raise typer.BadParameter(f"{lang!r} is neither 'en' nor 'zh'", param_hint="--lang")
    if lang:
        os.environ["FEILUN_LANG"] = lang  # child processes speak the same language


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and leave with its exit code; a mistake becomes one message, never a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        app(args=arguments, prog_name="feilun")
    except FeilunError as error:
        if "--json" in arguments:
            write_json({"error": error.to_dict()})
        say("error", message=error.message())
        raise SystemExit(EXIT_CODES[error.kind]) from None
    except Exception as error:
        if os.environ.get("FEILUN_DEBUG") == "1":
            raise
        _report_unexpected(error)
        raise SystemExit(EXIT_NOT_REACHED) from None
    raise SystemExit(0)


def _report_unexpected(error: Exception) -> None:
    """Say in two lines what happened and where the traceback is."""
    from feilun.cli.shared import log_path
    from feilun.logs import place

    lines = place(error)
    try:
        path = log_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"feilun {__version__} {sys.platform} python {sys.version.split()[0]}\n{lines}\n")
    except OSError:
        sys.stderr.write(lines)  # nowhere to keep it: better shown than lost
        say("unexpected", error=type(error).__name__, log="stderr")
    else:
        say("unexpected", error=type(error).__name__, log=path)

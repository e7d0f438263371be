"""What the command files share: the folder and --json options, words, results and tables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.errors import EXIT_NOT_REACHED, EXIT_WRONG_USE, Kind, language

if TYPE_CHECKING:
    from feilun.project import Project, Workspace

# What a kind of mistake means to a script: 2 = call it otherwise, 1 = perhaps later.
EXIT_CODES: dict[Kind, int] = {
    "invalid": EXIT_WRONG_USE,
    "missing": EXIT_WRONG_USE,
    "conflict": EXIT_WRONG_USE,
    "forbidden": EXIT_WRONG_USE,
    "unavailable": EXIT_NOT_REACHED,
    "exhausted": EXIT_NOT_REACHED,
}
EXIT_INTERRUPTED = 130  # as every shell has it: 128 + SIGINT
MOST_CHARS = 60  # of a message in a table
NOT_A_TERMINAL_WIDTH = 240  # tables into a pipe or a file are not folded to 80 columns

HERE = Path()
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project (with feilun.toml).")]
Where = Annotated[Path, typer.Argument(metavar="DIR", help="A project, or the folder that holds the projects.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def new_app(*, help: str, epilog: str | None = None) -> typer.Typer:
    """A group with our ways: plain help that can be copied, no completion commands, no pretty tracebacks."""
    return typer.Typer(
        help=help,
        epilog=epilog,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def open_project(folder: Path) -> Project:
    """The project in `folder`; use it in a `with`."""
    from feilun.project import Project

    return Project(folder)


def open_workspace(folder: Path, *, make: bool = False) -> Workspace:
    """The workspace of the project in `folder`, or of a folder that holds projects; use it in a `with`."""
    from feilun.project import Workspace

    return Workspace(folder, make=make)


# words


def setting(value: Any) -> str:
    """A hyper-parameter as people read it: a search draws numbers with sixteen digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@cache
def _table() -> dict[str, Any]:
    import tomllib

    return tomllib.loads((Path(__file__).parent / "messages.toml").read_text("utf-8"))


def words(key: str, **fields: Any) -> str:
    """A sentence of messages.toml in the language of the process."""
    entry = _table()
    for part in key.split("."):
        entry = entry[part]
    return str(entry[language()]).format(**fields)


def say(key: str, **fields: Any) -> None:
    """Words for a person, on stderr."""
    typer.echo(words(key, **fields), err=True)


def confirm(key: str, *, yes: bool, **fields: Any) -> None:
    """Ask before something that cannot be undone.

    On a terminal the person decides; anywhere else only --yes goes ahead.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        say("needs_yes", what=words(key, **fields))
        raise typer.Exit(EXIT_WRONG_USE)
    if not typer.confirm(words(key, **fields), err=True):
        say("nothing_done")
        raise typer.Exit(EXIT_NOT_REACHED)


# results


def result(value: Any, *, as_json: bool, human: Callable[[Any], None]) -> None:
    """The result of a command on stdout: as JSON, or as `human` prints it."""
    if as_json:
        write_json(value)
    else:
        human(value)


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """One JSON document on stdout; records become objects, times ISO 8601."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=_plain))


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def table(rows: Iterable[Sequence[Any]], *, columns: Sequence[str], title: str = "") -> None:
    """Aligned rows on stdout; `columns` are keys of [column] in messages.toml, numbers are set to the right."""
    from rich.console import Console
    from rich.table import Table

    made = list(rows)
    width = None if sys.stdout.isatty() else NOT_A_TERMINAL_WIDTH
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        numeric = bool(made) and all(isinstance(row[number], int | float) for row in made)
        shown.add_column(words(f"column.{column}"), justify="right" if numeric else "left", overflow="fold")
    for row in made:
        shown.add_row(*(_cell(value) for value in row))
    Console(width=width, highlight=False, markup=False, emoji=False).print(shown)


def short(text: str) -> str:
    """The beginning of a message on one line, for a table."""
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= MOST_CHARS else one_line[: MOST_CHARS - 1] + "…"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return words("yes" if value else "no")
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:,.1f}"
    return str(value)


def user_name() -> str:
    """Who is at the keyboard, for logs that name a person."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        return f"uid {os.getuid()}"


def log_path() -> Path:
    """Where tracebacks of unexpected errors are kept."""
    from platformdirs import user_log_path

    home = os.environ.get("FEILUN_HOME")
    return (Path(home) / "logs" if home else user_log_path("feilun", appauthor=False)) / "cli.log"

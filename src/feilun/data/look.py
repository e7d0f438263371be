"""The first rows of a file that somebody handed over, and what it seems to hold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from feilun.data.errors import CannotTellColumns, NoHeader, NoLabelColumn, NoLabels, NoSuchColumn
from feilun.data.inspection import FileGuess, inspect_file
from feilun.data.reading import open_table
from feilun.errors import FeilunError

N_ROWS = 20
MAX_CELL = 500  # characters of a cell that are shown


@dataclass(frozen=True)
class FileLook:
    """What a person sees before deciding.

    columns: their names; rows: the first ones, (n, n_columns), long cells cut. guess is None where `trouble` says why
    the columns cannot be told, or hold nothing to learn from.
    """

    format: str
    encoding: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    guess: FileGuess | None
    trouble: FeilunError | None


def look_at(path: Path, *, name: str = "", text: str | None = None, label: str | None = None) -> FileLook:
    """Read a file once from end to end, for `inspect_file`, and once more its first rows.

    Raises:
        FeilunError: it cannot be read at all, as `open_table` says.
    """
    table = open_table(path, name=name or str(path))
    first = islice(table.rows(), N_ROWS)
    rows = tuple(tuple(cell[:MAX_CELL] for cell in row.cells) for row in first if not row.problem)
    guess, trouble = None, None
    try:
        guess = inspect_file(path, name=name, text=text, label=label)
    except (CannotTellColumns, NoHeader, NoLabelColumn, NoLabels, NoSuchColumn) as error:
        trouble = error
    return FileLook(table.format, table.encoding, table.columns, rows, guess, trouble)

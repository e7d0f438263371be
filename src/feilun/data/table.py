"""A file of any supported format as one thing: columns, and rows streamed with the number a person sees.

Row numbers: in CSV and TSV the physical line a row starts on (so a quoted line break counts), in JSONL the line,
in XLSX the sheet's row, in Parquet the record counted from 1. The header of a CSV, TSV or XLSX file is row 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from feilun.data.errors import AmbiguousColumn, NoSuchColumn

Format = Literal["csv", "tsv", "jsonl", "xlsx", "parquet"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `cells` in the order of the table's columns, or the reason why it cannot be read.

    problem: code of `feilun.data.reasons`, "" when the row is sound. `fields`: what its message needs.
    """

    number: int
    cells: tuple[str, ...] = ()
    problem: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """An opened file. `encoding` is a codec name, or the format's name where bytes are not text.

    delimiter: "" when the format has none.
    """

    path: Path
    name: str
    format: Format
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    read: Callable[[], Iterator[Row]] = field(repr=False)

    def rows(self) -> Iterator[Row]:
        """The rows below the header, one at a time; blank lines are none."""
        return self.read()

    def position(self, column: str) -> int:
        """Where `column` stands.

        Raises:
            NoSuchColumn: it does not; the nearest name is suggested.
            AmbiguousColumn: it stands there twice.
        """
        n_found = self.columns.count(column)
        if n_found == 1:
            return self.columns.index(column)
        if n_found > 1:
            raise AmbiguousColumn(path=self.name, column=column)
        near = nearest(column, self.columns)
        raise NoSuchColumn(
            path=self.name,
            column=column,
            columns=shown(self.columns),
            hint_en=f"Did you mean {near!r}?" if near else "Correct the name in feilun.toml.",
            hint_zh=f"是否想写 {near!r}？" if near else "请在 feilun.toml 中改正列名。",
        )


def nearest(name: str, known: tuple[str, ...]) -> str:
    """The known name most like `name`, ignoring case; "" when none is."""
    folded = {k.casefold(): k for k in reversed(known)}
    found = get_close_matches(name.casefold(), folded, n=1)
    return folded[found[0]] if found else ""


def shown(columns: tuple[str, ...]) -> str:
    """Column names for a message, at most 20; long ones are hidden: without a header they are a person's text."""
    short = [repr(c) if len(c) <= 40 else f"({len(c)} characters)" for c in columns[:20]]
    return ", ".join(short) + (" …" if len(columns) > 20 else "")

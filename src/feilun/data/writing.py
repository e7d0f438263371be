"""Answers beside the rows they belong to, as CSV, TSV, JSONL or XLSX; written aside, then renamed.

CSV and TSV are UTF-8. A byte-order mark, without which Excel garbles Chinese, is written unless the input was a
UTF-8 text file without one: whoever made that reads such files. In CSV, TSV and XLSX a cell that a spreadsheet would
run as a formula gets a leading apostrophe; plain numbers stay as they are, and JSONL is never changed.
"""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from feilun.data.errors import SheetFull, UnknownOutput
from feilun.data.table import Table

ANSWER_COLUMNS = ("prediction", "confidence", "decision")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MAX_SHEET_ROWS = 1_048_576
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

Cells = Sequence[str]
Answer = Sequence[Any]


def write_rows(
    path: Path,
    rows: Iterable[tuple[Cells, Answer]],
    *,
    columns: Sequence[str],
    added: Sequence[str] = ANSWER_COLUMNS,
    like: Table | None = None,
) -> int:
    """Write rows with their answers; `path` appears whole or not at all.

    Args:
        rows: (the row's cells, the values of the added columns) pairs; taken one at a time.
        columns: names of the cells. A column named like an added one is replaced.
        added: names of the added columns.
        like: the input, when there is one; decides about the byte-order mark.
    Returns:
        How many rows were written.
    Raises:
        UnknownOutput: the extension is none of .csv, .tsv, .jsonl, .xlsx.
        SheetFull: more rows than an Excel sheet holds.
    """
    writer = writer_of(path)
    kept = [i for i, column in enumerate(columns) if column not in added]
    header = [*(columns[i] for i in kept), *added]
    counted = _Counted([*(cells[i] if i < len(cells) else "" for i in kept), *answer] for cells, answer in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}{path.suffix}")
    try:
        writer(temporary, header, counted, _wants_bom(like), str(path))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return counted.n


def writer_of(path: Path) -> Callable[[Path, list[str], Iterable[list[Any]], bool, str], None]:
    """What writes the format that the name of `path` asks for; also a way to find out early.

    Raises:
        UnknownOutput: nothing does.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UnknownOutput(path=str(path))
    return writer


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[list[Any]]) -> None:
        self._rows = rows
        self.n = 0

    def __iter__(self) -> Iterator[list[Any]]:
        for row in self._rows:
            self.n += 1
            yield row


def safe_cell(value: Any) -> Any:
    """A cell that no spreadsheet runs: an apostrophe before = + - @ tab or CR, except in plain numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


def plain_cell(cell: str) -> str:
    """What `safe_cell` was given, for files of ours that come back."""
    return cell[1:] if cell.startswith("'") and safe_cell(cell[1:]) != cell[1:] else cell


def _wants_bom(like: Table | None) -> bool:
    return like is None or like.encoding != "utf-8"


def _write_csv(path: Path, header: list[str], rows: Iterable[list[Any]], bom: bool, name: str) -> None:
    _write_delimited(path, header, rows, bom=bom, delimiter=",")


def _write_tsv(path: Path, header: list[str], rows: Iterable[list[Any]], bom: bool, name: str) -> None:
    _write_delimited(path, header, rows, bom=bom, delimiter="\t")


def _write_delimited(path: Path, header: list[str], rows: Iterable[list[Any]], *, bom: bool, delimiter: str) -> None:
    encoding = "utf-8-sig" if bom else "utf-8"
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        _delimit(file, header, rows, delimiter=delimiter)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A small table as CSV in memory, its cells as safe as in a file."""
    file = io.StringIO(newline="")
    _delimit(file, header, rows, delimiter=",")
    return file.getvalue()


def _delimit(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[Any]], *, delimiter: str) -> None:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow([safe_cell(value) for value in header])
    writer.writerows([safe_cell(value) for value in row] for row in rows)


def _write_jsonl(path: Path, header: list[str], rows: Iterable[list[Any]], bom: bool, name: str) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n")


def _write_xlsx(path: Path, header: list[str], rows: Iterable[list[Any]], bom: bool, name: str) -> None:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    def clean(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return safe_cell(ILLEGAL_CHARACTERS_RE.sub(" ", value).encode("utf-8", "replace").decode("utf-8"))

    book = Workbook(write_only=True)
    try:
        sheet = book.create_sheet()
        passing = iter(rows)
        for row in _headed(header, passing):
            sheet.append([clean(value) for value in row])
        if next(passing, None) is not None:
            raise SheetFull(path=name, limit=MAX_SHEET_ROWS)
        book.save(path)
    finally:
        book.close()


def _headed(header: list[Any], rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
    yield header
    yield from islice(rows, MAX_SHEET_ROWS - 1)


WRITERS: dict[str, Callable[[Path, list[str], Iterable[list[Any]], bool, str], None]] = {
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".jsonl": _write_jsonl,
    ".xlsx": _write_xlsx,
}

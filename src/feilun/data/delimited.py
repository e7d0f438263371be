"""CSV and TSV: the delimiter recognised, damaged rows told apart from sound ones, lines streamed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO, TextIOWrapper
from pathlib import Path

from feilun.data.encoding import MARK_ERRORS, recognise
from feilun.data.errors import EmptyFile, FileBroken
from feilun.data.table import Format, Row, Table

DELIMITERS = (",", "\t", ";", "|")
SAMPLE_CHARS = 64 * 1024
MAX_LINE_CHARS = 10_000_000
# A quoted cell may span so many lines; past that, its quotation mark was a mistake.
MAX_LINES = 1000


def open_delimited(path: Path, *, name: str, encoding: str = "") -> Table:
    """A CSV or TSV file; see `feilun.data.table.open_table`."""
    codec = recognise(path, name=name, declared=encoding)
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_CHARS))
    with _open(path, codec) as file:
        first = file.readline(SAMPLE_CHARS).lstrip("\ufeff")
        declared = _sep_line(first)
        sample = "" if declared else first
        sample += file.read(SAMPLE_CHARS)
    n_skipped = 1 if declared else 0
    delimiter = declared or _delimiter(sample)
    header = next((cells for _, cells in _records(StringIO(sample, newline=""), delimiter) if cells != []), [])
    if header is None:
        raise FileBroken(path=name, format=f"CSV with {delimiter!r}", cause="quotation marks in the header")
    if not header:
        raise EmptyFile(path=name)
    columns = tuple(cell.strip() for cell in header)

    def read() -> Iterator[Row]:
        return _rows(path, codec=codec, delimiter=delimiter, n_columns=len(columns), n_skipped=n_skipped)

    kind: Format = "tsv" if delimiter == "\t" else "csv"
    return Table(path=path, name=name, format=kind, encoding=codec, delimiter=delimiter, columns=columns, read=read)


def _open(path: Path, codec: str) -> TextIOWrapper:
    return path.open(encoding=codec, errors=MARK_ERRORS, newline="")


def _sep_line(line: str) -> str:
    """The delimiter of Excel's own first line "sep=;", else ""."""
    bare = line.strip("\r\n")
    return bare[4:] if bare.lower().startswith("sep=") and len(bare) == 5 else ""


def _delimiter(sample: str) -> str:
    """The candidate under which most rows have as many cells as the header, then the one with most columns."""
    whole = sample[: sample.rfind("\n") + 1] or sample  # the last line may be cut
    scores: dict[str, tuple[bool, float, int]] = {}
    for candidate in DELIMITERS:
        widths = [len(cells) for _, cells in _records(StringIO(whole, newline=""), candidate) if cells]
        if widths:
            fitting = sum(width == widths[0] for width in widths) / len(widths)
            scores[candidate] = (widths[0] > 1, fitting, widths[0])
    return max(scores, key=lambda candidate: scores[candidate], default=",")


class _Feed:
    """Lines for `csv.reader` that remembers those of the record under way, to put them back after a mistake."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: list[str] = []
        self.taken: list[str] = []
        self.n_done = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_LINES:
            raise csv.Error("a quoted cell without an end")
        line = self._again.pop() if self._again else next(self._lines)
        self.taken.append(line)
        return line

    def start_record(self) -> int:
        """The number of the line that comes next; what was taken is done with."""
        self.n_done += len(self.taken)
        self.taken.clear()
        return self.n_done + 1

    def keep_first_only(self) -> None:
        """Give all but the first taken line back."""
        self._again.extend(reversed(self.taken[1:]))
        del self.taken[1:]


def _records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """(line number, cells) of each record; cells are None where quotation marks are broken.

    After a broken record, reading goes on at the next physical line, so that one mistake costs one line. With tabs
    between the cells the line is taken as it is: many programs write TSV without any quoting.
    """
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        number = feed.start_record()
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error:
            feed.keep_first_only()
            yield number, feed.taken[0].rstrip("\r\n").split("\t") if delimiter == "\t" and feed.taken else None


def _rows(path: Path, *, codec: str, delimiter: str, n_columns: int, n_skipped: int) -> Iterator[Row]:
    with _open(path, codec) as file:
        for _ in range(n_skipped):
            file.readline()
        lines = iter(lambda: file.readline(MAX_LINE_CHARS), "")
        records = _records(lines, delimiter)
        for _, header in records:
            if header:
                break
        for number, cells in records:
            row = _row(number + n_skipped, cells, n_columns)
            if row is not None:
                yield row


def _row(number: int, cells: list[str] | None, n_columns: int) -> Row | None:
    if cells is None:
        return Row(number, problem="quotes")
    if not cells:
        return None  # a blank line
    if len(cells) > n_columns and not any(cells[n_columns:]):
        del cells[n_columns:]  # delimiters at the line's end, as spreadsheets leave them
    if len(cells) != n_columns:
        return Row(number, tuple(cells), problem="ragged", fields={"found": len(cells), "expected": n_columns})
    return Row(number, tuple(cells))

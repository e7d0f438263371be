"""XLSX (openpyxl, streamed) and Parquet (pyarrow, the extra `parquet`), guarded against files that explode."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from feilun.data.errors import EmptyFile, FileBroken, NoSuchSheet, TooBig
from feilun.data.jsonl import cell
from feilun.data.table import Row, Table
from feilun.errors import ExtraMissing

MAX_UNPACKED = 1 << 30
MAX_RATIO = 100
# Small members may compress a hundredfold without harm (a blank style sheet); bombs are large.
RATIO_FROM = 16 << 20
CHUNK = 1000
# What openpyxl and zipfile raise on files that are damaged inside, encrypted, or packed in ways zipfile cannot.
BROKEN = (
    zipfile.BadZipFile,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    zlib.error,
    RuntimeError,
    OSError,
)


def check_unpacked(path: Path, *, name: str) -> None:
    """Refuse a ZIP whose members declare too much; zipfile never unpacks more than is declared.

    Raises:
        TooBig: over 1 GiB in all, or a large member packed more than a hundredfold.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    total = sum(member.file_size for member in members)
    ratios = [m.file_size / max(m.compress_size, 1) for m in members if m.file_size > RATIO_FROM]
    worst = max(ratios, default=0.0)
    if total > MAX_UNPACKED or worst > MAX_RATIO:
        ratio = worst or total / max(path.stat().st_size, 1)
        raise TooBig(path=name, size_mb=total >> 20, ratio=round(ratio), limit_mb=MAX_UNPACKED >> 20)


def open_xlsx(path: Path, *, name: str, sheet: str = "") -> Table:
    """An Excel file; see `feilun.data.table.open_table`. Formulas count with the value stored beside them."""
    try:
        check_unpacked(path, name=name)
        with path.open("rb") as file, closing(_workbook(file)) as book:
            names = [s.title for s in book.worksheets]
        if not names or (sheet and sheet not in names):
            raise NoSuchSheet(path=name, sheet=sheet, sheets=", ".join(names))
        chosen = sheet or names[0]
        header = next((cells for _, cells in _sheet_rows(path, chosen) if any(cells)), None)
    except BROKEN as error:
        raise FileBroken(path=name, format="XLSX", cause=_cause(error)) from error
    if header is None:
        raise EmptyFile(path=name)
    n_columns = max(i for i, value in enumerate(header) if value.strip()) + 1
    columns = tuple(value.strip() for value in header[:n_columns])

    def read() -> Iterator[Row]:
        try:
            rows = _sheet_rows(path, chosen)
            next(cells for _, cells in rows if any(cells))
            for number, cells in rows:
                if any(cells):
                    yield _row(number, cells, n_columns)
        except BROKEN as error:
            raise FileBroken(path=name, format="XLSX", cause=_cause(error)) from error

    return Table(path=path, name=name, format="xlsx", encoding="xlsx", delimiter="", columns=columns, read=read)


def _row(number: int, cells: list[str], n_columns: int) -> Row:
    extra = [i for i, value in enumerate(cells) if value.strip() and i >= n_columns]
    if extra:
        return Row(number, tuple(cells), problem="ragged", fields={"found": extra[-1] + 1, "expected": n_columns})
    return Row(number, tuple((cells + [""] * n_columns)[:n_columns]))


def _workbook(file: IO[bytes]) -> Any:
    """Given a file, not a path: openpyxl refuses names that do not end in .xlsx."""
    from openpyxl import load_workbook

    with warnings.catch_warnings():  # openpyxl warns of styles and extensions, which do not matter to text
        warnings.simplefilter("ignore")
        return load_workbook(file, read_only=True, data_only=True, keep_links=False)


def _sheet_rows(path: Path, sheet: str) -> Iterator[tuple[int, list[str]]]:
    with path.open("rb") as file, closing(_workbook(file)) as book:
        page = book[sheet]
        page.reset_dimensions()  # the declared size is often wrong
        rows = enumerate(page.iter_rows(values_only=True), start=1)
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                chunk = list(islice(rows, CHUNK))
            if not chunk:
                return
            for number, values in chunk:
                yield number, [_cell(value) for value in values]


def _cell(value: Any) -> str:
    """A cell as text; Excel writes control characters, such as the CR of a line break, as _x000D_."""
    from openpyxl.utils.escape import unescape

    if isinstance(value, str):
        return unescape(value) if "_x" in value else value
    return cell(value, "|")


def open_parquet(path: Path, *, name: str, separator: str = "|") -> Table:
    """A Parquet file; see `feilun.data.table.open_table`.

    Raises:
        ExtraMissing: pyarrow is not installed.
        TooBig: a row group would unpack to over 1 GiB.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExtraMissing(feature="Parquet", package="pyarrow", extra="parquet") from error
    try:
        with pq.ParquetFile(path) as file:
            columns = tuple(file.schema_arrow.names)
            meta = file.metadata
            largest = max((meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)), default=0)
    except (OSError, ValueError) as error:  # pyarrow's errors are both
        raise FileBroken(path=name, format="Parquet", cause=_cause(error)) from error
    if largest > MAX_UNPACKED:
        ratio = round(largest / max(path.stat().st_size, 1))
        raise TooBig(path=name, size_mb=largest >> 20, ratio=ratio, limit_mb=MAX_UNPACKED >> 20)

    def read() -> Iterator[Row]:
        number = 0
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=CHUNK):
                    for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        number += 1
                        yield Row(number, tuple(cell(value, separator) for value in values))
        except (OSError, ValueError) as error:
            raise FileBroken(path=name, format="Parquet", cause=_cause(error)) from error

    return Table(path=path, name=name, format="parquet", encoding="parquet", delimiter="", columns=columns, read=read)


def _cause(error: BaseException) -> str:
    """The kind of damage in a few words; never a cell's text."""
    return type(error).__name__

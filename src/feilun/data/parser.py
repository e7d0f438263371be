"""The program that reads XLSX and Parquet in a process of its own: `python -P parser.py PATH OPTIONS`.

A stranger's file is parsed here and nowhere else, because the parsers unpack and hold whatever they are told to: with a
ceiling on memory, processor time and files, and without a way to run or to call anything. It starts for every file, so
it imports nothing of ours. `feilun.data.foreign` starts it and reads its answers, one JSON value a line: what the
columns are, then each row, then how many there were; or, instead of any of them, one object that says what is wrong.
"""

from __future__ import annotations

import json
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError

MEMORY_BYTES = 1 << 30  # of addresses: a million messages of a hundred characters in one sheet need half
PROCESSOR_S = 300  # a sheet of a million rows takes one
MAX_MEMBERS = 10_000
MAX_UNPACKED = 1 << 30
MAX_RATIO = 100
# Small members may compress a hundredfold without harm (a blank style sheet); bombs are large.
RATIO_FROM = 16 << 20
MAX_SHEET_ROWS, MAX_SHEET_COLUMNS = 1 << 20, 1 << 14  # Excel's own bounds
# A row can claim Excel's last column in a few bytes, and Parquet keeps a million equal rows in a hundred: beyond these,
# a cell must weigh the four bytes of <c/>, and a row one byte.
FREE_CELLS, CELL_BYTES, FREE_ROWS = 2_000_000, 4, 100_000
CHUNK = 100  # rows held at a time; each may claim 16,384 cells
# What openpyxl, zipfile and pyarrow raise on files that are damaged, encrypted, or packed in ways zipfile cannot.
BROKEN = (
    zipfile.BadZipFile,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    OSError,
)
NO_BUSINESS = ("pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.")


class Refused(Exception):
    """The file is not read; `kind` and the fields are what the parent makes its error from."""

    def __init__(self, kind: str, **fields: Any) -> None:
        super().__init__(kind)
        self.kind, self.fields = kind, fields


def main(path: Path, options: dict[str, Any]) -> None:
    """Read `path` and write what is in it to standard output."""
    _confine()
    try:
        for line in _answers(path, options):
            sys.stdout.write(json.dumps(line) + "\n")
    except Refused as refusal:
        sys.stdout.write(json.dumps({"refused": refusal.kind} | refusal.fields) + "\n")
    except MemoryError:
        sys.stdout.write(json.dumps({"refused": "limit", "what": "memory"}) + "\n")
    except BROKEN as error:  # the kind of damage in a word; never a cell's text
        sys.stdout.write(json.dumps({"refused": "broken", "cause": type(error).__name__}) + "\n")
    sys.stdout.flush()


def _confine() -> None:
    """Ceilings where the system has them, and an end to everything that is not parsing."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":  # others refuse it, or do not count as Linux does
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sys.addaudithook(_refuse_business)


def _refuse_business(event: str, _: tuple[Any, ...]) -> None:
    if event.startswith(NO_BUSINESS):
        raise Refused("broken", cause=event)


def _answers(path: Path, options: dict[str, Any]) -> Iterator[Any]:
    rows = _parquet(path, options) if options["kind"] == "parquet" else _xlsx(path, options)
    yield next(rows)
    n_rows = 0
    for row in () if options["header_only"] else rows:
        n_rows += 1
        yield row
    yield {"n_rows": n_rows}


# ------------------------------------------------------------------------------------------------------------- xlsx


def check_unpacked(path: Path) -> int:
    """How much an Excel file unpacks to, in bytes; refuses too much. zipfile never unpacks more than is declared."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = {member.filename for member in members}
    if "xl/workbook.xml" not in names:
        raise Refused("stranger", what="xlsb" if "xl/workbook.bin" in names else "zip")
    if len(members) > MAX_MEMBERS:
        raise Refused("limit", what="members")
    total = sum(member.file_size for member in members)
    ratios = [m.file_size / max(m.compress_size, 1) for m in members if m.file_size > RATIO_FROM]
    worst = max(ratios, default=0.0)
    if total > MAX_UNPACKED or worst > MAX_RATIO:
        raise _too_big(total, worst or total / max(path.stat().st_size, 1))
    return total


def _too_big(n_bytes: int, ratio: float) -> Refused:
    return Refused("too_big", size_mb=n_bytes >> 20, ratio=round(ratio), limit_mb=MAX_UNPACKED >> 20)


def _xlsx(path: Path, options: dict[str, Any]) -> Iterator[Any]:
    """The columns of a sheet, then its rows: [number, cells], and the number of cells where a row has too many."""
    max_cells = max(FREE_CELLS, check_unpacked(path) // CELL_BYTES)
    with path.open("rb") as file, closing(_workbook(file)) as book:
        names = [sheet.title for sheet in book.worksheets]
        wanted = options["sheet"]
        if not names or (wanted and wanted not in names):
            raise Refused("no_sheet", sheets=", ".join(names))
        rows = _sheet_rows(book[wanted or names[0]], max_cells=max_cells)
        header = next((cells for _, cells in rows if any(cells)), None)
        if header is None:
            raise Refused("empty")
        n_columns = max(i for i, value in enumerate(header) if value.strip()) + 1
        yield [value.strip() for value in header[:n_columns]]
        for number, cells in rows:
            if any(cells):
                yield _row(number, cells, n_columns)


def _row(number: int, cells: list[str], n_columns: int) -> list[Any]:
    extra = [i for i, value in enumerate(cells) if value.strip() and i >= n_columns]
    if extra:
        return [number, cells, extra[-1] + 1]
    return [number, (cells + [""] * n_columns)[:n_columns]]


def _workbook(file: IO[bytes]) -> Any:
    """Given a file, not a path: openpyxl refuses names that do not end in .xlsx."""
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # it would only cost openpyxl half its start
    from openpyxl import load_workbook

    with warnings.catch_warnings():  # openpyxl warns of styles and extensions, which do not matter to text
        warnings.simplefilter("ignore")
        return load_workbook(file, read_only=True, data_only=True, keep_links=False)


def _sheet_rows(page: Any, *, max_cells: int) -> Iterator[tuple[int, list[str]]]:
    page.reset_dimensions()  # the declared size is often wrong
    rows, n_cells = enumerate(page.iter_rows(values_only=True), start=1), 0
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chunk = list(islice(rows, CHUNK))
        if not chunk:
            return
        for number, values in chunk:
            n_cells += len(values)
            if number > MAX_SHEET_ROWS or len(values) > MAX_SHEET_COLUMNS or n_cells > max_cells:
                raise Refused("limit", what="cells")
            yield number, [_sheet_cell(value) for value in values]


def _sheet_cell(value: Any) -> str:
    """A cell as text; Excel writes control characters, such as the CR of a line break, as _x000D_."""
    from openpyxl.utils.escape import unescape

    if isinstance(value, str):
        return unescape(value) if "_x" in value else value
    return cell(value, "|")


# ---------------------------------------------------------------------------------------------------------- parquet


def _parquet(path: Path, options: dict[str, Any]) -> Iterator[Any]:
    """The columns of a Parquet file, then its rows: [number, cells]."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, arrow_extensions_enabled=False) as file:
        meta, size = file.metadata, path.stat().st_size
        largest = max((meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)), default=0)
        if largest > MAX_UNPACKED:
            raise _too_big(largest, largest / max(size, 1))
        yield list(file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=10 * CHUNK, use_threads=False):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                if number > max(FREE_ROWS, size):
                    raise Refused("limit", what="cells")
                yield [number, [cell(value, options["separator"]) for value in values]]


# ------------------------------------------------------------------------------------------------------------ cells


def cell(value: Any, separator: str) -> str:
    """A value as a cell: text as it is, nothing as "", a list of plain values joined, the rest as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))  # spreadsheets keep the class 3 as 3.0
    if isinstance(value, dict | list | tuple):
        if not isinstance(value, dict) and all(isinstance(item, str | int) for item in value):
            return separator.join(str(item) for item in value)
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))

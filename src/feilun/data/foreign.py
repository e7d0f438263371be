"""XLSX and Parquet as tables: parsed by a process of its own, with limits, which hands the rows over one by one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from feilun.data import parser
from feilun.data.errors import EmptyFile, FileBroken, NoSuchSheet, TooBig, TooMuch, UnknownFormat
from feilun.data.table import Row, Table
from feilun.errors import ExtraMissing, FeilunError

Kind = Literal["xlsx", "parquet"]
NAMES: dict[Kind, str] = {"xlsx": "XLSX", "parquet": "Parquet"}
STRANGERS = {
    "xlsb": ("a binary Excel file (.xlsb)", "二进制 Excel 文件（.xlsb）"),
    "zip": ("a ZIP archive, or an office document that is not XLSX", " ZIP 压缩包，或不是 XLSX 的办公文档"),
}
MAX_ANSWER_BYTES = 256 << 20  # one row; a cell of Excel holds 32,767 characters, a row of Parquet what memory holds
# One thread each; Arrow's other pools reserve addresses that nothing needs; lxml and defusedxml, where somebody has
# them, would read with other rules than those that are tested.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OPENPYXL_LXML": "False",
    "OPENPYXL_DEFUSEDXML": "False",
    "PYTHONUTF8": "1",
}


def open_foreign(path: Path, *, kind: Kind, name: str, sheet: str = "", separator: str = "|") -> Table:
    """An Excel or Parquet file; see `feilun.data.table.open_table`.

    The parser may take 1 GiB of memory and 300 s of processor time; not of the clock, since it waits for whoever reads
    its rows. Formulas in Excel count with the value stored beside them.

    Raises:
        EmptyFile, FileBroken, NoSuchSheet, TooBig, TooMuch, UnknownFormat: and the rows may raise them too.
        ExtraMissing: pyarrow is not installed.
    """
    if kind == "parquet" and find_spec("pyarrow") is None:
        raise ExtraMissing(feature="Parquet", package="pyarrow", extra="parquet")
    options = {"kind": kind, "sheet": sheet, "separator": separator}

    def read() -> Iterator[Row]:
        with _answers(path, name, options | {"header_only": False}) as answers:
            expected = len(next(answers))
            for number, cells, *found in answers:
                fields = {"found": found[0], "expected": expected} if found else {}
                yield Row(number, tuple(cells), problem="ragged" if found else "", fields=fields)

    with _answers(path, name, options | {"header_only": True}) as answers:
        columns = tuple(next(answers))
    return Table(path=path, name=name, format=kind, encoding=kind, delimiter="", columns=columns, read=read)


@contextmanager
def _answers(path: Path, name: str, options: dict[str, Any]) -> Iterator[Iterator[Any]]:
    """What the parser says, line by line; it ends when it has no more reader."""
    command = [sys.executable, "-P", parser.__file__, str(path.absolute()), json.dumps(options)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | ENVIRONMENT,
    )
    assert process.stdout is not None
    try:
        yield _listen(process, name, options)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _listen(process: subprocess.Popen[bytes], name: str, options: dict[str, Any]) -> Iterator[Any]:
    assert process.stdout is not None
    while (line := process.stdout.readline(MAX_ANSWER_BYTES)).endswith(b"\n"):
        answer = json.loads(line)
        if isinstance(answer, dict):
            if "refused" in answer:
                raise _error(answer, name, options)
            return
        yield answer
    if line and process.poll() is None:
        raise TooMuch(path=name, what="cells")
    raise _death(process.wait(), name, options)


def _error(answer: dict[str, Any], name: str, options: dict[str, Any]) -> FeilunError:
    fields = {key: value for key, value in answer.items() if key != "refused"}
    match answer["refused"]:
        case "stranger":
            found_en, found_zh = STRANGERS[fields["what"]]
            return UnknownFormat(path=name, found_en=found_en, found_zh=found_zh)
        case "too_big":
            return TooBig(path=name, **fields)
        case "limit":
            return TooMuch(path=name, **fields)
        case "no_sheet":
            return NoSuchSheet(path=name, sheet=options["sheet"], **fields)
        case "empty":
            return EmptyFile(path=name)
        case _:
            return FileBroken(path=name, format=NAMES[options["kind"]], **fields)


def _death(status: int, name: str, options: dict[str, Any]) -> FeilunError:
    """Why the parser ended without a word."""
    if status == -getattr(signal, "SIGXCPU", 0):
        return TooMuch(path=name, what="time")
    if status == -getattr(signal, "SIGKILL", 0):  # by the system, when the machine's memory is gone
        return TooMuch(path=name, what="memory")
    return FileBroken(path=name, format=NAMES[options["kind"]], cause=f"parser ended with {status}")

"""JSONL: one object a line. Columns are the keys of the first objects; nested values stay JSON in the cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from feilun.data.delimited import MAX_LINE_CHARS
from feilun.data.encoding import MARK_ERRORS, recognise
from feilun.data.errors import EmptyFile
from feilun.data.parser import cell
from feilun.data.table import Row, Table

N_PEEKED = 200


def open_jsonl(path: Path, *, name: str, encoding: str = "", separator: str = "|") -> Table:
    """A JSONL file; see `feilun.data.table.open_table`. Keys that first appear after 200 objects are not read."""
    codec = recognise(path, name=name, declared=encoding)
    peeked = [value for _, value in islice(_objects(path, codec), N_PEEKED) if value is not None]
    columns = tuple(dict.fromkeys(key for value in peeked for key in value))
    if not columns:
        raise EmptyFile(path=name)

    def read() -> Iterator[Row]:
        for number, value in _objects(path, codec):
            if value is None:
                yield Row(number, problem="json")
            else:
                yield Row(number, tuple(cell(value.get(column), separator) for column in columns))

    return Table(path=path, name=name, format="jsonl", encoding=codec, delimiter="", columns=columns, read=read)


def _objects(path: Path, codec: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    with path.open(encoding=codec, errors=MARK_ERRORS) as file:
        number = 0
        while line := file.readline(MAX_LINE_CHARS):
            number += 1
            line = line.lstrip("\ufeff") if number == 1 else line
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            yield number, value if isinstance(value, dict) else None

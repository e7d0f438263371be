"""Rows become examples; rows that cannot be used are set aside with their number and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feilun.config import FeilunSettings, SourceSettings
from feilun.data.encoding import MARK
from feilun.data.reading import open_table
from feilun.data.reasons import set_aside
from feilun.data.table import Row, Table
from feilun.records import Example, SetAside
from feilun.tasks import Task, example_id


def reference(example: Example) -> str:
    """How a person finds the row: "file:row", or the source alone when no row is known."""
    return example.source if example.row is None else f"{example.source}:{example.row}"


@dataclass
class Collected:
    """What the files held. `n_rows` counts every row, bad ones too; labels are targets or None."""

    n_rows: int = 0
    examples: list[Example] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)


def collect(folder: Path, sources: Sequence[SourceSettings], settings: FeilunSettings, *, task: Task) -> Collected:
    """Read every row of `sources`, whose paths are relative to `folder`."""
    found = Collected()
    for source in sources:
        table = open_table(
            folder / source.path,
            name=source.path,
            encoding=source.encoding,
            sheet=source.sheet,
            separator=settings.task.label_separator,
            folder=folder,
        )
        found.encodings[source.path] = table.encoding
        _read(table, source, settings, task=task, found=found)
    return found


def _read(table: Table, source: SourceSettings, settings: FeilunSettings, *, task: Task, found: Collected) -> None:
    text_at, label_at = table.position(source.text), table.position(source.label)
    limit = settings.data.max_chars
    for row in table.rows():
        found.n_rows += 1
        problem, fields = _problem(row, text_at, label_at, limit=limit, encoding=table.encoding)
        if problem:
            found.aside.append(set_aside(problem, source=source.path, row=row.number, **fields))
            continue
        inputs = task.inputs_from(row.cells[text_at].strip())
        found.examples.append(
            Example(
                example_id=example_id(task.text_of(inputs)),
                inputs=inputs,
                target=task.parse_target(row.cells[label_at]),
                source=source.path,
                row=row.number,
            )
        )


def _problem(row: Row, text_at: int, label_at: int, *, limit: int, encoding: str) -> tuple[str, dict[str, Any]]:
    """Reason code and fields of what is wrong with a row; ("", {}) when it is sound."""
    if row.problem:
        return row.problem, row.fields
    text, label = row.cells[text_at], row.cells[label_at]
    if "\0" in text or "\0" in label:
        return "nul", {}
    if not (text.isascii() and label.isascii()) and (has_surrogate(text) or has_surrogate(label)):
        return "undecodable", {"encoding": encoding}
    if is_blank(text):
        return "empty", {}
    n_chars = len(text.strip())
    if n_chars > limit:
        return "too_long", {"n_chars": n_chars, "limit": limit}
    return "", {}


def is_blank(text: str) -> bool:
    """Whether nothing can be seen: white space, zero-width and control characters only."""
    return not any(c.isprintable() for c in text.strip())


def has_surrogate(text: str) -> bool:
    """Whether the text holds half a character: a mark of undecodable bytes, or a lone \\ud83d from JSON."""
    if MARK in text:
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False

"""The messages of a file that has no labels yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feilun.data.columns import guess_text
from feilun.data.errors import AllRowsBad
from feilun.data.inspection import Language, survey_of
from feilun.data.predicting import unanswerable
from feilun.data.reading import open_table
from feilun.data.reasons import set_aside
from feilun.tasks import example_id


@dataclass(frozen=True)
class FoundMessages:
    """The different messages of a file, in its order; n_set_aside rows hold none that can be used."""

    texts: tuple[str, ...]
    n_set_aside: int
    language: Language
    column: str


def inspect_messages(path: Path, *, text: str | None = None, max_chars: int = 4000) -> FoundMessages:
    """Read the messages of a file, the same one once.

    Args:
        text: the column; None means: guess.
    Raises:
        FeilunError: what `open_table` raises; EmptyFile, NoSuchColumn, CannotTellColumns, NoHeader.
        AllRowsBad: not one row has a usable message.
    """
    table = open_table(path, name=str(path))
    survey = survey_of(table)
    column = guess_text(table, survey.stats, text=text)
    at, bad, texts = table.position(column), [], dict[str, str]()
    for row in table.rows():
        problem = unanswerable(row, at)
        if not problem and len(row.cells[at].strip()) > max_chars:
            problem = "too_long"
        if problem:
            bad.append((row, problem))
            continue
        cell = row.cells[at].strip()
        texts.setdefault(example_id(cell), cell)
    if not texts:
        row, problem = bad[0]
        fields = row.fields or {"encoding": table.encoding, "n_chars": max_chars, "limit": max_chars}
        first = set_aside(problem, source=table.name, row=row.number, **fields)
        raise AllRowsBad(
            n_rows=survey.n_rows, paths=table.name, reasons_en=first.en, reasons_zh=first.zh, column=column
        )
    return FoundMessages(tuple(texts.values()), len(bad), survey.scripts[column].language(), column)

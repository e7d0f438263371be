"""Files that are answered, and files of corrections: rows in, rows out, in order, none lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from feilun.data.collect import has_surrogate, is_blank
from feilun.data.errors import BadRows, NoLabels
from feilun.data.reading import open_table
from feilun.data.reasons import set_aside
from feilun.data.table import Row, Table
from feilun.data.writing import ANSWER_COLUMNS, plain_cell, write_rows
from feilun.records import Answer

SET_ASIDE = "set_aside"
N_BAD_SHOWN = 5


def predict_rows(
    path: Path,
    *,
    out: Path,
    text_column: str,
    answer: Callable[[Sequence[str]], Sequence[Answer]],
    chunk: int = 1024,
    encoding: str = "",
    sheet: str = "",
) -> dict[str, int]:
    """Answer every row of a file and write them with their answers, in order; `out` appears whole or not at all.

    A row that cannot be answered is written too: without prediction, its decision "set_aside:" and the reason's code.

    Args:
        text_column: the column with the messages; a file with one column needs no name.
        answer: the model; called with at most `chunk` messages.
    Returns:
        n_rows, n_answered, n_handed_over and n_set_aside.
    Raises:
        FeilunError: what `open_table` and `write_rows` raise; NoSuchColumn, AmbiguousColumn.
    """
    table = open_table(path, name=str(path), encoding=encoding, sheet=sheet)
    text_at = 0 if len(table.columns) == 1 else table.position(text_column)
    decisions: Counter[str] = Counter()

    def answered() -> Iterator[tuple[Sequence[str], Sequence[Any]]]:
        rows = table.rows()
        while batch := list(islice(rows, chunk)):
            problems = [unanswerable(row, text_at) for row in batch]
            texts = [row.cells[text_at].strip() for row, bad in zip(batch, problems, strict=True) if not bad]
            answers = iter(answer(texts) if texts else ())
            for row, bad in zip(batch, problems, strict=True):
                values = ("", "", f"{SET_ASIDE}:{bad}") if bad else _values(next(answers))
                decisions[SET_ASIDE if bad else str(values[2])] += 1
                yield row.cells, values

    n_rows = write_rows(out, answered(), columns=table.columns, added=ANSWER_COLUMNS, like=table)
    return {
        "n_rows": n_rows,
        "n_answered": decisions["answer"],
        "n_handed_over": decisions["hand_over"],
        "n_set_aside": decisions[SET_ASIDE],
    }


def read_labelled(
    path: Path, *, text: str, label: str, encoding: str = "", sheet: str = "", separator: str = "|"
) -> list[tuple[str, str]]:
    """The (message, label cell) pairs of a file of corrections; rows without a label say nothing and are passed over.

    The whole file is read before anything is returned: a file with damaged rows is refused, not half taken.

    Raises:
        FeilunError: what `open_table` raises; NoSuchColumn, AmbiguousColumn.
        BadRows: rows that cannot be read; all are counted, the first few named.
        NoLabels: not one row has a label.
    """
    table = open_table(path, name=str(path), encoding=encoding, sheet=sheet, separator=separator)
    text_at, label_at = table.position(text), table.position(label)
    pairs, bad, n_rows = [], [], 0
    for row in table.rows():
        n_rows += 1
        labelled = not row.problem and bool(row.cells[label_at].strip())
        problem = unanswerable(row, text_at) or (labelled and unanswerable(row, label_at)) or ""
        if problem and (labelled or row.problem):
            bad.append((row, problem))
        elif labelled:
            pairs.append((plain_cell(row.cells[text_at].strip()), plain_cell(row.cells[label_at].strip())))
    if bad:
        raise _bad_rows(table, bad)
    if not pairs:
        raise NoLabels(n_rows=n_rows, paths=str(path), column=label)
    return pairs


def unanswerable(row: Row, at: int) -> str:
    """The code of why the cell cannot be read, "" when it can."""
    if row.problem:
        return row.problem
    cell = row.cells[at]
    if "\0" in cell:
        return "nul"
    if not cell.isascii() and has_surrogate(cell):
        return "undecodable"
    return "empty" if is_blank(cell) else ""


def _values(answer: Answer) -> tuple[str, float, str]:
    return answer.label, round(answer.confidence, 4), answer.decision


def _bad_rows(table: Table, bad: list[tuple[Row, str]]) -> BadRows:
    shown = [
        set_aside(code, source=table.name, row=row.number, **(row.fields or {"encoding": table.encoding}))
        for row, code in bad[:N_BAD_SHOWN]
    ]
    more = [""] if len(bad) > N_BAD_SHOWN else []
    return BadRows(
        path=table.name,
        n_bad=len(bad),
        rows_en="\n".join([f"  row {row.row}: {row.en}" for row in shown] + [m + "  …" for m in more]),
        rows_zh="\n".join([f"  第 {row.row} 行：{row.zh}" for row in shown] + [m + "  ……" for m in more]),
    )

"""A look at a file nobody has described yet: what `feilun init` writes into feilun.toml."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from feilun.config import DataSettings, FeilunSettings, ProjectSettings, SourceSettings, TaskSettings
from feilun.data.columns import ColumnStats, guess_columns
from feilun.data.errors import EmptyFile, NoLabels
from feilun.data.reading import open_table
from feilun.data.table import Table

Language = Literal["en", "zh", "multi"]

OUT_OF_SCOPE = frozenset(
    ("oos", "ood", "out_of_scope", "out-of-scope", "out of scope", "outofscope", "out_of_domain", "超出范围", "范围外")
)
SEPARATORS = ("|", ";", ",", "、", "；", "，", "/")
N_SAMPLES = 5
# Brand names and addresses stand in Chinese messages as well: a fifth of Chinese characters makes one Chinese.
CJK_SHARE = 0.2
# One language is called the file's when nine messages of ten are in it.
ONE_LANGUAGE = 0.9


@dataclass(frozen=True)
class FileGuess:
    """What a file seems to hold. `n_rows` are rows read, `n_bad` unreadable ones among them.

    label_counts: rows by label, single labels when `multi_label`; the most frequent first. samples: the first few
    (text, label cell) pairs. separator, out_of_scope_label: "" when there are none.
    """

    path: Path
    format: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    text: str
    label: str
    n_rows: int
    n_bad: int
    n_unlabelled: int
    label_counts: dict[str, int]
    language: Language
    multi_label: bool
    separator: str
    out_of_scope_label: str
    samples: tuple[tuple[str, str], ...]
    notes_en: tuple[str, ...] = ()
    notes_zh: tuple[str, ...] = ()


def inspect_file(path: Path, *, name: str = "", text: str | None = None, label: str | None = None) -> FileGuess:
    """Read `path` once from end to end and say what it seems to hold.

    Args:
        name: what the user calls the file, for messages.
        text, label: column names where the caller knows them; None means: guess.
    Raises:
        FeilunError: what `open_table` raises; EmptyFile, NoSuchColumn, CannotTellColumns (lists the columns and the
            flags to give), NoHeader; NoLabelColumn, NoLabels (both say how to start without labels).
    """
    table = open_table(path, name=name or str(path))
    survey = survey_of(table)
    text, label = guess_columns(table, survey.stats, text=text, label=label)
    cells = survey.stats[label].values
    separator = _separator(cells)
    counts = _count_labels(cells, separator)
    if not counts:
        raise NoLabels(n_rows=survey.n_rows, paths=table.name, column=label)
    outside = [name for name in counts if name.casefold() in OUT_OF_SCOPE]
    n_unlabelled = survey.n_rows - survey.n_bad - survey.stats[label].n_filled
    guess = FileGuess(
        path=path,
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        columns=table.columns,
        text=text,
        label=label,
        n_rows=survey.n_rows,
        n_bad=survey.n_bad,
        n_unlabelled=n_unlabelled,
        label_counts=counts,
        language=survey.scripts[text].language(),
        multi_label=bool(separator),
        separator=separator,
        out_of_scope_label=outside[0] if outside and not separator else "",
        samples=tuple((row[table.position(text)], row[table.position(label)]) for row in survey.samples),
    )
    en, zh = _notes(guess)
    return FileGuess(**{**guess.__dict__, "notes_en": en, "notes_zh": zh})


def make_settings(
    guess: FileGuess,
    *,
    name: str,
    folder: Path,
    data_path: Path,
    holdout_path: Path | None = None,
    language: str | None = None,
) -> FeilunSettings:
    """The settings of a new project in `folder` on an inspected file.

    Args:
        data_path, holdout_path: the files, from here; in the settings they stand relative to `folder`.
        language: "en", "zh" or "multi"; None means: as guessed.
    Raises:
        FeilunError: the holdout file cannot be read, or its columns cannot be told.
    """
    task: dict[str, object] = {"multi_label": guess.multi_label, "out_of_scope_label": guess.out_of_scope_label}
    if guess.separator:
        task["label_separator"] = guess.separator
    source = SourceSettings(path=_relative(data_path, folder), text=guess.text, label=guess.label)
    holdout = None
    if holdout_path is not None:
        text, label = _holdout_columns(holdout_path, guess)
        holdout = SourceSettings(path=_relative(holdout_path, folder), text=text, label=label)
    return FeilunSettings(
        project=ProjectSettings.model_validate({"name": name, "language": language or guess.language}),
        task=TaskSettings.model_validate(task),
        data=DataSettings(sources=(source,), holdout=holdout),
    )


def _holdout_columns(path: Path, guess: FileGuess) -> tuple[str, str]:
    """The training file's columns where the holdout file has them too, else a guess of its own."""
    columns = open_table(path, name=str(path)).columns
    if guess.text in columns and guess.label in columns:
        return guess.text, guess.label
    own = inspect_file(path)
    return own.text, own.label


def _relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`, with forward slashes; absolute when the two share no more than the root."""
    path, folder = path.resolve(), folder.resolve()
    shared = [a for a, b in zip(path.parts, folder.parts, strict=False) if a == b]
    return Path(os.path.relpath(path, folder)).as_posix() if len(shared) > 1 else path.as_posix()


@dataclass
class Scripts:
    """How many messages are written in what."""

    n_chinese: int = 0
    n_latin: int = 0
    n_other: int = 0

    def add(self, text: str) -> None:
        if text.isascii():
            self.n_latin += any(c.isalpha() for c in text)
            return
        letters = [c for c in text if c.isalpha()]
        n_cjk = sum("\u3400" <= c <= "\u9fff" or "\U00020000" <= c <= "\U0003ffff" for c in letters)
        n_latin = sum(c < "\u0250" for c in letters)
        if (len(letters) - n_cjk - n_latin) * 5 > len(letters):
            self.n_other += 1  # kana, Hangul, Cyrillic, Arabic …
        elif letters and n_cjk >= CJK_SHARE * len(letters):
            self.n_chinese += 1
        elif letters:
            self.n_latin += 1

    def language(self) -> Language:
        total = self.n_chinese + self.n_latin + self.n_other
        if self.n_chinese >= ONE_LANGUAGE * total:
            return "zh" if total else "en"
        return "en" if self.n_latin >= ONE_LANGUAGE * total else "multi"


@dataclass
class Survey:
    """What one pass over a file found, by column."""

    stats: dict[str, ColumnStats]
    scripts: dict[str, Scripts]
    samples: list[tuple[str, ...]]
    n_rows: int = 0
    n_bad: int = 0


def survey_of(table: Table) -> Survey:
    """One pass over a table: what its columns hold. Raises EmptyFile when no row can be read."""
    named = [(i, column) for i, column in enumerate(table.columns) if column and table.columns.count(column) == 1]
    survey = Survey(
        stats={column: ColumnStats() for _, column in named}, scripts={c: Scripts() for _, c in named}, samples=[]
    )
    for row in table.rows():
        survey.n_rows += 1
        if row.problem:
            survey.n_bad += 1
            continue
        if len(survey.samples) < N_SAMPLES:
            survey.samples.append(row.cells)
        for i, column in named:
            survey.stats[column].add(row.cells[i])
            survey.scripts[column].add(row.cells[i])
    if survey.n_rows == survey.n_bad:
        raise EmptyFile(path=table.name)
    return survey


def _separator(cells: Counter[str]) -> str:
    """What separates several labels in a cell; "" when every cell is one label.

    Cells that merely contain the character do not count: the parts must come again, alone or in other company,
    and be fewer than the cells they make up.
    """
    for separator in SEPARATORS:
        joined = [cell for cell in cells if separator in cell.strip(separator)]
        if sum(cells[cell] for cell in joined) < max(2, 0.02 * cells.total()):
            continue
        split = {cell: {part.strip() for part in cell.split(separator) if part.strip()} for cell in cells}
        uses = Counter(part for parts in split.values() for part in parts)
        parts_joined = [part for cell in joined for part in split[cell]]
        n_again = sum(uses[part] > 1 for part in parts_joined)
        if n_again >= 0.8 * len(parts_joined) and len(uses) < len(cells):
            return separator
    return ""


def _count_labels(cells: Counter[str], separator: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for cell, n in cells.items():
        parts = {part.strip() for part in cell.split(separator)} if separator else {cell}
        counts.update(dict.fromkeys(filter(None, parts), n))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _notes(guess: FileGuess) -> tuple[tuple[str, ...], tuple[str, ...]]:
    n_classes = len(guess.label_counts)
    notes = [
        (
            f"{guess.n_rows} rows; text in column {guess.text!r}, label in column {guess.label!r}, "
            f"{n_classes} classes.",
            f"共 {guess.n_rows} 行；文本列为“{guess.text}”，标签列为“{guess.label}”，{n_classes} 个类别。",
        )
    ]
    if guess.encoding not in ("utf-8", "xlsx", "parquet"):
        notes.append((f"The encoding was recognised as {guess.encoding}.", f"识别出的编码为 {guess.encoding}。"))
    if guess.n_bad:
        notes.append(
            (f"{guess.n_bad} rows cannot be read and will be set aside.", f"有 {guess.n_bad} 行无法读取，将被搁置。")
        )
    if guess.n_unlabelled:
        notes.append((f"{guess.n_unlabelled} rows have no label.", f"有 {guess.n_unlabelled} 行没有标签。"))
    if guess.separator:
        notes.append(
            (
                f"Cells hold several labels separated by {guess.separator!r}: multi_label is on.",
                f"单元格中有以“{guess.separator}”分隔的多个标签：已开启 multi_label。",
            )
        )
    if guess.out_of_scope_label:
        notes.append(
            (
                f"Rows labelled {guess.out_of_scope_label!r} count as out of scope.",
                f"标签为“{guess.out_of_scope_label}”的行视为超出范围。",
            )
        )
    rare = [label for label, n in guess.label_counts.items() if n < 4]
    if rare:
        notes.append(
            (f"{len(rare)} classes have fewer than 4 rows.", f"有 {len(rare)} 个类别不足 4 行。"),
        )
    return tuple(en for en, _ in notes), tuple(zh for _, zh in notes)

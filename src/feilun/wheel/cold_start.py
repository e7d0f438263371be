"""From a file without labels to one that `feilun init` takes: groups, a table that a person edits, labels from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feilun.data import Table, inspect_messages, open_table, plain_cell, write_rows
from feilun.feedback import find_groups
from feilun.records import Backbone, LabelledFile, LabelProposal
from feilun.wheel.errors import GroupsDoNotFit, NothingLabelled, TooManyMessages
from feilun.wheel.labelling import refuse_output

MOST_MESSAGES = 100_000
GROUP, LABEL, N_MESSAGES, KEYWORDS, EXAMPLE = "group", "label", "n_messages", "keywords", "example"
TEXT, TYPICAL = "text", "typical"
CORE = 0.5
FALLBACK = {"zh": "分组"}


@dataclass(frozen=True)
class Start:
    """A file that was looked at: its different messages and their language."""

    texts: tuple[str, ...]
    n_set_aside: int
    language: str


def look(path: Path, *, text: str | None, language: str | None, max_chars: int) -> Start:
    """The different messages of a file that has no labels.

    Raises:
        FeilunError: what `inspect_messages` raises.
        TooManyMessages: there are more than can be grouped at once.
    """
    found = inspect_messages(path, text=text, max_chars=max_chars)
    if len(found.texts) > MOST_MESSAGES:
        raise TooManyMessages(path=str(path), n_messages=len(found.texts), most=MOST_MESSAGES)
    return Start(found.texts, found.n_set_aside, language or found.language)


def propose(
    start: Start,
    backbone: Backbone,
    *,
    out: Path,
    n_groups: int | None,
    max_tokens: int,
    threads: int,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> LabelProposal:
    """Group the messages and write two tables: `out`, one row a group, and beside it the messages with their groups.

    Raises:
        FileExists: one of the tables is there already; nothing is done.
        TooFewMessages: there is nothing to find groups in.
    """
    from feilun.models import embedder
    from feilun.models.encode import CHUNK

    beside = messages_path(out)
    refuse_output(out, beside)
    encoder = embedder(backbone, max_tokens=max_tokens, threads=threads)
    embeddings = np.zeros((len(start.texts), encoder.n_hidden), dtype=np.float32)
    for at in range(0, len(start.texts), CHUNK):
        if on_progress is not None:
            on_progress(at, len(start.texts))
        embeddings[at : at + CHUNK] = encoder.run(start.texts[at : at + CHUNK])[0]
    fallback = FALLBACK.get(start.language, "group")
    found = find_groups(start.texts, embeddings, n_groups=n_groups, seed=seed, fallback=fallback)
    examples = [f"{EXAMPLE}_{n}" for n in range(1, max(len(group.examples) for group in found.groups) + 1)]
    write_rows(
        out,
        (
            (
                (),
                (
                    group.number,
                    group.label,
                    group.n_messages,
                    " · ".join(group.keywords),
                    *group.examples,
                    *[""] * (len(examples) - len(group.examples)),
                ),
            )
            for group in found.groups
        ),
        columns=(),
        added=(GROUP, LABEL, N_MESSAGES, KEYWORDS, *examples),
    )
    order = np.lexsort((-found.typicality, found.of))
    write_rows(
        beside,
        (((), (start.texts[i], int(found.of[i]) + 1, round(float(found.typicality[i]), 4))) for i in order),
        columns=(),
        added=(TEXT, GROUP, TYPICAL),
    )
    return LabelProposal(
        groups=found.groups,
        n_messages=len(start.texts),
        n_set_aside=start.n_set_aside,
        language=start.language,
        separation=round(found.separation, 4),
        groups_path=str(out),
        messages_path=str(beside),
    )


def messages_path(groups: Path) -> Path:
    """Where the messages of a table of groups are: groups.csv has groups.messages.csv beside it."""
    return groups.with_name(f"{groups.stem}.messages{groups.suffix}")


def apply(groups: Path, *, out: Path, core: float = CORE) -> LabelledFile:
    """Give every message the label that a person left beside its group; the fringe of a group stays without one.

    The same label on two groups makes them one class; an empty one leaves the group's messages without a label.

    Args:
        core: the share of each group, its most typical messages, that gets the label, in (0, 1].
    Raises:
        FeilunError: a table cannot be read, or a column is missing.
        GroupsDoNotFit: the two tables do not belong together, or a group is named twice.
        NothingLabelled: fewer than two different labels were left.
    """
    named = _names(open_table(groups, name=str(groups)))
    beside = messages_path(groups)
    messages = open_table(beside, name=str(beside))
    rows = _messages(messages, named, groups=groups)
    if len({label for label in named.values() if label}) < 2:
        raise NothingLabelled(path=str(groups), n_labels=len({label for label in named.values() if label}))
    sizes = Counter(group for _, group, _ in rows)
    place: Counter[int] = Counter()
    counts: Counter[str] = Counter()

    def labelled() -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
        for text, group, _ in sorted(rows, key=lambda row: (row[1], -row[2])):
            place[group] += 1
            label = named[group] if place[group] <= max(1, round(core * sizes[group])) else ""
            counts.update([label] if label else [])
            yield (), (text, label)

    n_rows = write_rows(out, labelled(), columns=(), added=(TEXT, LABEL))
    return LabelledFile(
        out=str(out),
        n_rows=n_rows,
        n_labelled=counts.total(),
        class_counts=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
    )


def _names(table: Table) -> dict[int, str]:
    group_at, label_at = table.position(GROUP), table.position(LABEL)
    named: dict[int, str] = {}
    for row in table.rows():
        number = _number(row.cells[group_at]) if not row.problem else None
        if number is None or number in named:
            raise GroupsDoNotFit(
                path=table.name,
                row=row.number,
                cause_en="the group has no number of its own",
                cause_zh="该分组没有唯一的编号",
            )
        named[number] = plain_cell(row.cells[label_at].strip())
    return named


def _messages(table: Table, named: dict[int, str], *, groups: Path) -> list[tuple[str, int, float]]:
    text_at, group_at, typical_at = (table.position(column) for column in (TEXT, GROUP, TYPICAL))
    rows = []
    for row in table.rows():
        number = None if row.problem else _number(row.cells[group_at])
        if number is None or number not in named:
            raise GroupsDoNotFit(
                path=table.name,
                row=row.number,
                cause_en=f"its group does not stand in {groups}",
                cause_zh=f"其分组不在 {groups} 中",
            )
        rows.append((plain_cell(row.cells[text_at]), number, float(row.cells[typical_at] or 0)))
    return rows


def _number(cell: str) -> int | None:
    try:
        return int(float(cell))  # a spreadsheet may have made 3.0 of 3
    except (ValueError, OverflowError):
        return None

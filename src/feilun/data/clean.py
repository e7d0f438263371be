"""Exact duplicates and conflicts: one example a text, with one target, by a rule that is written down.

A correction decides. Without one the target that most rows give wins; when two are equally frequent, nobody can
tell which is right and all rows of the text are set aside. Unlabelled copies of a labelled text are duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from feilun.data.collect import reference
from feilun.data.reasons import set_aside
from feilun.records import Example, SetAside

Target = tuple[str, ...]


@dataclass
class Resolved:
    """`kept`: one example by id. Pairs are references; `n_conflicts` counts texts, not rows."""

    kept: dict[str, Example] = field(default_factory=dict)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    conflicts: list[tuple[str, str]] = field(default_factory=list)
    n_conflicts: int = 0
    aside: list[SetAside] = field(default_factory=list)


def latest(corrections: Iterable[Example]) -> dict[str, Example]:
    """The corrections by example id; where a text was corrected twice, the later one."""
    return {correction.example_id: correction for correction in corrections if correction.target is not None}


def resolve(examples: Iterable[Example], *, decided: Mapping[str, Example]) -> Resolved:
    """One example a text. `decided` are the corrections by id: texts in it are kept there, not here."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.example_id, []).append(example)
    result = Resolved()
    for example_id, rows in groups.items():
        if example_id in decided:
            _follow(decided[example_id], rows, result)
        elif len(rows) == 1:
            result.kept[example_id] = rows[0]
        else:
            _settle(example_id, rows, result)
    return result


def _follow(correction: Example, rows: Sequence[Example], result: Resolved) -> None:
    for row in rows:
        if row.target in (None, correction.target):
            result.duplicates.append((reference(correction), reference(row)))
        else:
            result.aside.append(_aside("corrected", row))


def _settle(example_id: str, rows: Sequence[Example], result: Resolved) -> None:
    votes = Counter(row.target for row in rows if row.target is not None)
    ranked = votes.most_common(2)
    if len(votes) > 1:
        result.n_conflicts += 1
        result.conflicts.extend(_disagreements(rows))
    if len(votes) > 1 and ranked[0][1] == ranked[1][1]:
        result.aside.extend(_aside("conflict", row) for row in rows)
        return
    winner = ranked[0][0] if ranked else None
    winners = [row for row in rows if row.target == winner]
    # Not the first row but the first text: the dataset must not depend on the order of rows.
    kept = min(winners, key=lambda row: (str(row.inputs), row.source, row.row or 0))
    result.kept[example_id] = kept
    for row in rows:
        if row is kept:
            continue
        if row.target in (None, winner):
            result.duplicates.append((reference(kept), reference(row)))
        else:
            result.aside.append(_aside("outvoted", row))


def _disagreements(rows: Sequence[Example]) -> list[tuple[str, str]]:
    """The first row of the text with the first row of each other target."""
    firsts: dict[Target, Example] = {}
    for row in rows:
        if row.target is not None:
            firsts.setdefault(row.target, row)
    first, *others = firsts.values()
    return [(reference(first), reference(other)) for other in others]


def _aside(reason: str, row: Example) -> SetAside:
    return set_aside(reason, source=row.source, row=row.row or 0)

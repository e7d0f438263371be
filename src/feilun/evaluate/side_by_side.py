"""Two models on the messages that both were judged on: how many the new one fixes and breaks, and which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from feilun.evaluate.arrays import align
from feilun.evaluate.classes import NOTHING
from feilun.evaluate.errors import NothingInCommon, OtherTask
from feilun.evaluate.examples import Judged
from feilun.evaluate.intervals import wilson
from feilun.evaluate.paired import compare
from feilun.records import Answer, Comparison, Example, Interval, Record, Standing

Flip = Literal["fixed", "broken", "changed"]


class ComparedModel(Record):
    """One of the two. `n_examples` counts its own held-out messages; size and latency are None where not recorded."""

    model_id: str
    accuracy: Interval
    n_examples: int
    size_mb: float | None
    p50_ms: float | None


class ClassChange(Record):
    """One label on the common messages: how many carry it, how often each model gave it to them, and to others."""

    label: str
    n_examples: int
    n_right_old: int
    n_right_new: int
    n_false_old: int
    n_false_new: int


class FlippedRow(Record):
    """A held-out message to which the two say different things; `row` is its place in the file, where that is known.

    kind: "fixed" only the new one is right, "broken" only the old one was, "changed" neither, each in its own way.
    """

    kind: Flip
    example_id: str
    text: str
    gold: tuple[str, ...]
    old: Answer
    new: Answer
    source: str
    row: int | None


class ModelComparison(Record):
    """Two models side by side, and some of the messages on which they part.

    test: the gate's own test, with the old model in the champion's place, on `test.n_rows` messages in scope.
    verdict: what the gate makes of it. n_changed: both wrong, differently; n_wrong_alike: both wrong in the same way.
    classes: those that gain most first.
    n_found: the flipped messages that are looked for; `next_after` leads to the next page, None: this is the last.
    """

    old: ComparedModel
    new: ComparedModel
    test: Comparison
    verdict: Standing
    n_changed: int
    n_wrong_alike: int
    classes: tuple[ClassChange, ...]
    n_found: int
    flips: tuple[FlippedRow, ...]
    next_after: int | None


@dataclass(frozen=True, eq=False)
class Side:
    """What one model said of the n common rows: `positions` of them in its own holdout, s labels of both models."""

    judged: Judged
    positions: np.ndarray  # (n,) int
    given: np.ndarray  # (n, s) bool
    right: np.ndarray  # (n,) bool


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Two models on their common rows, which carry the labels that they have in the later of the two datasets."""

    old: Side
    new: Side
    rows: tuple[Example, ...]
    gold: np.ndarray  # (n, s) bool
    space: tuple[str, ...]

    @cached_property
    def flips(self) -> dict[Flip, np.ndarray]:
        """(n,) bool each, and no row in two of them."""
        old, new = self.old, self.new
        differs = (old.given != new.given).any(axis=1)
        return {
            "fixed": new.right & ~old.right,
            "broken": old.right & ~new.right,
            "changed": ~new.right & ~old.right & differs,
        }

    def test(self, *, level: float) -> Comparison:
        """The paired test, as the report of the new model would have it against the old one."""
        champion = self.old.judged.model_id
        return compare(self.old.right, self.new.right, champion_id=champion, metric="accuracy", level=level)

    def page(
        self, test: Comparison, *, verdict: Standing, kind: Flip | None, gold: str | None, after: int, limit: int
    ) -> ModelComparison:
        """All figures, and the flipped messages from the place `after` on among those that are looked for.

        Args:
            kind: None: all three kinds. gold: a label among those a message has, "" for none; None: any.
        """
        found = self.find(kind, gold=gold)
        n_changed = int(self.flips["changed"].sum())
        return ModelComparison(
            old=_described(self.old, level=test.difference.level),
            new=_described(self.new, level=test.difference.level),
            test=test,
            verdict=verdict,
            n_changed=n_changed,
            n_wrong_alike=int((~self.old.right & ~self.new.right).sum()) - n_changed,
            classes=self.classes(),
            n_found=len(found),
            flips=tuple(self._row(int(i)) for i in found[after : after + limit]),
            next_after=after + limit if after + limit < len(found) else None,
        )

    def find(self, kind: Flip | None, *, gold: str | None) -> np.ndarray:
        """Positions of the flipped rows that are looked for, those that the new model was surest of first."""
        kinds = self.flips
        chosen = np.any(list(kinds.values()), axis=0) if kind is None else kinds[kind]
        if gold is not None:
            chosen = chosen & self._carries(gold)
        positions = np.flatnonzero(chosen)
        confidence = self.new.judged.said.confidence[self.new.positions[positions]]
        return positions[np.argsort(-confidence, kind="stable")]

    def _carries(self, label: str) -> np.ndarray:
        if label == NOTHING:
            return np.asarray(~self.gold.any(axis=1))
        if label not in self.space:
            return np.zeros(len(self.rows), dtype=bool)
        return self.gold[:, self.space.index(label)]

    def classes(self) -> tuple[ClassChange, ...]:
        """Every label that a common message has or was given."""
        gold, old, new = self.gold, self.old.given, self.new.given
        counts = [gold.sum(axis=0), *((given & is_so).sum(axis=0) for is_so in (gold, ~gold) for given in (old, new))]
        changes = [
            ClassChange(
                label=label, n_examples=n, n_right_old=hit_old, n_right_new=hit_new, n_false_old=bad, n_false_new=worse
            )
            for label, n, hit_old, hit_new, bad, worse in zip(
                self.space, *(one.tolist() for one in counts), strict=True
            )
            if n or bad or worse
        ]
        return tuple(sorted(changes, key=lambda one: one.n_right_old - one.n_right_new))

    def _row(self, i: int) -> FlippedRow:
        old, new, row = self.old, self.new, self.rows[i]
        at_old, at_new = int(old.positions[i]), int(new.positions[i])
        return FlippedRow(
            kind=next(name for name, rows in self.flips.items() if rows[i]),
            example_id=row.example_id,
            text=new.judged.task.text_of(row.inputs),
            gold=row.target or (),
            old=old.judged.answer(at_old),
            new=new.judged.answer(at_new),
            source=row.source,
            row=old.judged.place(at_old) if _is_later(old.judged, new.judged) else new.judged.place(at_new),
        )


def line_up(old: Judged, new: Judged) -> SideBySide:
    """Two models on the rows in scope that both were judged on, found by their text; neither has learnt from them.

    A row whose label was changed in between counts with the later one, for both models.

    Raises:
        OtherTask: they were made for different tasks.
        NothingInCommon: there is no such row.
    """
    _must_fit(old, new)
    later = old if _is_later(old, new) else new
    in_old, in_new = ({row.example_id: i for i, row in enumerate(one.held.rows)} for one in (old, new))
    rows = tuple(
        row
        for row, is_outside in zip(later.held.rows, later.held.outside, strict=True)
        if not is_outside and row.example_id in in_old and row.example_id in in_new
    )
    if not rows:
        raise NothingInCommon(old=old.model_id, new=new.model_id)
    space = tuple(dict.fromkeys((*old.labels, *new.labels, *later.task.label_space(rows))))
    targets = later.task.encode_targets(rows, space)
    return SideBySide(
        old=_side(old, [in_old[row.example_id] for row in rows], space=space, targets=targets),
        new=_side(new, [in_new[row.example_id] for row in rows], space=space, targets=targets),
        rows=rows,
        gold=targets > 0,
        space=space,
    )


def _must_fit(old: Judged, new: Judged) -> None:
    was, now = (
        f"{one.task.settings.type}, multi_label = {one.task.settings.multi_label}".lower() for one in (old, new)
    )
    if was != now:
        raise OtherTask(old=old.model_id, new=new.model_id, old_task=was, new_task=now)


def _is_later(old: Judged, new: Judged) -> bool:
    """Whether the old one was judged after the new one: the two may be named in either order."""
    return old.report.created_at > new.report.created_at


def _side(judged: Judged, positions: list[int], *, space: tuple[str, ...], targets: np.ndarray) -> Side:
    own = np.array(positions)
    probs = align(judged.said.own[own], judged.labels, to=space)
    return Side(
        judged=judged,
        positions=own,
        given=judged.task.given(probs, judged.thresholds),
        right=judged.task.correct(probs, targets, judged.thresholds),
    )


def _described(side: Side, *, level: float) -> ComparedModel:
    report = side.judged.report
    return ComparedModel(
        model_id=side.judged.model_id,
        accuracy=wilson(int(side.right.sum()), len(side.right), level=level),
        n_examples=len(side.judged),
        size_mb=report.parity.size_mb or None,
        p50_ms=report.parity.p50_ms or None,
    )

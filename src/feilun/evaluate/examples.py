"""Single holdout rows: which of them are looked for, in which order, and what a threshold would make of all."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from feilun.evaluate.classes import NOTHING, mistaken
from feilun.evaluate.judged import Answers, Holdout
from feilun.records import Answer, Record, Report, Thresholds
from feilun.tasks import Task
from feilun.tasks.identity import normalise

N_THRESHOLDS = 200  # points of the curve, at most
Order = Literal["surest", "least_sure", "as_stored"]
Script = Literal["han", "latin", "other"]


class ExampleFilter(Record):
    """Which rows are looked for; what is None does not matter.

    gold, predicted: a label among those the row has, or was given; "" for none.
    script: most letters of the message. n_chars: its length.
    """

    gold: str | None = None
    predicted: str | None = None
    correct: bool | None = None
    decision: Literal["answer", "hand_over"] | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    script: Script | None = None
    source: str | None = None
    min_chars: int | None = None
    max_chars: int | None = None
    text: str | None = None


class ExampleRow(Record):
    """A held-out message as a model answered it; `row` is its place in the file, where that is known."""

    example_id: str
    text: str
    gold: tuple[str, ...]
    answer: Answer
    correct: bool
    source: str
    row: int | None


class ExamplePage(Record):
    """Some of the rows that were looked for; `next_after` leads to the next page, None: this is the last."""

    model_id: str
    n_examples: int
    n_found: int
    n_wrong: int
    examples: tuple[ExampleRow, ...]
    next_after: int | None
    sources: tuple[str, ...]


class ConfusionCell(Record):
    """How often messages of the class `gold` were taken for `predicted`; the diagonal is in it too."""

    gold: str
    predicted: str
    count: int


class Confusion(Record):
    """All cells of the confusion matrix that are not 0, the most frequent first."""

    model_id: str
    n_examples: int
    cells: tuple[ConfusionCell, ...]


class ThresholdPoint(Record):
    """What answering from a confidence of `threshold` on comes to on the holdout."""

    threshold: float
    n_answered: int
    n_wrong: int


class ThresholdCurve(Record):
    """The points in rising order of threshold; the last one hands everything over."""

    model_id: str
    n_examples: int
    threshold: float
    max_error_rate: float
    points: tuple[ThresholdPoint, ...]


@dataclass(frozen=True, eq=False)
class Judged:
    """The labelled holdout of a model with its answers, to look through.

    places: (n,) the rows' numbers in their files, -1 where they are not known.
    """

    model_id: str
    task: Task
    labels: tuple[str, ...]
    held: Holdout
    said: Answers
    report: Report
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.held.rows)

    @property
    def thresholds(self) -> Thresholds:
        return self.report.thresholds

    @cached_property
    def texts(self) -> list[str]:
        return [self.task.text_of(row.inputs) for row in self.held.rows]

    @cached_property
    def answered(self) -> np.ndarray:
        return self.said.answered(self.thresholds)

    @cached_property
    def scripts(self) -> np.ndarray:
        return np.array([script_of(text) for text in self.texts])

    @cached_property
    def n_chars(self) -> np.ndarray:
        return np.array([len(text) for text in self.texts])

    @cached_property
    def sources(self) -> np.ndarray:
        return np.array([row.source for row in self.held.rows])

    def find(self, wanted: ExampleFilter, *, order: Order = "surest") -> np.ndarray:
        """Positions of the rows that are looked for, in order."""
        found = np.ones(len(self), dtype=bool)
        for chosen in self._conditions(wanted):
            found &= chosen
        if wanted.text:  # last: the slowest
            part = normalise(wanted.text)
            found[[i for i in np.flatnonzero(found) if part not in normalise(self.texts[i])]] = False
        places = np.flatnonzero(found)
        if order == "as_stored":
            return places
        sign = -1 if order == "surest" else 1
        return places[np.argsort(sign * self.said.confidence[places], kind="stable")]

    def _conditions(self, wanted: ExampleFilter) -> list[np.ndarray]:
        said, chosen = self.said, []
        for label, has in ((wanted.gold, said.targets > 0), (wanted.predicted, said.given)):
            if label is not None:
                chosen.append(self._carries(label, has))
        if wanted.correct is not None:
            chosen.append(said.correct == wanted.correct)
        if wanted.decision is not None:
            chosen.append(self.answered == (wanted.decision == "answer"))
        for values, low, high in (
            (said.confidence, wanted.min_confidence, wanted.max_confidence),
            (self.n_chars, wanted.min_chars, wanted.max_chars),
        ):
            if low is not None:
                chosen.append(values >= low)
            if high is not None:
                chosen.append(values <= high)
        if wanted.script is not None:
            chosen.append(self.scripts == wanted.script)
        if wanted.source is not None:
            chosen.append(self.sources == wanted.source)
        return chosen

    def _carries(self, label: str, has: np.ndarray) -> np.ndarray:
        if label and label == self.task.settings.out_of_scope_label:
            return self.held.outside
        if label == NOTHING:
            return np.asarray(~has.any(axis=1))
        if label not in self.held.space:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(has[:, self.held.space.index(label)])

    def page(self, wanted: ExampleFilter, *, order: Order, after: int, limit: int) -> ExamplePage:
        """The rows from the place `after` on among those that are looked for."""
        found = self.find(wanted, order=order)
        shown = found[after : after + limit]
        return ExamplePage(
            model_id=self.model_id,
            n_examples=len(self),
            n_found=len(found),
            n_wrong=int((~self.said.correct[found]).sum()),
            examples=tuple(self._row(int(i)) for i in shown),
            next_after=after + limit if after + limit < len(found) else None,
            sources=tuple(str(source) for source in np.unique(self.sources)),
        )

    def _row(self, i: int) -> ExampleRow:
        example = self.held.rows[i]
        return ExampleRow(
            example_id=example.example_id,
            text=self.texts[i],
            gold=example.target or (),
            answer=self.answer(i),
            correct=bool(self.said.correct[i]),
            source=example.source,
            row=self.place(i),
        )

    def answer(self, i: int) -> Answer:
        """What the model said of the row at position `i`."""
        return self.task.answer(self.said.own[i], self.labels, self.thresholds)

    def place(self, i: int) -> int | None:
        """The number of the row at position `i` in its file, where that is known."""
        return int(self.places[i]) if self.places[i] >= 0 else None

    def confusion(self) -> Confusion:
        """Every pair of classes that occurs; rows out of scope are left out, as in the report."""
        inside = ~self.held.outside
        gold, given = self.said.targets[inside] > 0, self.said.given[inside]
        missed, extra = mistaken(given, gold)
        counts = missed.T.astype(np.float32) @ extra.astype(np.float32)  # exact below 2**24 rows
        hits = (gold & given).sum(axis=0)
        counts[np.arange(len(hits)), np.arange(len(hits))] = hits
        names = (*self.held.space, NOTHING)
        order = np.argsort(-counts, axis=None, kind="stable")[: np.count_nonzero(counts)]
        cells = zip(*np.unravel_index(order, counts.shape), strict=True)
        return Confusion(
            model_id=self.model_id,
            n_examples=int(inside.sum()),
            cells=tuple(ConfusionCell(gold=names[g], predicted=names[p], count=int(counts[g, p])) for g, p in cells),
        )

    def threshold_curve(self) -> ThresholdCurve:
        """Answer rate and error rate at up to 200 thresholds, the model's own among them."""
        accepted = self.said.is_accepted(self.thresholds)
        confidence, wrong = self.said.confidence[accepted], ~self.said.correct[accepted]
        order = np.argsort(confidence, kind="stable")
        sure, n_wrong = confidence[order], np.concatenate([np.cumsum(wrong[order][::-1])[::-1], [0]])
        some = np.unique(sure)[_spread_out(len(np.unique(sure)))]
        levels = np.unique(np.concatenate([some, [np.float64(self.thresholds.answer)]]))
        firsts = np.searchsorted(sure.astype(np.float64), levels.astype(np.float64), side="left")
        points = [
            ThresholdPoint(threshold=float(level), n_answered=len(sure) - int(i), n_wrong=int(n_wrong[i]))
            for level, i in zip(levels, firsts, strict=True)
        ]
        if points[-1].n_answered:
            points.append(ThresholdPoint(threshold=1.0, n_answered=0, n_wrong=0))
        return ThresholdCurve(
            model_id=self.model_id,
            n_examples=len(self),
            threshold=self.thresholds.answer,
            max_error_rate=self.thresholds.max_error_rate,
            points=tuple(points),
        )


def script_of(text: str) -> Script:
    """The script of most of its letters: Chinese characters, Latin letters, or others (none too)."""
    n_han = n_latin = n_other = 0
    for char in text:
        if is_han(char):
            n_han += 1
        elif char.isalpha():
            name = unicodedata.name(char, "")
            n_latin, n_other = (n_latin + 1, n_other) if "LATIN" in name else (n_latin, n_other + 1)
    if max(n_han, n_latin, n_other) in (0, n_other):
        return "other"
    # one Chinese character says about as much as two or three letters
    return "han" if 2 * n_han >= n_latin else "latin"


def is_han(char: str) -> bool:
    """Whether it is a Chinese character."""
    code = ord(char)
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x323AF or char == "〇"


def cheapest(curve: ThresholdCurve, *, wrong: float, hand_over: float) -> ThresholdPoint:
    """The point that costs least when a wrong answer costs `wrong` and a message handed over `hand_over`.

    Of equal ones the one that answers most.
    """
    return min(
        curve.points,
        key=lambda at: (at.n_wrong * wrong + (curve.n_examples - at.n_answered) * hand_over, at.threshold),
    )


def _spread_out(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, N_THRESHOLDS)).round().astype(int)) if n else np.zeros(0, int)

"""Labels that look wrong, as they stand in the files now, and as questions to a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from feilun.config import DataSettings
from feilun.feedback import SOURCE, why
from feilun.records import Dataset, Example, LabelDoubt, Why
from feilun.wheel.labelling import Question


@dataclass(frozen=True)
class DoubtfulRow:
    """A training row as it is now, with what the last turn doubted about it."""

    doubt: LabelDoubt
    example: Example

    @property
    def place(self) -> str:
        """Where a person finds the row: "file:row"."""
        return reference(self.example)

    @property
    def why(self) -> Why:
        given, suggested = said(self.example.target), said(self.doubt.suggested)
        return why("label_doubt", place=self.place, given=given, suggested=suggested)

    def fields(self) -> dict[str, Any]:
        """What a person needs to see of it."""
        return {
            "example_id": self.example.example_id,
            "inputs": self.example.inputs,
            "source": self.example.source,
            "row": self.example.row,
            "labels": list(self.example.target or ()),
            "suggested": list(self.doubt.suggested),
            "score": self.doubt.score,
        }


def still_doubtful(doubts: Iterable[LabelDoubt], dataset: Dataset) -> list[DoubtfulRow]:
    """The doubts, in their order, about rows of the files that nobody has changed or spoken on since."""
    now = {example.example_id: example for example in dataset.train if example.source != SOURCE}
    return [
        DoubtfulRow(doubt, now[doubt.example_id])
        for doubt in doubts
        if doubt.example_id in now and now[doubt.example_id].target == doubt.given
    ]


def queue_rows(rows: Iterable[DoubtfulRow], *, model_id: str, created_at: datetime) -> list[dict[str, Any]]:
    """The rows in the form of the review queue: there was no answer, so there is no prediction and no confidence.

    Args:
        model_id, created_at: the model of the turn that doubted, and when it was made.
    """
    return [
        {
            "prediction_id": None,
            "example_id": row.example.example_id,
            "inputs": row.example.inputs,
            "labels": list(row.doubt.suggested),
            "given": list(row.doubt.given),
            "confidence": None,
            "reason": "label_doubt",
            "alternatives": [],
            "teach": 1 - row.doubt.score,  # how likely the label is wrong
            "model_id": model_id,
            "similar": [],
            "twins": [],
            "why": (row.why,),
            "created_at": created_at,
        }
        for row in rows
    ]


def questions(rows: Iterable[DoubtfulRow]) -> list[Question]:
    """The rows as questions that come before those chosen for what they teach."""
    return [Question(row.example.inputs, "doubt", why=(row.why,), first=True) for row in rows]


def files_as_of(folder: Path, data: DataSettings) -> tuple[tuple[int, int] | None, ...]:
    """When each data file was last written, and its size; None where it is not there. Equal means: not changed."""
    return tuple(_stamp(folder / source.path) for source in (*data.sources, *([data.holdout] if data.holdout else [])))


def reference(example: Example) -> str:
    """Where a person finds a row: "file:row"."""
    return example.source if example.row is None else f"{example.source}:{example.row}"


def said(labels: Sequence[str] | None) -> str:
    """Labels as a person reads them."""
    return " | ".join(labels or ())


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size

"""The lines of the leaderboard while they are being filled in, and the choice among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from feilun.network.budget import Cost
from feilun.records import CandidateResult
from feilun.tasks import Task
from feilun.train.candidate import Candidate, Fitted
from feilun.train.folds import FoldPlan
from feilun.train.rows import TrainingRows
from feilun.train.scoring import HEAD_START, TIE, Score, is_better, score

LAYERS_LEARN = ("tune", "adapt", "full")


@dataclass
class Line:
    """One candidate: its score out of fold, and what it cost. `candidate` is None when it was never made.

    fits: those of the folds, when the network that ships can be made from them.
    """

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    candidate: Candidate | None = None
    plan: FoldPlan | None = None
    logits: np.ndarray | None = None
    score: Score | None = None
    cost: Cost = field(default_factory=Cost)
    status: Literal["done", "skipped", "stopped", "failed"] = "done"
    note_en: str = ""
    note_zh: str = ""
    chosen: bool = False
    fits: list[Fitted] = field(default_factory=list)

    def cut(self, n_rows: int, rows: TrainingRows, *, task: Task) -> Score:
        """The score on the first `n_rows` held-out rows: for a comparison with a candidate that was judged on those."""
        assert self.score is not None and self.logits is not None and self.plan is not None
        held_out = self.plan.held_out[:n_rows]
        if len(held_out) == len(self.plan.held_out):
            return self.score
        return score(self.logits[:n_rows], rows.targets[held_out], task=task)

    def note(self, en: str, zh: str) -> None:
        """Add a sentence for people."""
        self.note_en = f"{self.note_en} {en}".strip()
        self.note_zh = f"{self.note_zh}{zh}"

    def result(self) -> CandidateResult:
        """The line as a record."""
        validation = dict(self.score.metrics) if self.score else {}
        if self.score is not None and self.plan is not None:
            validation["n_folds"] = float(self.plan.n_folds)
            validation["n_rows"] = float(len(self.plan.held_out))
        return CandidateResult(
            method=self.method,
            params=self.params,
            validation=validation,
            cpu_s=round(self.cost.cpu_s, 3),
            wall_s=round(self.cost.wall_s, 3),
            status=self.status,
            note_en=self.note_en,
            note_zh=self.note_zh,
            chosen=self.chosen,
        )


def choose(cheap: Line | None, dear: Line, rows: TrainingRows, *, task: Task) -> Line | None:
    """The dearer candidate if it is better on the same rows, else the cheaper one.

    A candidate that trains layers has a head start on a probe.
    """
    if dear.score is None or dear.plan is None or dear.status != "done":
        return cheap
    if cheap is None or cheap.score is None:
        return dear
    on_the_same = cheap.cut(len(dear.plan.held_out), rows, task=task)
    needs = HEAD_START if cheap.method == "probe" and dear.method in LAYERS_LEARN else TIE
    if is_better(dear.score, on_the_same, needs=needs):
        cheap.score, cheap.plan = on_the_same, dear.plan  # like beside like on the leaderboard
        return dear
    dear.note(
        "Not chosen: it is no better than a cheaper candidate.",
        "未选用：并不优于更省的候选。",
    )
    return cheap

"""The first rung: a linear head on the frozen backbone's embeddings. Seconds, and no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from feilun.config import ProbeSettings
from feilun.network.budget import measured
from feilun.tasks import Task
from feilun.train.candidate import Fitted, out_of_fold
from feilun.train.folds import FoldPlan, plan_folds, stratified_order
from feilun.train.leaderboard import Line
from feilun.train.rows import TrainingRows
from feilun.train.scoring import score

CHOICE_ROWS = 4000
"""The strength of regularisation is chosen on at most so many rows: it hardly moves beyond, and fits get slow."""
FEW_ROWS = 200
N_REPEATS = 3
"""With fewer than FEW_ROWS examples the choice is averaged over so many random cuts into folds."""


class Probe:
    """`task.fit_head` on cached embeddings, with one strength of regularisation."""

    method = "probe"

    def __init__(self, embeddings: np.ndarray, rows: TrainingRows, *, task: Task, c: float, seed: int) -> None:
        self.embeddings, self.rows, self.task, self.c, self.seed = embeddings, rows, task, c, seed
        self.params: dict[str, Any] = {"c": c}

    def fit(self, rows: np.ndarray, *, fold: int | None, time_limit_s: float) -> Fitted:
        """The head is convex and quick: it takes no notice of the limit; `probe_lines` sees to it that it can."""
        weight, bias = self.task.fit_head(
            self.embeddings[rows],
            self.rows.targets[rows],
            c=self.c,
            sample_weight=self.rows.weights[rows],
            seed=self.seed,
        )
        return Fitted(weight=weight, bias=bias, embed=lambda some: self.embeddings[some])

    def finish(self, rows: np.ndarray, fits: Sequence[Fitted], *, time_limit_s: float) -> Fitted:
        """A fit on all rows."""
        return self.fit(rows, fold=None, time_limit_s=time_limit_s)


def probe_lines(
    embeddings: np.ndarray,
    rows: TrainingRows,
    settings: ProbeSettings,
    *,
    task: Task,
    n_folds: int,
    seed: int,
    left_s: Callable[[], float],
    on_line: Callable[[Line], None] = lambda line: None,
) -> tuple[list[Line], Line]:
    """One line for each value of c, and the one to keep: the smallest that is within a standard error of the best.

    The first value is always tried, the others as long as one more fits into `left_s`. On few rows the losses of
    several random cuts into folds are averaged; on many, a stratified sample decides.

    Args:
        on_line: told of each line when it is finished: the first answer of a turn comes long before the last.
    """
    sample = np.sort(stratified_order(rows.targets[: rows.n_examples], seed=seed)[:CHOICE_ROWS])
    n_repeats = N_REPEATS if len(sample) < FEW_ROWS else 1
    plans = [plan_folds(rows, n_folds=n_folds, seed=seed + 1000 * n, among=sample) for n in range(n_repeats)]
    lines: list[Line] = []
    losses: list[np.ndarray | None] = []
    longest = 0.0
    for c in settings.c:
        candidate = Probe(embeddings, rows, task=task, c=c, seed=seed)
        line = Line("probe", candidate.params, candidate, plans[0])
        lines.append(line)
        losses.append(None)
        if len(lines) > 1 and longest > left_s():
            line.status = "skipped"
            line.note("There was no time left for it.", "没有剩余时间。")
            on_line(line)
            continue
        if len(plans[0].held_out):
            with measured(line.cost):
                losses[-1] = _judge(line, plans, rows, task=task)
            longest = max(longest, line.cost.wall_s)
        on_line(line)
    best = lines[_choose([line.params["c"] for line in lines], losses)]
    if not len(plans[0].held_out):
        best.note(
            "Not judged: every class has one row only, and no name that could stand in for it.",
            "未经评估：每个类别只有一行样本，且类别名称无法代替样本。",
        )
    return lines, best


def _choose(strengths: Sequence[float], losses: Sequence[np.ndarray | None]) -> int:
    """The place of the smallest strength whose loss is no more than a standard error above the least.

    With two classes and a hundred rows the least loss is chance, and a head that follows every row is what it costs
    (docs/notes/005-training-loop.md). Source: Breiman et al. 1984, "Classification and Regression Trees", 3.4.3.

    Args:
        losses: for each strength its (n_plans, n_blocks) mean losses, of the same rows; None where it was not judged.
    """
    judged = [(c, n, found) for n, (c, found) in enumerate(zip(strengths, losses, strict=True)) if found is not None]
    if not judged:
        return 0
    least = min((found for _, _, found in judged), key=np.mean)
    level = [(c, n) for c, n, found in judged if (found - least).mean() <= _standard_error(found - least)]
    return min(level)[1]


def _standard_error(differences: np.ndarray) -> float:
    """Of the mean: several cuts of the same rows say hardly more than one, so it is that of a single cut."""
    n_blocks = differences.shape[1]
    return float(differences.std(axis=1, ddof=1).mean() / np.sqrt(n_blocks)) if n_blocks > 1 else 0.0


def rescore(line: Line, plan: FoldPlan, rows: TrainingRows, *, task: Task) -> None:
    """Judge a line's candidate anew on the folds of `plan`."""
    with measured(line.cost):
        _judge(line, [plan], rows, task=task)
    line.plan = plan


def _judge(line: Line, plans: list[FoldPlan], rows: TrainingRows, *, task: Task) -> np.ndarray:
    """Score the line on the first plan; return the (n_plans, n_blocks) mean losses on all of them."""
    assert line.candidate is not None
    losses = []
    for plan in plans:
        logits = out_of_fold(line.candidate, plan, left_s=lambda: np.inf)
        found = score(logits, rows.targets[plan.held_out], task=task)
        losses.append(found.block_losses)
        if plan is plans[0]:
            line.score, line.logits = found, logits
    return np.stack(losses)

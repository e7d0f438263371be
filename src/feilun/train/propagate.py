"""The rung that learns from messages without labels: labels spread to them, and they vote beside the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from feilun.network.budget import measured
from feilun.train.candidate import Fitted
from feilun.train.leaderboard import Line
from feilun.train.pool import Space, open_space
from feilun.train.scoring import score
from feilun.train.session import Session
from feilun.train.spread import neighbours_from

FEWEST = 100
"""With fewer unlabelled messages than this there is nothing to spread along."""
MOST_POINTS = 30_000
"""Labelled and unlabelled messages together; every pair of them is compared."""
CAUTION = 1.25


class Propagated:
    """A candidate of a lower rung whose head is helped by neighbours. See `Candidate`."""

    method = "propagate"

    def __init__(self, session: Session, base: Line, space: Space) -> None:
        assert base.score is not None
        self.session, self.base, self.space = session, base, space
        self.temperature = base.score.temperature
        self.params: dict[str, Any] = {"on": base.method, "n_unlabelled": space.n_pool}

    def fit(self, rows: np.ndarray, *, fold: int | None, time_limit_s: float) -> Fitted:
        """A fit of the rung below, then its neighbours."""
        assert self.base.candidate is not None
        return self.help(self.base.candidate.fit(rows, fold=fold, time_limit_s=time_limit_s), rows)

    def finish(self, rows: np.ndarray, fits: Sequence[Fitted], *, time_limit_s: float) -> Fitted:
        """What the rung below would ship, with neighbours in its own space."""
        assert self.base.candidate is not None
        return self.help(self.base.candidate.finish(rows, self.base.fits, time_limit_s=time_limit_s), rows)

    def help(self, fitted: Fitted, rows: np.ndarray) -> Fitted:
        """The fit with neighbours: `rows` with their labels, and the pool. The head is calibrated by the way."""
        known, unknown = self.space.embed(fitted)
        return replace(
            fitted,
            weight=fitted.weight / self.temperature,
            bias=fitted.bias / self.temperature,
            neighbours=neighbours_from(known[rows], self.session.rows.targets[rows], unknown),
            facts=fitted.facts | {"n_unlabelled": self.space.n_pool},
        )


def propagate_line(session: Session, base: Line, texts: Sequence[str]) -> Line:
    """`base` with neighbours, judged on the same folds; skipped with a note when it could not be.

    Args:
        texts: the messages of the pool, those to be taken first at the front; never one that anything is judged on.
    """
    line = Line("propagate")
    excuse = _excuse(session, base, texts)
    if excuse is None:
        with measured(line.cost):
            excuse = _judge(session, base, texts, line)
    if excuse is not None:
        line.status = "skipped"
        line.note(*excuse)
    return line


def _excuse(session: Session, base: Line, texts: Sequence[str]) -> tuple[str, str] | None:
    """Why it cannot be tried, in both languages."""
    if not session.task.exclusive:
        return (
            "Not tried: labels spread only where a message has one of them.",
            "未尝试：标签传播只适用于每条消息只有一个标签的任务。",
        )
    if len(texts) < FEWEST:
        return (
            f"Not tried: it takes {FEWEST} messages without labels; there are {len(texts)}.",
            f"未尝试：至少需要 {FEWEST} 条未标注的消息，现有 {len(texts)} 条。",
        )
    if session.rows.n_examples + FEWEST > MOST_POINTS:
        return (
            f"Not tried: with more than {MOST_POINTS - FEWEST} examples, comparing every pair takes too long.",
            f"未尝试：样本超过 {MOST_POINTS - FEWEST} 条时，两两比较消息耗时过长。",
        )
    if base.plan is None or base.score is None or base.logits is None:
        return (
            "Not tried: the candidate it would build on could not be judged.",
            "未尝试：它所依托的候选未能评估。",
        )
    if not base.fits and session.budget.left_s < CAUTION * base.cost.wall_s:
        return (
            f"Not tried: fitting the folds of {base.method} again would take about {base.cost.wall_s:.0f} s; "
            f"{max(session.budget.left_s, 0):.0f} s of the budget are left.",
            f"未尝试：重新训练 {base.method} 的各折约需 {base.cost.wall_s:.0f} 秒，"
            f"而预算只剩 {max(session.budget.left_s, 0):.0f} 秒。",
        )
    return None


def _judge(session: Session, base: Line, texts: Sequence[str], line: Line) -> tuple[str, str] | None:
    """Score the line on the folds of `base`; an excuse when there was no time for enough messages."""
    assert base.plan is not None and base.logits is not None and base.score is not None and base.candidate is not None
    plan = base.plan
    fits = list(base.fits) or [
        base.candidate.fit(train, fold=fold, time_limit_s=max(session.budget.left_s, 1.0))
        for fold, (train, _) in enumerate(plan.folds)
    ]
    most = min(session.settings.train.propagate.max_messages, MOST_POINTS - session.rows.n_examples)
    space = open_space(session, fits[0], texts[:most], n_fits=len(fits) + 1)
    if space.n_pool < min(FEWEST, len(texts)):
        return (
            f"Not tried: there was time for {space.n_pool} messages without labels only. Raise [train] budget_s.",
            f"未尝试：时间只够处理 {space.n_pool} 条未标注的消息。请提高 [train] budget_s。",
        )
    if space.n_pool < min(most, len(texts)):
        line.note(
            f"{space.n_pool} of {len(texts)} messages without labels: no time for more.",
            f"时间不够，{len(texts)} 条未标注的消息只用了 {space.n_pool} 条。",
        )
    candidate = Propagated(session, base, space)
    votes = []
    for fitted, (train, held) in zip(fits, plan.folds, strict=True):
        known, unknown = space.embed(fitted)
        neighbours = neighbours_from(known[train], session.rows.targets[train], unknown)
        votes.append(neighbours.logits(known[held]))
    line.logits = base.logits / candidate.temperature + np.concatenate(votes)
    line.candidate, line.plan, line.params = candidate, plan, candidate.params
    line.score = score(line.logits, session.rows.targets[plan.held_out], task=session.task)
    return None

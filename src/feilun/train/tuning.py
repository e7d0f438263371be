"""How the tune rung is judged: what it would take is predicted first, and the plan is cut to the time there is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feilun.errors import FeilunError
from feilun.models import read_config, read_tensors
from feilun.network.batches import Corpus
from feilun.network.budget import measured
from feilun.network.device import pick_device, pick_precision
from feilun.train.candidate import out_of_fold
from feilun.train.folds import FoldPlan, plan_folds
from feilun.train.leaderboard import Line
from feilun.train.probe import Probe, rescore
from feilun.train.scoring import best_temperature, score
from feilun.train.session import Session
from feilun.train.tune import Tune

CAUTION = 1.25
"""A prediction of time is multiplied by this: other work on the machine comes and goes."""
FEWEST_FOLDS = 3
DEFAULT_HEAD_C = 30.0
"""Regularisation of the convex head when no probe has chosen one."""


class OutOfTime(FeilunError):
    """The budget ended while activations were still being computed."""

    code, kind = "train.out_of_time", "unavailable"
    en = "The budget of {budget_s} s ended before tuning could begin. Raise [train] budget_s."
    zh = "预算 {budget_s} 秒在微调开始之前已用完。请提高 [train] budget_s。"


def tune_line(session: Session, probe: Line | None) -> Line:
    """The tuned candidate, scored out of fold; skipped, stopped or failed with a note when it could not be.

    When time asks for other folds than the probe was judged on, the probe is judged again on the same ones: only
    like is compared with like.
    """
    line = Line("tune")
    with measured(line.cost):
        try:
            _run(session, probe, line)
        except FeilunError as error:
            line.status = "stopped" if isinstance(error, OutOfTime) else "failed"
            line.note(error.message("en"), error.message("zh"))
            line.score = line.logits = line.plan = None
    return line


def _run(session: Session, probe: Line | None, line: Line) -> None:
    head_c = probe.candidate.c if probe is not None and isinstance(probe.candidate, Probe) else DEFAULT_HEAD_C
    candidate = make_tune(session, head_c=head_c)
    line.params = candidate.params
    trial = candidate.trial()
    per_token = CAUTION * trial.learning_s
    tokens = candidate.corpus.lengths
    once = CAUTION * (trial.below_s * float(tokens.sum()) + trial.sizes_s)

    def needed_s(plan: FoldPlan, epochs: int) -> float:
        return once + per_token * epochs * sum(float(tokens[rows].sum()) for rows in _passes(session, plan))

    found = _plan(session, candidate.epochs, needed_s)
    if found is None:
        needed, left = needed_s(_plans(session)[-1], 1), max(session.budget.left_s, 0.0)
        line.status = "skipped"
        line.note(
            f"One epoch with its validation would take about {needed:.0f} s; {left:.0f} s of the budget are left. "
            "Raise [train] budget_s.",
            f"连同验证，一个轮次约需 {needed:.0f} 秒，而预算只剩 {left:.0f} 秒。请提高 [train] budget_s。",
        )
        return
    candidate.prepare(check=_alarm(session))
    planned = candidate.epochs
    plan, candidate.epochs = found
    if candidate.epochs < planned:
        line.note(
            f"{candidate.epochs} of {planned} epochs: more did not fit into the budget.",
            f"只训练了 {candidate.epochs} 个轮次（计划 {planned} 个）：预算不足。",
        )
    _score(session, candidate, plan, line, reserve_s=per_token * candidate.epochs * float(tokens.sum()))
    line.params = candidate.params
    if probe is not None and plan is not probe.plan:
        rescore(probe, plan, session.rows, task=session.task)


def make_tune(session: Session, *, head_c: float) -> Tune:
    """The candidate that the session's settings describe."""
    device = pick_device()
    return Tune(
        Corpus(session.token_ids),
        session.rows,
        session.backbone,
        session.settings.train.tune,
        config=read_config(session.backbone.folder),
        tensors=read_tensors(session.backbone.folder),
        embeddings=session.embeddings,
        task=session.task,
        head_c=head_c,
        seed=session.seed,
        device=device,
        precision=pick_precision(device),
        scratch=session.scratch,
        emit=session.emit,
    )


def _alarm(session: Session) -> Callable[[], None]:
    """Raises once the budget is used up."""

    def check() -> None:
        if session.budget.left_s <= 0:
            raise OutOfTime(budget_s=session.budget.budget_s)

    return check


def _plan(session: Session, epochs: int, needed_s: Callable[[FoldPlan, int], float]) -> tuple[FoldPlan, int] | None:
    """The most thorough plan that fits into the time left: rather fewer folds than fewer epochs."""
    for n_epochs in range(epochs, 0, -1):
        for plan in _plans(session):
            if needed_s(plan, n_epochs) <= session.budget.left_s:
                return plan, n_epochs
    return None


def _plans(session: Session) -> list[FoldPlan]:
    """The folds of the session, then fewer: never fewer than three, unless one of them says enough by itself."""
    plans = [session.plan]
    if len(session.plan.folds) > FEWEST_FOLDS:
        plans.append(plan_folds(session.rows, n_folds=FEWEST_FOLDS, seed=session.seed))
    return plans


def _passes(session: Session, plan: FoldPlan) -> list[np.ndarray]:
    """The rows that one epoch of every fit of a plan goes through, the final fit included."""
    return [*(train for train, _ in plan.folds), session.everything]


def _score(session: Session, candidate: Tune, plan: FoldPlan, line: Line, *, reserve_s: float) -> None:
    """Fit on every fold, leaving `reserve_s` for the final fit."""
    rows, task = session.rows, session.task

    def loss(logits: np.ndarray, targets: np.ndarray) -> float:
        return task.log_loss(task.probs(logits, temperature=best_temperature(logits, targets, task=task)), targets)

    def left_s() -> float:
        return session.budget.left_s - reserve_s

    folds = iter(plan.folds)
    parts = []
    if candidate.settings.epochs > candidate.settings.patience and candidate.epochs > candidate.settings.patience:
        train, held = next(folds)
        share = left_s() / len(plan.folds)
        parts.append(candidate.fit_watched(train, held, time_limit_s=share, loss=loss).logits(held))
    rest = FoldPlan(folds=tuple(folds), n_folds=plan.n_folds)
    if rest.folds:
        parts.append(out_of_fold(candidate, rest, left_s=left_s, first=len(parts)))
    line.logits = np.concatenate(parts)
    line.score = score(line.logits, rows.targets[plan.held_out], task=task)
    line.candidate, line.plan = candidate, plan

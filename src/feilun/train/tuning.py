"""How a rung that trains layers is judged: what it would take is predicted first, and the plan is cut to the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from feilun.errors import FeilunError
from feilun.models import read_config, read_tensors
from feilun.network.batches import Corpus
from feilun.network.budget import measured
from feilun.network.device import pick_device, pick_precision
from feilun.train.candidate import Fitted
from feilun.train.folds import FoldPlan
from feilun.train.leaderboard import Line
from feilun.train.probe import Probe
from feilun.train.scoring import best_temperature, lead, score
from feilun.train.session import Session
from feilun.train.tune import Tune, n_frozen_layers

CAUTION = 1.25
"""A prediction of time is multiplied by this: other work on the machine comes and goes."""
FORWARD_SHARE = 1 / 3
"""An answer costs so much of an update on the same row: backward is twice forward."""
DEFAULT_HEAD_C = 30.0
"""Regularisation of the convex head when no probe has chosen one."""
CLEAR_LEAD = 1.0
"""Standard errors from which on a lead is so clear that further folds would not turn it."""
LEAST_TO_LOSE, LEAST_TO_WIN = 150, 300
"""Held-out rows that must be judged before a candidate is given up, or taken: thresholds are set on them later."""


class OutOfTime(FeilunError):
    """The budget ended while activations were still being computed."""

    code, kind = "train.out_of_time", "unavailable"
    en = "The budget of {budget_s} s ended before tuning could begin. Raise [train] budget_s."
    zh = "预算 {budget_s} 秒在微调开始之前已用完。请提高 [train] budget_s。"


@dataclass(frozen=True)
class Price:
    """What fits of one candidate take: seconds once (and of these, for sizes of batches met for the first time), and
    seconds a token in an epoch; `refits` when fits of folds cannot be averaged into the network that ships."""

    once_s: float
    sizes_s: float
    token_s: float
    lengths: np.ndarray
    everything: np.ndarray
    refits: bool

    def needed_s(self, plan: FoldPlan, epochs: int) -> float:
        """Seconds for every fold of `plan` and for the network that ships."""
        n_all = float(self.lengths[self.everything].sum())
        n_learnt = sum(float(self.lengths[train].sum()) for train, _ in plan.folds)
        if self.refits or len(plan.folds) < 2:
            n_learnt += n_all
        n_answered = n_all * (len(plan.folds) + 1)  # each fit embeds its rows, for the convex head
        return self.once_s + self.token_s * (epochs * n_learnt + FORWARD_SHARE * n_answered)

    def last_s(self, plan: FoldPlan, epochs: int) -> float:
        """Seconds for the network that ships alone."""
        n_all = float(self.lengths[self.everything].sum())
        again = epochs if self.refits or len(plan.folds) < 2 else 0
        return self.token_s * (again + FORWARD_SHARE) * n_all


def learn_line(session: Session, method: str, *, probe: Line | None, best: Line | None) -> Line:
    """The line of one rung, judged out of fold; skipped, stopped or failed with a note when it could not be.

    Args:
        probe: the best probe, whose regularisation the head takes over.
        best: the best candidate so far, with which it is compared fold after fold.
    """
    line = Line(method)
    with measured(line.cost):
        try:
            _run(session, line, probe=probe, best=best)
        except FeilunError as error:
            line.status = "stopped" if isinstance(error, OutOfTime) else "failed"
            line.note(error.message("en"), error.message("zh"))
            line.score = line.logits = line.plan = None
            line.fits = []
    return line


def _run(session: Session, line: Line, *, probe: Line | None, best: Line | None) -> None:
    candidate = make_candidate(session, line.method, head_c=head_c_of(probe))
    line.params = candidate.params
    wanted = best.plan if best is not None and best.plan is not None else session.plan
    planned = candidate.epochs
    found = _planned(session, candidate, wanted)
    if isinstance(found, float):
        left = max(session.budget.left_s, 0.0)
        line.status = "skipped"
        line.note(
            f"One epoch with its validation would take about {found:.0f} s; {left:.0f} s of the budget are left. "
            "Raise [train] budget_s.",
            f"连同验证，一个轮次约需 {found:.0f} 秒，而预算只剩 {left:.0f} 秒。请提高 [train] budget_s。",
        )
        return
    candidate.prepare(check=_alarm(session))
    n_folds, candidate.epochs, reserve_s = found
    if candidate.epochs < planned:
        line.note(
            f"{candidate.epochs} of {planned} epochs: more did not fit into the budget.",
            f"只训练了 {candidate.epochs} 个轮次（计划 {planned} 个）：预算不足。",
        )
    _judge(session, candidate, wanted.first(n_folds), line, best=best, reserve_s=reserve_s)
    line.params = candidate.params


def head_c_of(probe: Line | None) -> float:
    """The regularisation that the probe's line came to, which the head of a network takes over."""
    return probe.candidate.c if probe is not None and isinstance(probe.candidate, Probe) else DEFAULT_HEAD_C


def make_candidate(session: Session, method: str, *, head_c: float) -> Tune:
    """The candidate of a rung, with its settings."""
    from feilun.train.adapt import Adapt
    from feilun.train.full import Full

    device = pick_device()
    precision = pick_precision(device)
    settings = getattr(session.settings.train, method)
    config = read_config(session.backbone.folder)
    n_frozen = 0 if method == "full" else n_frozen_layers(config, settings.frozen_fraction)
    return {"tune": Tune, "adapt": Adapt, "full": Full}[method](
        Corpus(session.token_ids),
        session.rows,
        session.backbone,
        settings,
        n_frozen=n_frozen,
        config=config,
        tensors=read_tensors(session.backbone.folder),
        embeddings=session.embeddings,
        task=session.task,
        head_c=head_c,
        seed=session.seed,
        device=device,
        precision=precision,
        scratch=session.scratch,
        cache=session.activation_cache(n_frozen=n_frozen, precision=precision),
        checkpoints=session.checkpoints,
        emit=session.emit,
    )


def price_of(session: Session, candidate: Tune) -> Price:
    """What the candidate's fits take on this machine, from a few real updates."""
    trial = candidate.trial()
    tokens = candidate.corpus.lengths
    return Price(
        once_s=CAUTION * (trial.below_s * float(tokens.sum()) + trial.sizes_s),
        sizes_s=CAUTION * trial.sizes_s,
        token_s=CAUTION * trial.learning_s,
        lengths=tokens,
        everything=session.everything,
        refits=not candidate.averages,
    )


def plans_of(plan: FoldPlan) -> list[FoldPlan]:
    """All folds of the plan, then fewer; never fewer than two, for two fits together have seen all rows."""
    return [plan.first(n) for n in range(len(plan.folds), min(2, len(plan.folds)) - 1, -1)]


def fitting_plan(price: Price, plan: FoldPlan, *, epochs: int, left_s: float) -> tuple[FoldPlan, int] | None:
    """The most thorough plan that fits into the time left: rather fewer folds than fewer epochs."""
    for n_epochs in range(epochs, 0, -1):
        for some in plans_of(plan):
            if price.needed_s(some, n_epochs) <= left_s:
                return some, n_epochs
    return None


def _planned(session: Session, candidate: Tune, plan: FoldPlan) -> tuple[int, int, float] | float:
    """Folds, epochs and the seconds to leave for the network that ships; or the seconds that even the least takes.

    A turn that was killed goes on with the plan it had made, whatever the clock says now.
    """
    name = f"{candidate.method}-plan"
    kept = session.checkpoints.find(name)
    if kept is not None:
        return kept[1]["n_folds"], kept[1]["epochs"], kept[1]["reserve_s"]
    price = price_of(session, candidate)
    found = fitting_plan(price, plan, epochs=candidate.epochs, left_s=session.budget.left_s)
    if found is None:
        return price.needed_s(plans_of(plan)[-1], 1)
    n_folds, epochs, reserve_s = len(found[0].folds), found[1], price.last_s(*found)
    session.checkpoints.save(name, {}, {"n_folds": n_folds, "epochs": epochs, "reserve_s": reserve_s})
    return n_folds, epochs, reserve_s


def _alarm(session: Session) -> Callable[[], None]:
    """Raises once the budget is used up."""

    def check() -> None:
        if session.budget.left_s <= 0:
            raise OutOfTime(budget_s=session.budget.budget_s)

    return check


def _judge(
    session: Session, candidate: Tune, plan: FoldPlan, line: Line, *, best: Line | None, reserve_s: float
) -> None:
    """Fit fold after fold, until the lead is clear or the folds are done; leave `reserve_s` for the final network."""
    rows, task = session.rows, session.task
    parts: list[np.ndarray] = []
    for number, (fitted, logits) in enumerate(_fits(session, candidate, plan, reserve_s=reserve_s)):
        parts.append(logits)
        line.candidate, line.plan = candidate, plan.first(number + 1)
        line.logits = np.concatenate(parts)
        line.score = score(line.logits, rows.targets[line.plan.held_out], task=task)
        if candidate.averages:
            line.fits.append(fitted)
        if best is None or best.score is None or number + 1 == len(plan.folds):
            continue
        n_judged = len(line.plan.held_out)
        ahead = lead(line.score, best.cut(n_judged, rows, task=task))
        if ahead <= -CLEAR_LEAD and n_judged >= LEAST_TO_LOSE:
            line.note(
                f"Given up after fold {number + 1}: clearly behind by then.", f"第 {number + 1} 折后放弃：已明显落后。"
            )
            return
        if ahead >= CLEAR_LEAD and n_judged >= LEAST_TO_WIN and len(line.fits) != 1:
            return


def _fits(
    session: Session, candidate: Tune, plan: FoldPlan, *, reserve_s: float
) -> Iterator[tuple[Fitted, np.ndarray]]:
    """Each fold's fit, and its answers to the rows held out; those that a killed turn finished are not run again."""
    task = session.task

    def loss(logits: np.ndarray, targets: np.ndarray) -> float:
        return task.log_loss(task.probs(logits, temperature=best_temperature(logits, targets, task=task)), targets)

    watches = min(candidate.settings.epochs, candidate.epochs) > candidate.settings.patience
    for fold, (train, held) in enumerate(plan.folds):
        name = f"{candidate.method}-fold-{fold + 1}"
        kept = session.checkpoints.find(name)
        if kept is None:
            share = (session.budget.left_s - reserve_s) / (len(plan.folds) - fold)
            if fold == 0 and watches:
                fitted = candidate.fit_watched(train, held, time_limit_s=share, loss=loss)
            else:
                fitted = candidate.fit(train, fold=fold, time_limit_s=share)
            arrays = {"logits": fitted.logits(held), **(_arrays_of(fitted) if candidate.averages else {})}
            facts: dict[str, Any] = {"fit": fitted.facts, "epochs": candidate.epochs, "spent_s": session.budget.spent_s}
            session.checkpoints.save(name, arrays, facts)
            session.checkpoints.drop(f"{candidate.method}-running")
            kept = arrays, facts
        candidate.epochs = kept[1]["epochs"]
        yield _fitted_of(kept[0], kept[1]["fit"]), kept[0]["logits"]


def _arrays_of(fitted: Fitted) -> dict[str, np.ndarray]:
    assert fitted.head is not None
    return {
        "weight": fitted.weight,
        "bias": fitted.bias,
        "head.weight": fitted.head[0],
        "head.bias": fitted.head[1],
        **{f"tensor.{name}": tensor for name, tensor in fitted.tensors.items()},
    }


def _fitted_of(arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> Fitted:
    """What is left of a fold's fit: its weights, without the network to embed with."""
    nothing = np.empty(0, dtype=np.float32)
    return Fitted(
        weight=arrays.get("weight", nothing),
        bias=arrays.get("bias", nothing),
        embed=_gone,
        tensors={name.removeprefix("tensor."): array for name, array in arrays.items() if name.startswith("tensor.")},
        facts=facts,
        head=(arrays["head.weight"], arrays["head.bias"]) if "head.weight" in arrays else None,
    )


def _gone(rows: np.ndarray) -> np.ndarray:
    raise AssertionError("the network of a fold is not kept")

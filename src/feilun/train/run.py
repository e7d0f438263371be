"""The ladder: probe, then tune, on one leaderboard under one time budget; the better one is fitted on all rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feilun import __version__
from feilun.config import FeilunSettings
from feilun.models import embedder
from feilun.records import Backbone, Dataset, TrainResult
from feilun.tasks import Task
from feilun.train.budget import Budget, Cost, measured, n_threads
from feilun.train.cache import EmbeddingCache
from feilun.train.candidate import Fitted
from feilun.train.errors import NoCandidate
from feilun.train.folds import FoldPlan, plan_folds, stratified_order
from feilun.train.leaderboard import Line, choose
from feilun.train.probe import probe_lines, rescore
from feilun.train.result import write_result
from feilun.train.rows import TrainingRows, collect_rows

EMBEDDING_SHARE = 0.5
"""Share of the budget after which no more rows are embedded; training then goes on with those there are."""
LEAST_ROWS = 1000
"""So many rows are embedded however short the budget: less would not be worth a turn."""
PROBE_SHARE = 0.7
"""Share of the budget after which no further value of c is tried."""
ENOUGH_HELD_OUT = 1000
"""When one fold holds so many rows (and ten for each class), one fold says enough and the others are not run."""

OnEvent = Callable[[str, dict[str, Any]], None]


@dataclass
class Session:
    """What the rungs of one ladder share. `among`: the examples that take part; `plan`: their folds."""

    rows: TrainingRows
    embeddings: np.ndarray
    token_ids: list[list[int]]
    among: np.ndarray
    plan: FoldPlan
    backbone: Backbone
    settings: FeilunSettings
    task: Task
    budget: Budget
    seed: int
    scratch: Path
    emit: OnEvent

    @property
    def everything(self) -> np.ndarray:
        """What a final fit learns from: the examples that take part, and the class names."""
        return np.concatenate([self.among, self.rows.name_rows])


def train(
    dataset: Dataset,
    backbone: Backbone,
    settings: FeilunSettings,
    *,
    task: Task,
    workdir: Path,
    budget_s: float,
    seed: int,
    on_event: OnEvent | None = None,
    cache_dir: Path | None = None,
) -> TrainResult:
    """Find the best network for the dataset within `budget_s` seconds of wall-clock time.

    Args:
        workdir: where the result is left, see `records.TrainResult`; an older result there is replaced at the end.
        on_event: called with (kind, data) as training goes on: train.start, train.embed, train.update, train.epoch,
            train.validation, train.candidate, train.chosen.
        cache_dir: where embeddings of frozen backbones are kept between turns; None means inside workdir.
    Returns:
        The result, as `load_result` reads it from workdir.
    Raises:
        NothingToLearn: fewer than two classes have a row.
        NoCandidate: every rung is switched off, or none could run.
    """
    budget = Budget(budget_s)
    emit = on_event or (lambda kind, data: None)
    rows = collect_rows(dataset, settings.train, task=task)
    emit("train.start", {"n_rows": rows.n_examples, "n_classes": len(rows.labels), "budget_s": budget_s, "seed": seed})
    scratch = workdir / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        total = Cost()
        with measured(total):
            session = _prepare(rows, backbone, settings, task, budget, seed, scratch, emit, cache_dir or workdir / "cache")
            lines, best = _climb(session)
            emit("train.chosen", {"method": best.method, "params": best.params})
            fitted = _final_fit(session, best)
            held_out = best.plan.held_out if best.plan else np.empty(0, dtype=np.int64)
            validation = _validation(session, best, fitted, held_out)
        return write_result(
            workdir,
            labels=rows.labels,
            leaderboard=tuple(line.result() for line in lines),
            seed=seed,
            meta=_meta(session, best, fitted, dataset, total),
            network={**fitted.tensors, "head.weight": fitted.weight, "head.bias": fitted.bias},
            validation=validation,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _prepare(
    rows: TrainingRows,
    backbone: Backbone,
    settings: FeilunSettings,
    task: Task,
    budget: Budget,
    seed: int,
    scratch: Path,
    emit: OnEvent,
    cache_dir: Path,
) -> Session:
    """Embed the rows, as many as there is time for, and cut them into folds."""
    encoder = embedder(backbone, max_tokens=settings.backbone.max_tokens, threads=n_threads())

    def go_on(n_done: int) -> bool:
        emit("train.embed", {"done": n_done, "total": len(rows.texts)})
        return n_done < LEAST_ROWS or budget.spent_s < EMBEDDING_SHARE * budget.budget_s

    def run(texts: Sequence[str]) -> np.ndarray:
        return encoder.run(texts)[0]

    order = np.concatenate([rows.name_rows, stratified_order(rows.targets[: rows.n_examples], seed=seed)])
    cache = EmbeddingCache(cache_dir, backbone, max_tokens=settings.backbone.max_tokens)
    embeddings, done = cache.embed(rows.texts, run=run, order=order, go_on=go_on)
    among = np.flatnonzero(done[: rows.n_examples])
    token_ids = [encoder.tokenise(text) for text in rows.texts] if settings.train.tune.enabled else []
    plan = plan_folds(rows, n_folds=settings.train.n_folds, seed=seed, among=among)
    if len(among) / settings.train.n_folds >= max(ENOUGH_HELD_OUT, 10 * len(rows.labels)):
        plan = plan.first_only()
    return Session(
        rows=rows,
        embeddings=embeddings,
        token_ids=token_ids,
        among=among,
        plan=plan,
        backbone=backbone,
        settings=settings,
        task=task,
        budget=budget,
        seed=seed,
        scratch=scratch,
        emit=emit,
    )


def _climb(session: Session) -> tuple[list[Line], Line]:
    """Every rung, cheapest first; all lines, and the chosen one."""
    lines: list[Line] = []
    best: Line | None = None
    if session.settings.train.probe.enabled:
        lines, best = _probe(session)
        for line in lines:
            session.emit("train.candidate", line.result().model_dump(mode="json"))
    if session.settings.train.tune.enabled:
        tuned = _tune(session, best)
        lines.append(tuned)
        if best is None:
            best = tuned if tuned.status == "done" else None
        else:
            best = choose(best, tuned)
        session.emit("train.candidate", tuned.result().model_dump(mode="json"))
    if best is None:
        raise NoCandidate(
            reasons_en=" ".join(line.note_en for line in lines), reasons_zh="".join(line.note_zh for line in lines)
        )
    best.chosen = True
    return lines, best


def _probe(session: Session) -> tuple[list[Line], Line]:
    budget = session.budget
    lines, best = probe_lines(
        session.embeddings,
        session.rows,
        session.settings.train.probe,
        task=session.task,
        among=session.among,
        n_folds=session.settings.train.n_folds,
        seed=session.seed,
        left_s=lambda: PROBE_SHARE * budget.budget_s - budget.spent_s,
    )
    assert best.plan is not None
    if len(session.among) < session.rows.n_examples:
        best.note(
            f"Learnt from {len(session.among)} of {session.rows.n_examples} rows: the budget ended before all were read.",
            f"只用了 {session.rows.n_examples} 行中的 {len(session.among)} 行:预算在读完之前已用完。",
        )
    sampled = best.plan.held_out.size and best.plan.held_out.size < session.plan.held_out.size
    if (sampled or len(session.plan.folds) < len(best.plan.folds)) and session.plan.held_out.size:
        rescore(best, session.plan, session.rows, task=session.task)
    return lines, best


def _tune(session: Session, probe: Line | None) -> Line:
    """The tuned line, whatever became of it."""
    try:
        from feilun.train.tuning import tune_line
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        line = Line("tune", status="skipped")
        line.note(
            "Needs torch, which is not installed: pip install 'feilun[train]'",
            "需要 torch,但尚未安装:pip install 'feilun[train]'",
        )
        return line
    return tune_line(session, probe)


def _final_fit(session: Session, best: Line) -> Fitted:
    assert best.candidate is not None
    with measured(best.cost):
        return best.candidate.fit(session.everything, fold=None, time_limit_s=max(session.budget.left_s, 1.0))


def _validation(session: Session, best: Line, fitted: Fitted, held_out: np.ndarray) -> dict[str, np.ndarray]:
    """The out-of-fold answers in the order of the dataset; `rows` says which training examples they are for."""
    order = np.argsort(held_out, kind="stable")
    rows = held_out[order]
    n_classes = len(session.rows.labels)
    logits = best.logits if best.logits is not None else np.empty((0, n_classes), dtype=np.float32)
    return {
        "logits": logits[order].astype(np.float32),
        "targets": session.rows.targets[rows].astype(np.uint8),
        "embeddings": fitted.embed(rows).astype(np.float32).reshape(len(rows), fitted.weight.shape[1]),
        "rows": rows.astype(np.int64),
    }


def _meta(session: Session, best: Line, fitted: Fitted, dataset: Dataset, total: Cost) -> dict[str, Any]:
    info = session.backbone.info
    return {
        "dataset_id": dataset.dataset_id,
        "backbone": info.model_dump(mode="json"),
        "max_tokens": session.settings.backbone.max_tokens,
        "settings": session.settings.train.model_dump(mode="json"),
        "method": best.method,
        "n_hidden": int(fitted.weight.shape[1]),
        "n_train": session.rows.n_examples,
        "n_used": len(session.among),
        "n_names": len(session.rows.name_rows),
        "temperature": best.score.temperature if best.score else 1.0,
        "fit": fitted.facts,
        "cpu_s": round(total.cpu_s, 3),
        "wall_s": round(total.wall_s, 3),
        "budget_s": session.budget.budget_s,
        "code_version": __version__,
    }

"""The ladder: probe, then tune, on one leaderboard under one time budget; the better one is fitted on all rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from feilun.config import FeilunSettings
from feilun.network.budget import Budget, Cost, measured
from feilun.records import Backbone, Dataset, TrainResult
from feilun.tasks import Task
from feilun.train.candidate import Fitted
from feilun.train.errors import NoCandidate
from feilun.train.leaderboard import Line, choose
from feilun.train.probe import probe_lines, rescore
from feilun.train.result import write_result
from feilun.train.rows import collect_rows
from feilun.train.search import StudyPlace, search_line
from feilun.train.session import OnEvent, Session, open_session
from feilun.version import __version__

PROBE_SHARE = 0.85
"""Share of the budget after which no further value of c is tried."""


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
    study_place: StudyPlace | None = None,
) -> TrainResult:
    """Find the best network for the dataset within `budget_s` seconds of wall-clock time.

    Args:
        workdir: where the result is left, see `records.TrainResult`; an older result there is replaced at the end.
        on_event: called with (kind, data) as training goes on: train.start, train.embed, train.update, train.epoch,
            train.validation, train.trial, train.candidate, train.chosen.
        cache_dir: where embeddings of frozen backbones are kept between turns; None means inside workdir.
        study_place: where searches are kept, so that a later turn on the same rows goes on; None means inside workdir.
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
            session = open_session(
                rows,
                backbone,
                settings,
                task=task,
                budget=budget,
                seed=seed,
                scratch=scratch,
                cache_dir=cache_dir or workdir / "cache",
                emit=emit,
            )
            lines, best = _climb(session, study_place or StudyPlace(workdir / "search"))
            emit("train.chosen", {"method": best.method, "params": best.params})
            fitted = _final_fit(session, best)
            held_out = best.plan.held_out if best.plan else np.empty(0, dtype=np.int64)
            validation = _validation(session, best, fitted, held_out)
        total.cpu_s += session.elsewhere.cpu_s
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


def _climb(session: Session, place: StudyPlace) -> tuple[list[Line], Line]:
    """Every rung, cheapest first; all lines, and the chosen one."""
    lines: list[Line] = []
    best: Line | None = None
    if session.settings.train.probe.enabled:
        lines, best = _probe(session)
        for line in lines:
            session.emit("train.candidate", line.result().model_dump(mode="json"))
    tuned = None
    if session.settings.train.tune.enabled:
        tuned = _tune(session, best)
        lines.append(tuned)
        best = choose(best, tuned)
        session.emit("train.candidate", tuned.result().model_dump(mode="json"))
    if session.settings.train.search.enabled:
        found, session.search = search_line(session, tuned, place)
        lines.append(found)
        best = choose(best, found)
        session.emit("train.candidate", found.result().model_dump(mode="json"))
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
        n_folds=session.settings.train.n_folds,
        seed=session.seed,
        left_s=lambda: PROBE_SHARE * budget.budget_s - budget.spent_s,
    )
    assert best.plan is not None
    if session.rows.n_examples < session.n_offered:
        best.note(
            f"Learnt from {session.rows.n_examples} of {session.n_offered} rows: no time to read more.",
            f"时间不够，只用了 {session.n_offered} 行中的 {session.rows.n_examples} 行。",
        )
    sampled = best.plan.held_out.size and best.plan.held_out.size < session.plan.held_out.size
    if (sampled or len(session.plan.folds) < len(best.plan.folds)) and session.plan.held_out.size:
        rescore(best, session.plan, session.rows, task=session.task)
    return lines, best


def _tune(session: Session, probe: Line | None) -> Line:
    """The tuned line, whatever became of it."""
    if session.budget.left_s <= 0:
        line = Line("tune", status="skipped")
        line.note("The budget is used up. Raise [train] budget_s.", "预算已用完。请提高 [train] budget_s。")
        return line
    try:
        from feilun.train.tuning import tune_line
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        line = Line("tune", status="skipped")
        line.note(
            "Needs torch, which is not installed: pip install 'feilun[train]'",
            "需要 torch，但尚未安装：pip install 'feilun[train]'",
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
        "rows": session.rows.places[rows].astype(np.int64),
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
        "n_train": session.n_offered,
        "n_used": session.rows.n_examples,
        "n_names": len(session.rows.name_rows),
        "temperature": best.score.temperature if best.score else 1.0,
        "fit": fitted.facts,
        "search": session.search.model_dump(mode="json") if session.search else None,
        "cpu_s": round(total.cpu_s, 3),
        "wall_s": round(total.wall_s, 3),
        "budget_s": session.budget.budget_s,
        "code_version": __version__,
    }

"""The ladder: probe, tune, adapt, full on one leaderboard under one time budget; the best one becomes the network."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from feilun.config import FeilunSettings
from feilun.network.budget import Budget, Cost, measured
from feilun.network.checkpoint import Checkpoints
from feilun.records import Backbone, Dataset, Need, TrainResult
from feilun.tasks import Task
from feilun.train.candidate import Fitted
from feilun.train.errors import NoCandidate
from feilun.train.leaderboard import Line, choose
from feilun.train.probe import Probe, probe_lines, rescore
from feilun.train.propagate import propagate_line
from feilun.train.recipe import settle_recipe
from feilun.train.result import write_result
from feilun.train.room import check_room
from feilun.train.rows import TrainingRows, collect_rows
from feilun.train.scoring import is_better
from feilun.train.search import StudyPlace, search_line
from feilun.train.session import OnEvent, Session, learning_rungs, open_session
from feilun.version import __version__

PROBE_SHARE = 0.85
"""Share of the budget after which no further value of c is tried."""
EXTRAS = {"torch": "train", "peft": "adapt"}


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
            What a killed run of the same work left there is taken up, and ends with the same bytes.
        on_event: called with (kind, data) as training goes on: train.start, train.room, train.embed,
            train.update, train.epoch, train.validation, train.trial, train.candidate, train.chosen.
        cache_dir: where embeddings of frozen backbones are kept between turns; None means inside workdir.
        study_place: where searches are kept, so that a later turn on the same rows goes on; None means inside workdir.
    Returns:
        The result, as `load_result` reads it from workdir.
    Raises:
        NothingToLearn: fewer than two classes have a row.
        NoCandidate: every rung is switched off, or none could run.
        NotEnoughRoom: memory or disk would run out on the way.
    """
    emit = on_event or (lambda kind, data: None)
    rows = collect_rows(dataset, settings.train, task=task)
    settings = settle_recipe(settings, n_examples=rows.n_examples, n_classes=len(rows.labels))
    emit("train.start", {"n_rows": rows.n_examples, "n_classes": len(rows.labels), "budget_s": budget_s, "seed": seed})
    room = check_room(rows, backbone, settings, task=task, folder=workdir)
    for method, needs in room.items():
        for need in needs:
            if need.verdict != "AMPLE":
                emit("train.room", {"candidate": method, **need.model_dump()})
    checkpoints = Checkpoints(workdir / "checkpoints", key=_key(rows, backbone, settings, seed=seed))
    budget = Budget(budget_s, spent_s=_spent_s(checkpoints))
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
                checkpoints=checkpoints,
                emit=emit,
            )
            lines, best = _climb(
                session, room, study_place or StudyPlace(workdir / "search"), _pool(dataset, rows, task=task, seed=seed)
            )
            emit("train.chosen", {"method": best.method, "params": best.params})
            fitted = _final_fit(session, best)
            held_out = best.plan.held_out if best.plan else np.empty(0, dtype=np.int64)
            validation = _validation(session, best, fitted, held_out)
        total.cpu_s += session.elsewhere.cpu_s
        result = write_result(
            workdir,
            labels=rows.labels,
            leaderboard=tuple(line.result() for line in lines),
            seed=seed,
            meta=_meta(session, best, fitted, dataset, total),
            network={
                **fitted.tensors,
                "head.weight": fitted.weight,
                "head.bias": fitted.bias,
                **(fitted.neighbours.arrays() if fitted.neighbours else {}),
            },
            validation=validation,
            files=fitted.files,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    shutil.rmtree(checkpoints.folder)
    return result


def _pool(dataset: Dataset, rows: TrainingRows, *, task: Task, seed: int) -> list[str]:
    """The messages without a label in random order, each once, none that is labelled or held out somewhere."""
    spoken_for = set(rows.texts) | {task.text_of(example.inputs) for example in dataset.holdout}
    texts = dict.fromkeys(task.text_of(example.inputs) for example in dataset.unlabelled)
    free = [text for text in texts if text not in spoken_for]
    return [free[place] for place in np.random.default_rng([seed, 2]).permutation(len(free))]


def _spent_s(checkpoints: Checkpoints) -> float:
    """Seconds of the budget that were spent before the process was killed, as far as its last finished fold."""
    found = [kept[1].get("spent_s", 0.0) for name in checkpoints.names() if (kept := checkpoints.find(name))]
    return max(found, default=0.0)


def _climb(
    session: Session, room: dict[str, list[Need]], place: StudyPlace, pool: list[str]
) -> tuple[list[Line], Line]:
    """Every rung, cheapest first; all lines, and the chosen one."""
    lines: list[Line] = []
    probe: Line | None = None
    if session.settings.train.probe.enabled:
        lines, probe = _probe(session)
    best = probe
    for method in learning_rungs(session.settings.train):
        line = _skipped(session, method, best=best, room=room[method])
        line = line or _learn(session, method, probe=probe, best=best)
        lines.append(line)
        best = choose(best, line, session.rows, task=session.task)
        session.tell(line)
        for other in lines:
            if other is not best:
                other.fits = []  # memory
    if session.settings.train.search.enabled:
        tuned = next((line for line in lines if line.method == "tune"), None)
        found, session.search = search_line(session, tuned, place)
        lines.append(found)
        best = choose(best, found, session.rows, task=session.task)
        session.tell(found)
    if session.settings.train.propagate.enabled and best is not None and pool:
        helped = propagate_line(session, best, pool)
        lines.append(helped)
        best = choose(best, helped, session.rows, task=session.task)
        session.tell(helped)
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
        on_line=session.tell,
    )
    assert best.plan is not None
    if session.rows.n_examples < session.n_offered:
        best.note(
            f"Learnt from {session.rows.n_examples} of {session.n_offered} rows: no time to read more.",
            f"时间不够，只用了 {session.n_offered} 行中的 {session.rows.n_examples} 行。",
        )
    if session.settings.train.class_weight == "auto" and session.rows.is_imbalanced and best.score is not None:
        best = _weigh(session, lines, best)
    assert best.plan is not None
    if len(best.plan.held_out) != len(session.plan.held_out) and session.plan.held_out.size:
        rescore(best, session.plan, session.rows, task=session.task)
    return lines, best


def _weigh(session: Session, lines: list[Line], plain: Line) -> Line:
    """Try the best probe with rare classes weighed up; all rungs above use the weights that did better.

    The metric of the goal decides; when that is accuracy, both leads do, as between any two candidates.
    """
    rows = session.rows.balanced()
    assert isinstance(plain.candidate, Probe) and plain.plan is not None and plain.score is not None
    candidate = Probe(session.embeddings, rows, task=session.task, c=plain.candidate.c, seed=session.seed)
    line = Line("probe", {**candidate.params, "class_weight": "balanced"}, candidate, plain.plan)
    rescore(line, plain.plan, rows, task=session.task)
    assert line.score is not None
    metric = session.settings.goal.metric
    if metric != "accuracy" and metric in line.score.metrics:
        wins = line.score.metrics[metric] > plain.score.metrics[metric]
    else:
        metric, wins = "accuracy", is_better(line.score, plain.score)
    lines.append(line)
    if wins:
        session.rows = rows
        line.note(
            "Classes are of unequal size; weighing rare ones up did better.",
            "各类样本数不均衡；提高少数类的权重效果更好。",
        )
    else:
        line.note(
            f"Classes are of unequal size, but weighing rare ones up did not better {metric}.",
            f"各类样本数不均衡，但提高少数类的权重并未改善 {metric}。",
        )
    session.tell(line)
    return line if wins else plain


def _skipped(session: Session, method: str, *, best: Line | None, room: list[Need]) -> Line | None:
    """A skipped line when the rung is not worth its time; None when it is."""
    line = Line(method, status="skipped")
    lacking = next((need for need in room if need.verdict == "OVER"), None)
    if lacking is not None:
        line.note(
            f"Not tried: it needs about {lacking.needs:.0f} MB of memory; {lacking.has:.0f} MB are left.",
            f"未尝试：大约需要 {lacking.needs:.0f} MB 内存，目前只剩 {lacking.has:.0f} MB。",
        )
    elif session.budget.left_s <= 0:
        line.note("The budget is used up. Raise [train] budget_s.", "预算已用完。请提高 [train] budget_s。")
    elif not len(session.plan.held_out):
        line.note(
            "Not tried: with one row a class, and names that say nothing, it could not be judged.",
            "未尝试：每个类别只有一行样本，且类别名称没有含义，无法评估。",
        )
    elif method == "full" and session.rows.n_examples < session.settings.train.full.min_rows:
        least = session.settings.train.full.min_rows
        line.note(
            f"Not tried: training all layers pays from {least} examples on ([train.full] min_rows); "
            f"there are {session.rows.n_examples}.",
            f"未尝试：样本达到 {least} 条（[train.full] min_rows）时训练所有层才划算，"
            f"现有 {session.rows.n_examples} 条。",
        )
    elif method == "full" and session.settings.train.tune.enabled and best is not None and best.method == "probe":
        line.note(
            "Not tried: tuning the upper layers was no better than the probe.",
            "未尝试：微调上层并不优于探针。",
        )
    else:
        return None
    return line


def _learn(session: Session, method: str, *, probe: Line | None, best: Line | None) -> Line:
    """The line of a rung that needs torch, whatever became of it."""
    try:
        if method == "adapt":
            import peft  # noqa: F401
        from feilun.train.tuning import learn_line
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        line = Line(method, status="skipped")
        line.note(
            f"Needs {error.name}, which is not installed: pip install 'feilun[{EXTRAS[error.name]}]'",
            f"需要 {error.name}，但尚未安装：pip install 'feilun[{EXTRAS[error.name]}]'",
        )
        return line
    return learn_line(session, method, probe=probe, best=best)


def _final_fit(session: Session, best: Line) -> Fitted:
    assert best.candidate is not None
    with measured(best.cost):
        return best.candidate.finish(session.everything, best.fits, time_limit_s=max(session.budget.left_s, 1.0))


def _key(rows: TrainingRows, backbone: Backbone, settings: FeilunSettings, *, seed: int) -> str:
    """What a checkpoint belongs to: the same rows, backbone, settings, seed and version."""
    digest = hashlib.sha256()
    for text in rows.texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    digest.update(rows.targets.tobytes() + rows.weights.tobytes())
    said = (backbone.info.fingerprint, str(settings.backbone.max_tokens), str(seed), __version__)
    digest.update("\0".join((*said, settings.train.model_dump_json(), settings.goal.metric)).encode())
    return digest.hexdigest()


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

"""The search as a rung of the ladder: after tune, on tune's folds, in the time that is left."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from feilun.errors import FeilunError
from feilun.network.budget import measured
from feilun.records import SearchReport
from feilun.train.leaderboard import Line
from feilun.train.scoring import score
from feilun.train.search.place import StudyPlace
from feilun.train.search.space import NOT_OF_TUNE, given_params, searched
from feilun.train.session import Session

if TYPE_CHECKING:
    from feilun.train.search.desk import Executor
    from feilun.train.search.trial import Fixed

CAUTION = 1.25
"""The final fit is given this much more time than tune's own fits took."""
PACKAGES = {"optuna": "search", "ray": "scale"}


def search_line(session: Session, tuned: Line | None, place: StudyPlace) -> tuple[Line, SearchReport | None]:
    """The best trial as a line of the leaderboard, and what was tried; skipped with a note when it could not be.

    Args:
        tuned: the tune rung's line; the search is judged on its folds and begins with its settings.
    """
    line, report = Line("search"), None
    excuse = _excuse(session, tuned)
    if excuse is not None:
        line.status = "skipped"
        line.note(*excuse)
        return line, None
    assert tuned is not None
    with measured(line.cost):
        try:
            report = _search(session, tuned, place, line)
        except FeilunError as error:
            line.status = "failed"
            line.note(error.message("en"), error.message("zh"))
    return line, report


def _excuse(session: Session, tuned: Line | None) -> tuple[str, str] | None:
    """Why no search can be made, in both languages."""
    settings = session.settings.train.search
    needed = ["optuna", "ray"] if settings.executor == "ray" else ["optuna"]
    missing = next((name for name in needed if find_spec(name) is None), None)
    if missing is not None:
        install = f"pip install 'feilun[{PACKAGES[missing]}]'"
        return f"Needs {missing}, which is not installed: {install}", f"需要 {missing}，但尚未安装：{install}"
    if tuned is None or tuned.score is None or tuned.plan is None:
        return (
            "The search begins with what tune came to, and tune was not judged: see its line, "
            "or set enabled = true in [train.tune].",
            "搜索从微调开始，而微调未能评估：请查看该候选的说明，或在 [train.tune] 中设置 enabled = true。",
        )
    if not searched(settings.space):
        return (
            "Every list in [train.search.space] is empty: there is nothing to vary.",
            "[train.search.space] 中的列表全部为空：没有可变的设置。",
        )
    return None


def _search(session: Session, tuned: Line, place: StudyPlace, line: Line) -> SearchReport:
    from feilun.train.search.desk import Desk
    from feilun.train.search.study import open_study
    from feilun.train.search.trial import Fixed, Winner

    assert tuned.score is not None and tuned.plan is not None
    fixed = Fixed(tuned.plan, epochs=int(tuned.params["epochs"]), head_c=float(tuned.params[NOT_OF_TUNE]))
    n_folds = len(fixed.plan.folds)
    with open_study(place, session, fixed) as study:
        study.begin(given_params(session.settings, epochs=fixed.epochs, head_c=fixed.head_c), tuned.score.metrics)
        desk = Desk(
            study,
            session,
            n_folds=n_folds,
            expected_s=tuned.cost.wall_s,
            reserve_s=CAUTION * tuned.cost.wall_s / n_folds,
        )
        _executor(session, fixed)(desk)
        report, best = study.report(), study.best()
        logits = study.answers(best.number) if best is not None else None
    if session.settings.train.search.executor == "ray" or session.settings.train.search.n_workers > 1:
        session.elsewhere.cpu_s += desk.cpu_s
        line.cost.cpu_s += desk.cpu_s
    _say(line, report, stopped=desk.stopped)
    if best is None or logits is None:
        line.status = "stopped"
        return report
    winner = Winner(session, fixed, dict(best.params))
    line.params, line.candidate, line.plan, line.logits = winner.params, winner, fixed.plan, logits
    line.score = score(logits, session.rows.targets[fixed.plan.held_out], task=session.task)
    return report


def _executor(session: Session, fixed: Fixed) -> Executor:
    from feilun.train.search.desk import in_this_process
    from feilun.train.search.trial import listen

    settings = session.settings.train.search
    if settings.executor == "processes" and settings.n_workers == 1:
        return in_this_process(partial(listen, session, fixed))
    from feilun.train.search.job import write_job

    job = session.scratch / "search"
    write_job(job, session, fixed)
    if settings.executor == "ray":
        from feilun.train.search.on_ray import on_ray

        return on_ray(job, n_workers=settings.n_workers)
    from feilun.train.search.processes import in_processes

    return in_processes(job, n_workers=settings.n_workers)


def _say(line: Line, report: SearchReport, *, stopped: str) -> None:
    """What came of it, in a sentence or two."""
    n_tried = sum(trial.status in ("done", "pruned") and not trial.is_given for trial in report.trials)
    line.note(
        f"Best of {n_tried} trials ({report.method}); {report.n_pruned} given up early, {report.n_failed} failed.",
        f"{n_tried} 次试验中最好的一次（{report.method}）；提前放弃 {report.n_pruned} 次，失败 {report.n_failed} 次。",
    )
    if report.n_earlier:
        line.note(f"{report.n_earlier} were made by an earlier turn.", f"其中 {report.n_earlier} 次来自之前的轮次。")
    if stopped == "out_of_time":
        line.note(
            f"{report.n_asked} were asked for; the budget ended. The next turn on the same data goes on.",
            f"计划 {report.n_asked} 次，但预算已用完。下次在相同数据上运行时会继续。",
        )
    if stopped == "workers_die":
        line.note(
            "The processes that run trials died one after another; memory may be short. "
            "Lower [train.search] n_workers.",
            "运行试验的进程接连中止，可能是内存不足。请调低 [train.search] n_workers。",
        )

"""The search: trials that are the same each time, taken up after a crash, and never better than the gate allows."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feilun.config import SearchSpaceSettings
from feilun.network.budget import Budget
from feilun.network.checkpoint import Checkpoints
from feilun.process import child_environment
from feilun.records import Backbone
from feilun.store import EVERYWHERE, Store
from feilun.tasks import get_task
from feilun.tasks.classify import ClassifyTask
from feilun.train.leaderboard import Line
from feilun.train.rows import collect_rows
from feilun.train.search import StudyPlace, search_line
from feilun.train.search.desk import Desk
from feilun.train.search.job import read_job, write_job
from feilun.train.search.space import grid
from feilun.train.search.study import Study, open_study
from feilun.train.search.trial import Fixed, Heard, Judged, Work, listen
from feilun.train.session import Session, open_session
from tests.train.conftest import MANY, Train, dataset_of, examples_of, settings_of

TUNE = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "min_updates": 0}
NOTHING = {name: [] for name in SearchSpaceSettings.model_fields}
RATES = NOTHING | {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "epochs": [1, 2]}


def _train(*, n_folds: int = 2, **search: Any) -> dict[str, Any]:
    about = {"enabled": True, "method": "random", "n_trials": 3, "space": RATES}
    return {"n_folds": n_folds, "probe": {"c": [10.0]}, "tune": TUNE, "search": about | search}


def _session(backbone: Backbone, folder: Path, **search: Any) -> tuple[Session, Fixed]:
    settings = settings_of(train=_train(n_folds=3, **search))
    task = get_task(settings.task)
    folder.mkdir(exist_ok=True)
    session = open_session(
        collect_rows(dataset_of(examples_of(MANY)), settings.train, task=task),
        backbone,
        settings,
        task=task,
        budget=Budget(1000),
        seed=0,
        scratch=folder,
        cache_dir=folder / "cache",
        checkpoints=Checkpoints(folder / "checkpoints", key="test"),
        emit=lambda kind, data: None,
    )
    return session, Fixed(session.plan, epochs=2, head_c=10.0)


def _judged(log_loss: float, *, n_folds: int = 3) -> Judged:
    return Judged(n_folds, np.zeros((30, 3), dtype=np.float32), {"log_loss": log_loss, "accuracy": 0.5})


def _finish(study: Study, log_loss: float) -> int:
    asked = study.ask()
    assert asked is not None
    for n_folds in (1, 2, 3):
        study.go_on(asked[0], n_folds=n_folds, log_loss=log_loss)
    study.finish(asked[0], _judged(log_loss), cpu_s=1.0, wall_s=2.0)
    return asked[0]


def _tried(result: Any) -> list[tuple[Any, ...]]:
    return [(t["params"], t["log_loss"], t["status"]) for t in result.meta["search"]["trials"]]


# ------------------------------------------------------------------------------------------------------ the rung


def test_the_best_trial_is_a_line_judged_on_the_folds_of_tune_and_the_report_tells_every_trial(run_train: Train):
    events: list[tuple[str, dict[str, Any]]] = []
    result = run_train(
        dataset_of(examples_of(MANY)), train=_train(), on_event=lambda kind, data: events.append((kind, data))
    )
    _, tuned, _, found = result.leaderboard  # probe, tune, full (too few rows), search
    search = result.meta["search"]
    assert (found.method, found.status) == ("search", "done")
    assert {found.validation[k] for k in ("n_rows", "n_folds")} == {tuned.validation[k] for k in ("n_rows", "n_folds")}
    given, *trials = search["trials"]
    assert given["is_given"]
    assert given["params"] == {"learning_rate": 1e-3, "epochs": 2}
    assert given["log_loss"] == tuned.validation["log_loss"]
    best = min(trials, key=lambda trial: trial["log_loss"])
    assert found.validation["log_loss"] == pytest.approx(best["log_loss"])
    assert found.params == best["params"]
    assert {"n_asked": 3, "n_done": 4, "n_pruned": 0, "n_failed": 0, "n_earlier": 0}.items() <= search.items()
    told = [data for kind, data in events if kind == "train.trial"]
    assert [data["number"] for data in told] == [1, 2, 3]
    assert [data["validation"]["log_loss"] for data in told] == [trial["log_loss"] for trial in trials]


def test_the_same_seed_makes_the_same_trials_and_another_seed_others(run_train: Train):
    first, again, other = (
        _tried(run_train(train=_train(), folder=folder, seed=seed)) for folder, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert [params for params, *_ in first[1:]] != [params for params, *_ in other[1:]]


def test_a_search_taken_up_again_makes_the_trials_it_would_have_made(run_train: Train):
    whole = run_train(train=_train(method="tpe", n_trials=9), folder="whole")
    run_train(train=_train(method="tpe", n_trials=4), folder="parts")
    parts = run_train(train=_train(method="tpe", n_trials=9), folder="parts")
    assert _tried(parts) == _tried(whole)
    assert (parts.meta["search"]["n_earlier"], whole.meta["search"]["n_earlier"]) == (4, 0)
    assert parts.leaderboard[-1].validation == whole.leaderboard[-1].validation
    assert "4 were made by an earlier turn" in parts.leaderboard[-1].note_en
    assert set(whole.meta["search"]["importances"]) == {"learning_rate", "epochs"}
    assert sum(whole.meta["search"]["importances"].values()) == pytest.approx(1, abs=0.001)


def test_a_worse_winner_does_not_replace_what_is_there(run_train: Train):
    useless = NOTHING | {"learning_rate": [1e-6], "epochs": [1]}
    result = run_train(dataset_of(examples_of(MANY)), train=_train(n_trials=1, space=useless))
    chosen = next(line for line in result.leaderboard if line.chosen)
    assert chosen.method != "search"
    assert "Not chosen" in result.leaderboard[-1].note_en


def test_the_chosen_winner_is_fitted_on_all_rows_with_its_own_settings(run_train: Train):
    lame = {"n_folds": 2, "probe": {"enabled": False}, "tune": {**TUNE, "learning_rate": 1e-6, "epochs": 1}}
    better = NOTHING | {"learning_rate": [5e-3], "epochs": [6], "head_c": [100.0]}
    search = {"enabled": True, "n_trials": 1, "method": "grid", "space": better}
    result = run_train(dataset_of(examples_of(MANY)), train=lame | {"search": search})
    chosen = next(line for line in result.leaderboard if line.chosen)
    assert (chosen.method, result.meta["method"]) == ("search", "search")
    assert result.meta["fit"]["n_epochs"] == 6


def test_a_trial_that_diverges_has_failed_and_the_search_goes_on(run_train: Train):
    class Explosive(ClassifyTask):
        def loss(self, logits: Any, targets: Any, sample_weight: Any) -> Any:
            n_rows = len(targets)
            return super().loss(logits, targets, sample_weight) * (float("inf") if n_rows < 4 else 1)

    sizes = NOTHING | {"batch_size": [2, 8]}
    settings = settings_of(train=_train(method="grid", space=sizes))
    result = run_train(
        dataset_of(examples_of(MANY)), train=_train(method="grid", space=sizes), task_object=Explosive(settings.task)
    )
    ended = {trial["params"]["batch_size"]: trial["status"] for trial in result.meta["search"]["trials"][1:]}
    assert ended == {2: "failed", 8: "done"}
    assert result.meta["search"]["n_failed"] == 1


@pytest.mark.parametrize(
    ("package", "executor", "extra"),
    [("optuna", "processes", "search"), ("ray", "ray", "scale")],
    ids=["optuna", "ray"],
)
def test_a_missing_package_is_a_skipped_line_that_names_the_extra(
    run_train: Train, monkeypatch: pytest.MonkeyPatch, package: str, executor: str, extra: str
):
    monkeypatch.setitem(sys.modules, package, None)
    line = run_train(train=_train(executor=executor)).leaderboard[-1]
    assert (line.method, line.status) == ("search", "skipped")
    assert f"pip install 'feilun[{extra}]'" in line.note_en
    assert f"pip install 'feilun[{extra}]'" in line.note_zh


def test_on_postgresql_a_study_lives_beside_our_own_tables(tmp_path: Path, postgres_url: str):
    from optuna.study import StudyDirection

    with Store(tmp_path / ".feilun", url=postgres_url) as store:
        for _ in range(2):
            storage = StudyPlace(tmp_path, store.url).open_storage()
            if not storage.get_all_studies():
                storage.create_new_study([StudyDirection.MINIMIZE], "mine")
            storage.remove_session()
            storage.engine.dispose()
        with store.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT study_name FROM feilun_search.studies").scalars().all()
        assert (found, store.list_projects(EVERYWHERE)) == (["mine"], [])


def test_without_a_judged_tune_rung_or_a_space_there_is_nothing_to_search(tiny_backbone: Backbone, tmp_path: Path):
    session, fixed = _session(tiny_backbone, tmp_path / "a")
    line, report = search_line(session, None, StudyPlace(tmp_path))
    assert (line.status, report) == ("skipped", None)
    assert "[train.tune]" in line.note_zh
    session, fixed = _session(tiny_backbone, tmp_path / "b", space=NOTHING)
    tuned = Line("tune", plan=fixed.plan, score=object())  # type: ignore[arg-type]
    line, report = search_line(session, tuned, StudyPlace(tmp_path))
    assert (line.status, report) == ("skipped", None)
    assert "[train.search.space]" in line.note_en


# ----------------------------------------------------------------------------------------------------- the study


def test_a_hopeless_trial_is_pruned_after_its_first_fold_and_recorded(tiny_backbone: Backbone, tmp_path: Path):
    session, fixed = _session(tiny_backbone, tmp_path / "a", n_trials=20)
    with open_study(StudyPlace(tmp_path), session, fixed) as study:
        for _ in range(6):
            _finish(study, 0.2)
        desk = Desk(study, session, n_folds=3, expected_s=0, reserve_s=0)
        work = desk.next()
        assert work is not None
        assert not desk.hear(work.number, Heard(_judged(0.9, n_folds=1), 3.0, 4.0))
        last = study.report().trials[-1]
        assert (last.status, last.n_folds, last.log_loss, last.cpu_s, last.wall_s) == ("pruned", 1, 0.9, 3.0, 4.0)
        work = desk.next()
        assert work is not None
        assert desk.hear(work.number, Heard(_judged(0.1, n_folds=1), 3.0, 4.0))


def test_what_ran_when_the_machine_stopped_is_failed_and_tried_once_more(tiny_backbone: Backbone, tmp_path: Path):
    session, fixed = _session(tiny_backbone, tmp_path / "a", n_trials=3)
    place, asked = StudyPlace(tmp_path), []
    for _ in range(3):
        with open_study(place, session, fixed) as study:  # left without a word, as by a power cut
            asked.append(study.ask())
    first, second, third = asked
    assert first[1] == second[1] != third[1]
    with open_study(place, session, fixed) as study:
        report = study.report()
        assert [(t.status, t.reason) for t in report.trials] == [("failed", "killed")] * 3
        assert report.n_earlier == 1  # the trial that died twice is not tried a third time


def test_a_trial_out_of_time_waits_for_the_next_turn(tiny_backbone: Backbone, tmp_path: Path):
    session, fixed = _session(tiny_backbone, tmp_path / "a")
    place = StudyPlace(tmp_path)
    with open_study(place, session, fixed) as study:
        desk = Desk(study, session, n_folds=3, expected_s=0, reserve_s=0)
        work = desk.next()
        assert work is not None
        (heard,) = listen(session, fixed, Work(work.number, work.params, time_limit_s=-1.0))
        assert not desk.hear(work.number, heard)
        assert (desk.stopped, desk.next()) == ("out_of_time", None)
        assert study.report().trials[0].status == "stopped"
    with open_study(place, session, fixed) as study:
        assert study.ask() == (1, work.params)
        assert study.report().n_earlier == 0


def test_no_trial_begins_when_a_usual_one_would_not_end_in_time(tiny_backbone: Backbone, tmp_path: Path):
    session, fixed = _session(tiny_backbone, tmp_path / "a")
    with open_study(StudyPlace(tmp_path), session, fixed) as study:
        desk = Desk(study, session, n_folds=3, expected_s=1e6, reserve_s=0)
        assert (desk.next(), desk.stopped) == (None, "out_of_time")
        assert study.report().trials == ()


def test_a_study_is_known_by_rows_space_and_seed_and_belongs_to_one_turn_at_a_time(
    tiny_backbone: Backbone, tmp_path: Path
):
    place = StudyPlace(tmp_path)
    session, fixed = _session(tiny_backbone, tmp_path / "a")
    keys = set()
    for search in ({}, {"n_trials": 9, "executor": "ray"}, {"method": "tpe"}, {"space": NOTHING | {"epochs": [1, 3]}}):
        other, _ = _session(tiny_backbone, tmp_path / "a", **search)
        with open_study(place, other, fixed) as study:
            keys.add(study.key)
    assert len(keys) == 3  # how many trials, and what runs them, makes no other study
    tuned = Line("tune", {"epochs": 2, "head_c": 10.0}, plan=fixed.plan)
    tuned.score = type("Scored", (), {"metrics": {"log_loss": 1.0}})()  # type: ignore[assignment]
    with open_study(place, session, fixed):
        line, report = search_line(session, tuned, place)
    assert (line.status, report) == ("failed", None)
    assert "Another turn is searching" in line.note_en


def test_only_the_answers_of_the_best_trial_are_kept_and_the_database_holds_no_bytes(
    tiny_backbone: Backbone, tmp_path: Path
):
    session, fixed = _session(tiny_backbone, tmp_path / "a", n_trials=9)
    with open_study(StudyPlace(tmp_path), session, fixed) as study:
        study.begin({"learning_rate": 1e-3, "epochs": 2}, {"log_loss": 0.05})
        numbers = [_finish(study, loss) for loss in (0.3, 0.2, 0.4)]
        best = study.best()
        assert best is not None
        assert best.number == numbers[1]
        assert study.answers(best.number) is not None
        assert [path.name for path in (tmp_path / study.key).iterdir()] == [f"trial-{best.number}.safetensors"]
    database = sqlite3.connect(tmp_path / "search.db")
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = [row for table in tables for row in database.execute(f"SELECT * FROM {table}")]
    database.close()
    assert len(rows) > 20
    assert not [value for row in rows for value in row if isinstance(value, bytes)]


def test_a_grid_has_every_point_once_and_its_beginning_is_spread():
    space = SearchSpaceSettings.model_validate(
        NOTHING
        | {"epochs": {"low": 2, "high": 6, "step": 2}, "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    )
    points = list(grid(space, seed=3))
    assert {p["epochs"] for p in points} == {2, 4, 6}
    assert {p["learning_rate"] for p in points} == {1e-4, 1e-3, 1e-2}
    assert len({tuple(p.values()) for p in points}) == len(points) == 9
    assert {p["epochs"] for p in islice(points, 5)} == {2, 4, 6}


def test_a_job_is_read_as_it_was_written_but_for_the_texts(tiny_backbone: Backbone, tmp_path: Path):
    session, fixed = _session(tiny_backbone, tmp_path / "a")
    write_job(tmp_path / "job", session, fixed)
    read, also = read_job(tmp_path / "job")
    assert read.token_ids == session.token_ids
    assert (read.settings, read.backbone, read.rows.labels) == (session.settings, session.backbone, session.rows.labels)
    np.testing.assert_array_equal(read.rows.targets, session.rows.targets)
    np.testing.assert_array_equal(read.embeddings, session.embeddings)
    assert len(also.plan.folds) == len(fixed.plan.folds) == 3
    for ours, theirs in zip(fixed.plan.folds, also.plan.folds, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    assert not [path for path in (tmp_path / "job").glob("job.*") if b"parcel" in path.read_bytes()]


# ------------------------------------------------------------------------------------------------ real processes


def _kill_the_first_worker(killed: list[int]) -> None:
    """Send SIGKILL to the first worker of ours that shows up."""
    ours = str(os.getpid())
    while not killed:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if "feilun.train.search.worker" in words and ours in words:
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(int(folder.name))
                return
        time.sleep(0.05)


@pytest.mark.journey
@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker in /proc")
def test_a_worker_killed_with_9_loses_one_try_and_the_search_ends_whole(run_train: Train):
    killed: list[int] = []
    hunter = threading.Thread(target=_kill_the_first_worker, args=(killed,), daemon=True)
    hunter.start()
    result = run_train(train=_train(n_workers=2), budget_s=600)
    hunter.join()
    search = result.meta["search"]
    assert {"n_done": 4, "n_failed": 1}.items() <= search.items()
    (lost,) = [trial for trial in search["trials"] if trial["status"] == "failed"]
    assert lost["reason"] == "killed"
    retried = [t for t in search["trials"] if t["status"] == "done" and t["params"] == lost["params"]]
    assert len(retried) == 1
    alone = run_train(train=_train(), folder="alone").meta["search"]["trials"]
    losses = [sorted(t["log_loss"] for t in trials if t["status"] == "done") for trials in (search["trials"], alone)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)  # other processes, the same trials
    assert result.leaderboard[-1].cpu_s > sum(t["cpu_s"] for t in search["trials"])  # theirs and ours


RAY = """
import json, sys
from pathlib import Path
from feilun.records import Backbone, BackboneInfo
from feilun.tasks import get_task
from feilun.train import train
from tests.train.conftest import MESSAGES, dataset_of, examples_of, settings_of

folder, workdir, sections, info = sys.argv[1:]
settings = settings_of(train=json.loads(sections))
backbone = Backbone(Path(folder), BackboneInfo.model_validate_json(info))
rows = dataset_of(examples_of(MESSAGES))
result = train(rows, backbone, settings, task=get_task(settings.task), workdir=Path(workdir), budget_s=600, seed=0)
import ray
print(json.dumps({"search": result.meta["search"], "is_up": ray.is_initialized()}))
"""


@pytest.mark.journey
def test_ray_tune_runs_the_same_trials_and_leaves_nothing_behind(
    run_train: Train, tiny_backbone: Backbone, tmp_path: Path
):
    pytest.importorskip("ray")
    folder, sections = tiny_backbone.folder, json.dumps(_train(executor="ray", n_trials=2))
    arguments = [str(folder), str(tmp_path / "ray"), sections, tiny_backbone.info.model_dump_json()]
    with tempfile.TemporaryDirectory(prefix="fl-", dir="/tmp") as short:  # sockets will be in it
        done = subprocess.run(
            [sys.executable, "-c", RAY, *arguments],
            env=child_environment(TMPDIR=short),
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert not list(Path(short).glob("feilun-ray-*"))
    found = json.loads(done.stdout)  # and nothing but our line on stdout
    assert not found["is_up"]
    alone = run_train(train=_train(n_trials=2)).meta["search"]["trials"]
    assert [t["status"] for t in found["search"]["trials"]] == ["done"] * 3
    assert [t["params"] for t in found["search"]["trials"]] == [t["params"] for t in alone]
    losses = [[t["log_loss"] for t in trials] for trials in (found["search"]["trials"], alone)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)

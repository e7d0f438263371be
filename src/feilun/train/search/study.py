"""The study: which trial comes next, whether it goes on, what came of it. Nothing else talks to Optuna.

A turn holds the study's lock, so whatever stands as running when a study is opened was killed: it is marked failed and
tried again. Each draw has a seed of its own, so a search taken up again makes the trials that it would have made.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from feilun.config import SearchSettings
from feilun.records import SearchReport, SearchTrial
from feilun.train.search.errors import SearchIsRunning
from feilun.train.search.place import StudyPlace
from feilun.train.search.space import Params, distributions, grid, searched
from feilun.train.search.trial import Fixed, Judged, Reason
from feilun.train.session import Session

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

MOST_TRIES = 2
"""A trial whose process died is tried so often; after that it is the trial that kills, not the machine."""
STARTUP_TRIALS = 6
"""So many trials are drawn at random before TPE learns from them, and finished before any is pruned."""
ENOUGH_FOR_IMPORTANCE = 8
STUDY_VERSION = 1


class Study:
    """An Optuna study with our rules. Not for several threads at once.

    Attributes:
        key: names the study: rows and folds, backbone, space, what is fixed, seed.
        n_earlier: trials that there were when it was opened.
    """

    def __init__(self, study: OptunaStudy, folder: Path, settings: SearchSettings, *, key: str, seed: int) -> None:
        self._study, self._folder, self._settings, self.key, self._seed = study, folder, settings, key, seed
        self._space = distributions(settings.space)
        self._open: dict[int, Trial] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._take_up()
        self.n_earlier = self.n_tried

    # what comes next

    def begin(self, given: Params, metrics: dict[str, float]) -> None:
        """Note what the tune rung's own settings came to, as the first trial, if they lie inside the space."""
        from optuna.trial import create_trial

        if self._trials() or not all(_contains(self._space[name], value) for name, value in given.items()):
            return
        about = {"given": True, "metrics": metrics}
        self._study.add_trial(
            create_trial(params=given, distributions=self._space, value=metrics["log_loss"], user_attrs=about)
        )

    def ask(self) -> tuple[int, Params] | None:
        """The next trial's number and settings; None when there were enough, or the grid has no more points."""
        if self.n_tried + len(self._open) >= self._settings.n_trials:
            return None
        n_drawn = sum("given" not in t.user_attrs and "retry_of" not in t.user_attrs for t in self._trials())
        if self._settings.method == "grid" and not any(t.state.name == "WAITING" for t in self._trials()):
            point = next(islice(grid(self._settings.space, seed=self._seed), n_drawn, None), None)
            if point is None:
                return None
            self._study.enqueue_trial(point)
        self._study.sampler = _sampler(self._settings.method, seed=self._seed, n_drawn=n_drawn)
        trial = self._study.ask(self._space)
        self._open[trial.number] = trial
        return trial.number, dict(trial.params)

    # what came of it

    def go_on(self, number: int, *, n_folds: int, log_loss: float) -> bool:
        """Note where a trial stands; False when it is not worth another fold."""
        trial = self._open[number]
        trial.report(log_loss, step=n_folds)
        return not trial.should_prune()

    def finish(self, number: int, judged: Judged, **cost: float) -> None:
        """All folds are judged. The answers of the best trial are kept, and only those."""
        from optuna.trial import TrialState
        from safetensors.numpy import save

        value = judged.metrics["log_loss"]
        best = self.best()
        if best is None or value < _value(best):
            aside = self._folder / f"{os.getpid()}.partial"
            aside.write_bytes(save({"logits": np.ascontiguousarray(judged.logits)}))
            aside.replace(self._answers(number))
        self._tell(number, TrialState.COMPLETE, value, metrics=judged.metrics, n_folds=judged.n_folds, **cost)
        if self._answers(number).exists() and best is not None:
            self._answers(best.number).unlink(missing_ok=True)

    def prune(self, number: int, metrics: dict[str, float], *, n_folds: int, **cost: float) -> None:
        """The trial was given up after `n_folds` folds."""
        from optuna.trial import TrialState

        self._tell(number, TrialState.PRUNED, None, metrics=metrics, n_folds=n_folds, **cost)

    def fail(self, number: int, reason: Reason, *, told: str = "", **cost: float) -> None:
        """The trial came to nothing. Killed: tried again soon; out of time: in the next turn; failed: never."""
        from optuna.trial import TrialState

        self._tell(number, TrialState.FAIL, None, reason=reason, told=told, **cost)
        if reason == "killed":
            self._retry(self._trials()[number])

    def best(self) -> FrozenTrial | None:
        """The finished trial with the lowest log-loss, beside the tune rung's own; its answers are on disk."""
        done = [t for t in self._trials() if t.state.name == "COMPLETE" and self._answers(t.number).is_file()]
        return min(done, key=_value, default=None)

    def answers(self, number: int) -> np.ndarray | None:
        """The out-of-fold logits of the best trial; None when the file is gone."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return load_file(self._answers(number))["logits"]
        except (FileNotFoundError, SafetensorError, KeyError):
            return None

    # the report

    def report(self) -> SearchReport:
        """Everything tried, in order."""
        trials = [_line(trial) for trial in self._trials() if trial.state.is_finished()]
        scored = [t for t in trials if t.status == "done" and t.log_loss is not None]
        best = min(scored, key=lambda t: t.log_loss or 0.0, default=None)
        counts = {f"n_{state}": sum(t.status == state for t in trials) for state in ("done", "pruned", "failed")}
        return SearchReport(
            study=self.key,
            method=self._settings.method,
            n_asked=self._settings.n_trials,
            n_earlier=self.n_earlier,
            best=best.number if best else None,
            trials=tuple(trials),
            importances=self._importances(),
            **counts,
        )

    def _importances(self) -> dict[str, float]:
        """fANOVA: the share of each setting in how much the log-loss of finished trials varies."""
        done = [t for t in self._trials() if t.state.name == "COMPLETE"]
        if len(done) < ENOUGH_FOR_IMPORTANCE or len({t.value for t in done}) < 2:
            return {}
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        found = get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=0))
        return {name: round(float(share), 4) for name, share in found.items()}

    # inside

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    @property
    def n_tried(self) -> int:
        """Trials that will not be run again: done, pruned, or failed by themselves."""
        over = [t for t in self._trials() if t.state.is_finished() and "given" not in t.user_attrs]
        return sum(t.state.name != "FAIL" or not _may_retry(t) for t in over)

    def _take_up(self) -> None:
        """Bury what was killed, and queue what deserves another try."""
        from optuna.trial import TrialState

        for trial in self._trials():
            if trial.state == TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
        retried = {trial.user_attrs.get("retry_of") for trial in self._trials()}
        for trial in self._trials():
            if trial.state == TrialState.FAIL and trial.number not in retried:
                self._retry(trial)

    def _retry(self, trial: FrozenTrial) -> None:
        if _may_retry(trial):
            tries = _tries(trial) + (_reason(trial) == "killed")
            self._study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number, "tries": tries})

    def _tell(self, number: int, state: Any, value: float | None, **about: Any) -> None:
        trial = self._open.pop(number)
        for name, content in about.items():
            trial.set_user_attr(name, content)
        self._study.tell(trial, value, state=state)

    def _answers(self, number: int) -> Path:
        return self._folder / f"trial-{number}.safetensors"


@contextmanager
def open_study(place: StudyPlace, session: Session, fixed: Fixed) -> Iterator[Study]:
    """The study for these rows and this space, made or taken up, and ours alone until the end.

    Raises:
        SearchIsRunning: another process has it open.
        StudyUnreadable: Optuna cannot read what is there.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = session.settings.train.search
    key = study_key(place, session, fixed)
    place.folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(place.folder / f"{key}.lock").acquire(timeout=0)
    except Timeout as error:
        raise SearchIsRunning(study=key) from error
    with lock:
        storage = place.open_storage()
        try:
            found = optuna.create_study(
                storage=storage, study_name=f"feilun-{key}", load_if_exists=True, pruner=_pruner(settings.pruner)
            )
            yield Study(found, place.folder / key, settings, key=key, seed=session.seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def study_key(place: StudyPlace, session: Session, fixed: Fixed) -> str:
    """Hash of everything that a trial's result depends on, and of how trials are picked; not of how many there are."""
    rows, train = session.rows, session.settings.train
    names = searched(train.search.space)
    about = {
        "version": STUDY_VERSION,
        "backbone": session.backbone.info.fingerprint,
        "max_tokens": session.settings.backbone.max_tokens,
        "task": session.settings.task.model_dump(mode="json"),
        "tune": {k: v for k, v in train.tune.model_dump(mode="json").items() if k not in names},
        "space": train.search.space.model_dump(mode="json"),
        "method": train.search.method,
        "pruner": train.search.pruner,
        "fixed": {k: getattr(fixed, k) for k in ("epochs", "head_c") if k not in names},
        "seed": session.seed,
        "workspace": str(place.folder.resolve()) if place.url else "",  # several may share one database
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update("\0".join(rows.labels).encode("utf-8", "surrogatepass"))
    for ids in session.token_ids:
        digest.update(np.asarray([*ids, -1], dtype=np.int64).tobytes())
    for array in (rows.targets, rows.weights, *(part for fold in fixed.plan.folds for part in fold)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _contains(distribution: Any, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except ValueError:  # a choice that is not on the list
        return False


def _sampler(method: str, *, seed: int, n_drawn: int) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler

    own = int(np.random.SeedSequence([seed, n_drawn]).generate_state(1)[0])
    return TPESampler(seed=own, n_startup_trials=STARTUP_TRIALS) if method == "tpe" else RandomSampler(seed=own)


def _pruner(name: str) -> BasePruner:
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    if name == "median":
        return MedianPruner(n_startup_trials=STARTUP_TRIALS)
    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=2) if name == "halving" else NopPruner()


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None  # it is finished
    return float(trial.value)


def _reason(trial: FrozenTrial) -> str:
    """Why a trial failed; whoever was killed could not say."""
    return str(trial.user_attrs.get("reason", "killed"))


def _tries(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get("tries", 1))


def _may_retry(trial: FrozenTrial) -> bool:
    return _reason(trial) == "out_of_time" or (_reason(trial) == "killed" and _tries(trial) < MOST_TRIES)


def _line(trial: FrozenTrial) -> SearchTrial:
    about = trial.user_attrs
    metrics = about.get("metrics", {})
    failed = "stopped" if _reason(trial) == "out_of_time" else "failed"
    status = {"COMPLETE": "done", "PRUNED": "pruned"}.get(trial.state.name, failed)
    return SearchTrial.model_validate(
        {
            "number": trial.number,
            "is_given": bool(about.get("given", False)),
            "params": trial.params,
            "status": status,
            "log_loss": metrics.get("log_loss"),
            "accuracy": metrics.get("accuracy"),
            "n_folds": about.get("n_folds", 0),
            "cpu_s": round(about.get("cpu_s", 0.0), 3),
            "wall_s": round(about.get("wall_s", 0.0), 3),
            "reason": _reason(trial) if trial.state.name == "FAIL" else "",
        }
    )

"""Trials on Ray Tune: Ray starts, watches and ends the processes; which trial comes and goes on, our study says.

A Ray of our own is started for the search and shut down after it: it listens on loopback alone, asks for a token made
for the day, has no dashboard and reports to nobody. Ray's trials are those of the study; a step of one is a fold.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from feilun.network.budget import n_threads
from feilun.process import child_environment
from feilun.train.search.desk import Desk, Executor
from feilun.train.search.errors import RayIsOpen
from feilun.train.search.processes import heard_from, message_of
from feilun.train.search.trial import Work, listen

PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # whatever the system: without a cluster Ray listens on loopback
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the old output is silent when asked to be
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}
os.environ.update(PRIVATE)  # before the import: that is when Ray reads them

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

OBJECTS_BYTES = 100 * 2**20
"""Ray's shared memory; our trials read files, so the least that Ray takes is enough."""


def on_ray(job: Path, *, n_workers: int) -> Executor:
    """`n_workers` trials at once, the threads shared out among them. `job`: the folder of `write_job`."""

    def run(desk: Desk) -> None:
        threads = max(1, n_threads() // n_workers)
        with _own_ray(n_workers, threads=threads) as folder:
            tuner = tune.Tuner(
                _FoldByFold,
                tune_config=tune.TuneConfig(
                    search_alg=_Asks(desk, job),
                    scheduler=_Listens(desk, job),
                    num_samples=-1,
                    max_concurrent_trials=n_workers,
                    reuse_actors=True,  # a process reads torch and the job once, not once a trial
                    trial_dirname_creator=lambda trial: str(trial.trial_id),
                ),
                run_config=tune.RunConfig(
                    name="search",
                    storage_path=str(folder / "tune"),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # the study is the state
                    verbose=0,
                ),
            )
            tuner.fit()

    return run


@contextmanager
def _own_ray(n_workers: int, *, threads: int) -> Iterator[Path]:
    """A Ray for this search alone; its folder is short-named, for it holds sockets, and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="feilun-ray-"))
    try:
        ray.init(
            address="local",
            num_cpus=n_workers,
            num_gpus=0,
            object_store_memory=OBJECTS_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder),
            runtime_env={"env_vars": _worker_environment(threads)},
        )
        found = ray.util.get_node_ip_address()
        if not ip_address(found).is_loopback:
            raise RayIsOpen(address=found)
        yield folder
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _worker_environment(threads: int) -> dict[str, str]:
    ours = ("PYTHONPATH", "HF_HUB_OFFLINE", "DO_NOT_TRACK", "OMP_NUM_THREADS")
    environment = child_environment(OMP_NUM_THREADS=str(threads))
    return {name: environment[name] for name in ours}


class _FoldByFold(tune.Trainable):
    """A trial in a Ray process; each step is one fold."""

    def setup(self, config: dict[str, Any]) -> None:
        from feilun.train.search.job import read_job

        self._job = Path(config["job"])
        self._session, self._fixed = read_job(self._job)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._heard.close()
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._work = Work(config["number"], config["params"], config["time_limit_s"])
        self._heard = listen(self._session, self._fixed, self._work)

    def step(self) -> dict[str, Any]:
        heard = next(self._heard)
        is_last = heard.judged is None or heard.judged.n_folds == len(self._fixed.plan.folds)
        message = message_of(heard, self._job, self._work.number, is_last=is_last)
        return {"message": json.dumps(message), "done": is_last}

    def cleanup(self) -> None:
        self._heard.close()


class _Asks(Searcher):  # type: ignore[misc]
    """Ray's view of where trials come from: our desk."""

    def __init__(self, desk: Desk, job: Path) -> None:
        super().__init__(metric="training_iteration", mode="max")
        self._desk, self._job, self._number = desk, job, dict[str, int]()

    def suggest(self, trial_id: str) -> Any:
        work = self._desk.next()
        if work is None:
            return self.FINISHED
        self._number[trial_id] = work.number
        return {"job": str(self._job), **vars(work)}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if error and trial_id in self._number:
            self._desk.lost(self._number[trial_id])

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: see `save`."""


class _Listens(FIFOScheduler):  # type: ignore[misc]
    """Ray's view of who decides whether a trial goes on: our desk."""

    def __init__(self, desk: Desk, job: Path) -> None:
        super().__init__()
        self._desk, self._job = desk, job

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        goes_on = self._hear(result)
        return TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._hear(result)

    def _hear(self, result: dict[str, Any]) -> bool:
        message = json.loads(result["message"])
        return self._desk.hear(message["number"], heard_from(message, self._job))

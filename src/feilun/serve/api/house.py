"""House: what all routes of one server share."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from starlette.types import Receive

from feilun.config import ServeSettings
from feilun.errors import FeilunError
from feilun.logs import place
from feilun.project import Project
from feilun.records import ServedPrediction
from feilun.serve.api.access import Access, Caller
from feilun.serve.api.alerting import Alerting
from feilun.serve.api.errors import ProjectNotReady, ServerBusy
from feilun.serve.api.meter import Meter, Till, timed
from feilun.serve.api.metrics import Metrics
from feilun.serve.api.outcomes import Outcomes
from feilun.store import Store

if TYPE_CHECKING:
    from feilun.serve.api.traces import Traces

log = logging.getLogger(__name__)
T = TypeVar("T")

PATIENT_S = 0.05  # most answers are there before it is worth watching whether the client still waits
LOOK_EVERY_S = 0.25  # a champion or a correction of another process is on stage after at most this long
LIMITS_EVERY_S = 0.5  # a limit holds, and a quota knows of other servers' requests, after at most about this long
AFTER_FAILURE_S = 5.0  # a damaged bundle is looked at again this often, not four times a second
GUARD_EVERY_S = 1.0  # the traffic of a canary is looked at this often
GUARD_SHARE = (
    0.05  # of a core's time that may be spent on looking: where there is much traffic, it is looked at less often
)
MAX_STREAMS = 64
# Threads that wait for the disk, and threads that compute: neither kind can starve the other.
N_STORE_THREADS = 64
N_COMPUTE_THREADS = 8
# A password costs 128 MiB and a third of a second of a core: one at a time, and short lines of those who wait.
MAX_PASSWORDS = 8


@dataclass(frozen=True)
class Grounds:
    """The folder in which new projects may be made, and its workspace.

    on_founded: told of each, so that the wheel turns it too.
    """

    root: Path
    store: Store
    on_founded: Callable[[Project], None] = lambda project: None


class Gone(Exception):
    """The client hung up before its reply was there."""


class House:
    """The projects that a server serves, who may come in, and what is counted."""

    def __init__(
        self,
        projects: Mapping[str, Project],
        *,
        require_key: bool,
        settings: ServeSettings,
        hosts: Sequence[str] = (),
        grounds: Grounds | None = None,
    ) -> None:
        self.projects = dict(projects)
        self.grounds = grounds
        self.settings = settings
        self._stores = _shared_stores(projects)
        empty = [grounds.store] if grounds is not None and not projects else []
        self.stores = [*{id(store): store for store in self._stores.values()}.values(), *empty]
        self.access = Access(self.stores, require_key=require_key, hosts=hosts)
        self.till = Till(self.stores, self._stores, {one.name: one.tenant for one in projects.values()})
        self.metrics = Metrics()
        self.traces = _traces(settings.traces)
        self.outcomes = Outcomes()
        self.alerting = Alerting(lambda: self.projects.values(), settings=settings, outcomes=self.outcomes)
        self.n_in_flight = self.streams = 0
        self.is_stopping = False
        self._store_threads = anyio.CapacityLimiter(N_STORE_THREADS)
        self._compute_threads = anyio.CapacityLimiter(N_COMPUTE_THREADS)
        self._password_thread, self._strangers = anyio.CapacityLimiter(1), anyio.CapacityLimiter(1)
        self._trouble: dict[str, FeilunError] = {}
        self._loaded: set[str] = set()
        self._founding = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def found(self, make: Callable[[], Project]) -> Project:
        """Serve one more project, which `make` makes in the grounds: in the workspace that the others are in.

        One at a time: two of one name must not meet on the disk, nor two of any name here.
        """
        with self._founding:
            project = make()
            self._add(project)
        return project

    def _add(self, project: Project) -> None:
        store = next(store for store in self.stores if store.workspace == project.store.workspace)
        self._stores[project.name] = store
        self.till.add(project.name, store=store, owner=project.tenant)
        self.projects = self.projects | {project.name: project}  # whoever goes through them goes on with the old ones
        self._look_after(project)
        self._start(threading.Thread(target=self._follow, args=(project,), name=f"feilun-follow-{project.name}"))
        if self.grounds is not None:
            self.grounds.on_founded(project)

    def store_of(self, project: Project) -> Store:
        """The one store object of the project's workspace that keys were looked up in."""
        return self._stores[project.name]

    def is_known(self, project: Project, caller: Caller) -> bool:
        """Whether the project exists as far as the caller is concerned."""
        return caller.knows(project.name, tenant=project.tenant, store=self.store_of(project))

    async def read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run `work`, which waits for the store, in a thread."""
        return await anyio.to_thread.run_sync(partial(timed, work, *args, **kwargs), limiter=self._store_threads)

    async def compute(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run `work`, which computes, in a thread; the engine lets go of the interpreter meanwhile."""
        return await anyio.to_thread.run_sync(partial(timed, work, *args, **kwargs), limiter=self._compute_threads)

    async def check_password(self, work: Callable[..., T], *args: Any, is_known: bool, **kwargs: Any) -> T:
        """Run `work`, which hashes a password, in the one thread for that.

        Strangers wait in a line of their own, and one of them at a time stands in the line of those who are known:
        however many come, nobody who is known waits for more than one of them.

        Raises:
            ServerBusy: too many wait for it.
        """
        if is_known:
            return await self._hash(partial(work, *args, **kwargs))
        _must_have_room(self._strangers)
        async with self._strangers:
            return await self._hash(partial(work, *args, **kwargs))

    async def _hash(self, work: Callable[[], T]) -> T:
        _must_have_room(self._password_thread)
        return await anyio.to_thread.run_sync(partial(timed, work), limiter=self._password_thread)

    async def ask(
        self,
        project: Project,
        texts: Sequence[str],
        *,
        receive: Receive,
        meter: Meter,
        in_full: bool = False,
        user: str | None = None,
        champion_only: bool = False,
    ) -> list[ServedPrediction]:
        """The answers of a project that is ready to `texts`, counted; arguments and errors as `Project.ask`.

        Raises:
            QuotaExceeded: they are more than the caller may ask this month.
            LineFull, WaitedTooLong: as `Project.ask`.
            Gone: the client hung up.
        """
        inputs = [project.task.inputs_from(text) for text in texts]
        meter.claim_inputs(texts)
        future = project.ask(
            inputs,
            deadline_s=project.settings.serve.deadline_s,
            in_full=in_full,
            bill=meter.bill,
            user=user,
            champion_only=champion_only,
        )
        future.add_done_callback(lambda done: _settle(done, meter))
        served = await self.wait_for(future, receive=receive)
        self.metrics.count_predictions(
            project=project.name,
            model_id=served[0].model_version,
            variant=served[0].variant,
            decisions=Counter(prediction.decision for prediction in served),
        )
        return served

    async def wait_for(self, future: Future[T], *, receive: Receive) -> T:
        """What `future` gives; it is cancelled when the client hangs up first.

        Raises:
            Gone: the client hung up.
        """
        waiting = asyncio.wrap_future(future)
        try:
            await asyncio.wait((waiting,), timeout=PATIENT_S)
            if not waiting.done():
                gone = asyncio.ensure_future(_hung_up(receive))
                await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
            if not waiting.done():
                raise Gone()
            return waiting.result()
        finally:
            waiting.cancel()

    # what is on stage

    def start(self) -> None:
        """Load every champion, then follow each project's log in a thread of its own until `stop`."""
        self._stop.clear()
        self.is_stopping = False
        self.till.follow()
        for project in self.projects.values():
            self._look_after(project)
        self._start(threading.Thread(target=self._keep_limits, name="feilun-limits"))
        for project in self.projects.values():
            self._start(threading.Thread(target=self._follow, args=(project,), name=f"feilun-follow-{project.name}"))
        self.alerting.start()

    def _start(self, thread: threading.Thread) -> None:
        thread.daemon = True
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        self.is_stopping = True
        self._stop.set()
        self.alerting.stop()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self.till.close()
        if self.traces is not None:
            self.traces.close()

    def must_be_ready(self, project: Project) -> None:
        """Raises:
        ProjectNotReady: there is no verified model to answer.
        """
        why = self.why_not_ready(project)
        if why is not None:
            raise ProjectNotReady(project=project.name, reason=why.message())

    def why_not_ready(self, project: Project) -> FeilunError | None:
        """None when a verified model answers, perhaps not yet the newest one; else what is in the way."""
        if project.name in self._loaded and project.stage.is_ready:
            return None
        if project.name in self._trouble:
            return self._trouble[project.name]
        return _no_champion(project)

    def trouble_with(self, project: Project) -> FeilunError | None:
        """Why the latest look at the project's log failed, if it did; the model before goes on answering."""
        return self._trouble.get(project.name)

    def _follow(self, project: Project) -> None:
        pause, watch_at = LOOK_EVERY_S, 0.0
        while not self._stop.wait(pause):
            pause = LOOK_EVERY_S if self._look_after(project) else AFTER_FAILURE_S
            if time.monotonic() >= watch_at:
                watch_at = time.monotonic() + self._watch_canary(project)

    def _watch_canary(self, project: Project) -> float:
        """Let the guard look; the seconds until it should look again."""
        started = time.monotonic()
        try:
            project.watch_canary()
        except Exception as error:
            log.error("guard of %s: %s", project.name, place(error))
            return AFTER_FAILURE_S
        return max(GUARD_EVERY_S, (time.monotonic() - started) / GUARD_SHARE)

    def _keep_limits(self) -> None:
        """Follow what limits are set, and what other servers let in, until `stop`."""
        pause = LIMITS_EVERY_S
        while not self._stop.wait(pause):
            pause = LIMITS_EVERY_S
            try:
                self.till.follow()
            except Exception as error:  # those that are known go on holding
                log.error("limits: %s", type(error).__name__)
                pause = AFTER_FAILURE_S

    def _look_after(self, project: Project) -> bool:
        """Take up a new champion and new corrections; False when that failed."""
        started = time.monotonic()
        try:
            project.refresh()
        except Exception as error:
            known = error if isinstance(error, FeilunError) else _unforeseen(project, error)
            if self._trouble.get(project.name, known).code != known.code or project.name not in self._trouble:
                log.error("champion of %s: %s", project.name, known.message("en"))
            self._trouble[project.name] = known
            return False
        self._trouble.pop(project.name, None)
        self._loaded.add(project.name)
        if time.monotonic() - started > 1:
            log.info("champion of %s: on stage after %.1f s", project.name, time.monotonic() - started)
        return True


def _shared_stores(projects: Mapping[str, Project]) -> dict[str, Store]:
    """By project: the first store object of its workspace, so that one workspace is one object."""
    first: dict[tuple[str, str], Store] = {}
    for project in projects.values():
        first.setdefault((str(project.store.workspace.resolve()), project.store.url), project.store)
    return {
        name: first[str(project.store.workspace.resolve()), project.store.url] for name, project in projects.items()
    }


def _must_have_room(line: anyio.CapacityLimiter) -> None:
    if line.statistics().tasks_waiting >= MAX_PASSWORDS:
        raise ServerBusy(n_requests=MAX_PASSWORDS)


def _settle(done: Future[Any], meter: Meter) -> None:
    """Called by the engine once the answers are recorded; not if it failed, or nobody wanted them any more."""
    if not done.cancelled() and done.exception() is None:
        meter.settle()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _traces(url: str) -> Traces | None:
    """What follows requests, when a collector is named."""
    if not url:
        return None
    from feilun.serve.api.traces import Traces

    return Traces(url)


def _no_champion(project: Project) -> FeilunError:
    from feilun.serve.engine import NoChampion

    return NoChampion(project=project.name)


def _unforeseen(project: Project, error: Exception) -> FeilunError:
    log.error("champion of %s: %s", project.name, place(error))
    return ProjectNotReady(project=project.name, reason=type(error).__name__)

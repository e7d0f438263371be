"""`feilun serve`: one process that answers, takes feedback, and turns the wheel when it is due."""

from __future__ import annotations

import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from feilun.config import CONFIG_NAME, ServeSettings
from feilun.project import Project, open_projects
from feilun.serve.api.access_log import log_files
from feilun.serve.api.app import create_app
from feilun.serve.api.errors import AddressTaken
from feilun.serve.api.house import Grounds
from feilun.serve.api.wire import Wire
from feilun.store import Store, find_workspace
from feilun.wheel.worker import Watched, Worker

FINISH_WITHIN_S = 10  # requests in flight get this long after SIGTERM
BACKLOG = 512


def serve(
    folder: str | Path,
    *,
    host: str | None = None,
    port: int | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the project in `folder`, or all those in its sub-folders, until SIGTERM or SIGINT; then return.

    In a folder of projects, which may be empty or not be there yet, new ones can be made while it is served. Two
    servers may share a workspace: each follows what the other writes.

    Args:
        host, port: None takes the first project's [serve]; port 0 picks a free one.
        on_ready: called with the address, such as "http://127.0.0.1:8710", once requests are answered.
    Raises:
        ConfigInvalid: a project's settings cannot be used.
        AddressTaken: it cannot listen there.
    """
    root = Path(folder).resolve()
    root.mkdir(parents=True, exist_ok=True)
    projects = open_projects(root, may_be_empty=True)
    worker = Worker([_watched(project) for project in projects.values()])
    with ExitStack() as closing:
        for project in projects.values():
            closing.callback(project.close)
        grounds = closing.enter_context(_grounds(root, projects, worker))
        first = next(iter(projects.values()), None)
        settings = ServeSettings() if first is None else first.settings.serve
        host = settings.host if host is None else host
        listener = _listen(host, settings.port if port is None else port)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        app = create_app(projects, require_key=settings.require_key, settings=settings, hosts=[host], grounds=grounds)
        config = uvicorn.Config(
            app,
            http=Wire,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # or a header could claim to come from loopback
            ws="none",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=FINISH_WITHIN_S,
        )
        # What goes wrong inside ends up in the workspace, where the error id of a reply can be looked up.
        with log_files(find_workspace(root if first is None else first.folder) / "logs"), _working(worker):
            Server(config, app=app, address=address, on_ready=on_ready).run(sockets=[listener])


@contextmanager
def _grounds(root: Path, projects: Mapping[str, Project], worker: Worker) -> Iterator[Grounds | None]:
    """Where new projects may be made; those are closed at the end.

    Nowhere in a project's own folder, and nowhere beside projects that each have a workspace of their own: a new one
    would have another again, with other keys.
    """
    workspace = find_workspace(root)
    shared = next((project.store for project in projects.values() if project.store.workspace == workspace), None)
    if (root / CONFIG_NAME).is_file() or (projects and shared is None):
        yield None
        return
    with ExitStack() as closing:
        store = shared or closing.enter_context(Store(workspace))

        def founded(project: Project) -> None:
            closing.callback(project.close)
            worker.watch(_watched(project))

        yield Grounds(root, store, founded)


class Server(uvicorn.Server):
    """uvicorn that says when it answers, ends its streams when told to stop, and then returns instead of dying."""

    def __init__(
        self, config: uvicorn.Config, *, app: Any, address: str, on_ready: Callable[[str], None] | None
    ) -> None:
        super().__init__(config)
        self._app, self._address, self._on_ready = app, address, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _leave_out_of_collections()
        if self.started and self._on_ready is not None:
            self._on_ready(self._address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.house.is_stopping = True
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but the signal is not raised again at the end: being told to stop is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.force_exit = self.should_exit and number == signal.SIGINT  # Ctrl-C twice does not wait
        self.should_exit = True


def _leave_out_of_collections() -> None:
    """What is there now stays until the end: libraries, models, memories.

    Looking through it took the garbage collector some 90 ms every few seconds, in which nobody was answered.
    """
    gc.collect()
    gc.freeze()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        AddressTaken: another process listens there, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        # Saying the protocol matters: asyncio turns Nagle's algorithm off only where it is named, and with it on
        # every reply of two packets waits 40 ms for the first one's acknowledgement.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressTaken(host=host, port=port, why=error.strerror or str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
        listener.set_inheritable(False)  # a turn's process must not keep the port
    except OSError as error:
        listener.close()
        raise AddressTaken(host=host, port=port, why=error.strerror or str(error)) from error
    return listener


def _watched(project: Project) -> Watched:
    return Watched(project.name, folder=project.folder, store=project.store)


@contextmanager
def _working(worker: Worker) -> Iterator[None]:
    """The wheel's worker, which turns when a turn is asked for or due."""
    worker.start()
    try:
        yield
    finally:
        worker.stop()

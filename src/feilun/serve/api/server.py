"""`feilun serve`: one process that answers, takes feedback, and turns the wheel when it is due."""

from __future__ import annotations

import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from feilun.project import Project, open_projects
from feilun.serve.api.access_log import log_files
from feilun.serve.api.app import create_app
from feilun.serve.api.errors import AddressTaken
from feilun.serve.api.wire import Wire

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

    Two servers may share a workspace: each follows what the other writes.

    Args:
        host, port: None takes the first project's [serve]; port 0 picks a free one.
        on_ready: called with the address, such as "http://127.0.0.1:8710", once requests are answered.
    Raises:
        ConfigMissing, ConfigInvalid: there is nothing to serve.
        AddressTaken: it cannot listen there.
    """
    projects = open_projects(folder)
    first = next(iter(projects.values()))
    try:
        settings = first.settings.serve
        host = settings.host if host is None else host
        listener = _listen(host, settings.port if port is None else port)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        app = create_app(projects, require_key=settings.require_key, settings=settings, hosts=[host])
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
        with log_files(first.store.workspace / "logs"), _worker(projects):
            Server(config, app=app, address=address, on_ready=on_ready).run(sockets=[listener])
    finally:
        for project in projects.values():
            project.close()


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


@contextmanager
def _worker(projects: Mapping[str, Project]) -> Iterator[None]:
    """The wheel's worker, which turns when a turn is asked for or due."""
    from feilun.wheel.worker import Watched, Worker

    worker = Worker([Watched(p.name, folder=p.folder, store=p.store) for p in projects.values()])
    worker.start()
    try:
        yield
    finally:
        worker.stop()

"""A real server on loopback around a real project; its client holds every reply against the OpenAPI document."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from feilun.config import ServeSettings
from feilun.project import Project
from feilun.records import Backbone
from feilun.serve.api import create_app
from feilun.serve.api.guard import CONSOLE
from feilun.serve.api.openai_shapes import OpenAIProblem
from feilun.serve.api.problems import is_openai
from feilun.serve.api.server import Server, _listen
from feilun.serve.api.shapes import Problem, Readiness
from feilun.serve.api.wire import Wire
from tests.projects import turned_twice
from tests.serve.api.shop import Shop, build_shop, open_shop


class Examiner:
    """Holds every reply against what the OpenAPI document promises."""

    def __init__(self, app: FastAPI) -> None:
        self._operations = [
            (re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", path) + "$"), method.upper(), operation)
            for path, methods in app.openapi()["paths"].items()
            for method, operation in methods.items()
        ]
        self._replies = {(next(iter(r.methods)), r.path_regex): r.response_model for r in app.routes}

    def __call__(self, response: httpx.Response) -> None:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return
        response.read()
        assert response.headers["x-content-type-options"] == "nosniff"
        method, path = response.request.method, response.url.path
        if path == "/" or path.startswith(CONSOLE):
            return  # the console's files are no part of the document
        at_path = {m: operation for pattern, m, operation in self._operations if pattern.match(path)}
        if method in at_path:
            assert str(response.status_code) in at_path[method]["responses"], (method, path, response.status_code)
        else:
            assert response.status_code in (401, 403, 405 if at_path else 404)
        if method == "HEAD":
            return
        if response.status_code >= 400:
            shape = Readiness if (method, path) == ("GET", "/ready") else OpenAIProblem if is_openai(path) else Problem
            shape.model_validate_json(response.content)
        elif response.headers.get("content-type") == "application/json":
            model = next(reply for (m, regex), reply in self._replies.items() if m == method and regex.match(path))
            model.model_validate_json(response.content)


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The app on a free port of loopback; gives the address."""
    listener = _listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready = threading.Event()
    config = uvicorn.Config(
        app,
        http=Wire,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
    )
    server = Server(config, app=app, address=address, on_ready=lambda _: ready.set())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    assert ready.wait(30)
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


Serve = Callable[..., "httpx.Client"]


@pytest.fixture
def serve(project: Project) -> Iterator[Serve]:
    """Starts servers around `project` (or others) and gives examined clients of them."""
    with ExitStack() as closing:

        def start(*projects: Project, require_key: bool = False, app: FastAPI | None = None, **settings: Any):
            served = {one.name: one for one in projects or (project,)}
            app = app or create_app(served, require_key=require_key, settings=ServeSettings(**settings))
            address = closing.enter_context(running(app))
            return closing.enter_context(
                httpx.Client(base_url=address, timeout=30, event_hooks={"response": [Examiner(app)]})
            )

        yield start


@pytest.fixture
def client(serve: Serve) -> httpx.Client:
    return serve()


# ---------------------------------------------------------------------------------------------- projects


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone, _own_home: Path) -> Path:
    """A folder with a project that was turned twice: the first model is live, the second one was not better."""
    return turned_twice(tmp_path_factory.mktemp("turned"), tiny_backbone, home=_own_home)


@pytest.fixture
def folder(turned: Path, tmp_path: Path) -> Path:
    """A copy of the turned project, to do with as one likes."""
    return Path(shutil.copytree(turned, tmp_path / "support"))


@pytest.fixture
def shared(folder: Path, tmp_path: Path, database_url: str) -> Path:
    """The turned project on either kind of database; several servers may be started on it."""
    if not database_url:
        return folder
    with Project(folder) as project:
        return _moved(project, tmp_path, database_url)


def _moved(project: Project, tmp_path: Path, url: str) -> Path:
    """The workspace of `project` on the empty PostgreSQL behind `url`, as people move theirs."""
    project.backup(tmp_path / "moving.zip")
    Project.restore(tmp_path / "moving.zip", tmp_path / "moved", url=url)
    return tmp_path / "moved"


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    with Project(folder) as opened:
        yield opened


@pytest.fixture
def bare_project(tmp_path: Path) -> Iterator[Project]:
    """A project that was never turned."""
    (tmp_path / "bare" / ".feilun").mkdir(parents=True)
    (tmp_path / "bare" / "feilun.toml").write_text('[project]\nname = "bare"\n', "utf-8")
    with Project(tmp_path / "bare") as opened:
        yield opened


@pytest.fixture(scope="session")
def _shop(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone, _own_home: Path) -> Path:
    root = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEILUN_HOME", str(_own_home))
        build_shop(root, tiny_backbone)
    return root


@pytest.fixture
def shop(_shop: Path, tmp_path: Path) -> Iterator[Shop]:
    """A workspace of two tenants that share nothing but the server."""
    with open_shop(Path(shutil.copytree(_shop, tmp_path / "shop"))) as opened:
        yield opened


@pytest.fixture
def shared_shop(_shop: Path, tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """The same workspace on either kind of database."""
    root = Path(shutil.copytree(_shop, tmp_path / "shop"))
    if database_url:
        with open_shop(root) as before:
            root = _moved(before.projects["support"], tmp_path, database_url)
    with open_shop(root) as opened:
        yield opened

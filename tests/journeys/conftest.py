"""Real projects for the journeys: the bundled samples, small where a journey is about crashes rather than accuracy."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

import feilun
from feilun.config import CONFIG_NAME, FeilunSettings, dump_settings
from feilun.models import pull
from feilun.records import Backbone
from tests.projects import turned_twice

SAMPLES = Path(__file__).parents[2] / "samples"
READY_WITHIN_S = 60
FEW_LABELS = ("age_limit", "card_arrival", "change_pin", "exchange_rate", "lost_or_stolen_card", "top_up_failed")


def read_sample(name: str) -> list[dict[str, str]]:
    """Rows of samples/`name`."""
    with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["text", "label"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def write_project(folder: Path, **sections: dict) -> Path:
    """A project folder with a workspace of its own."""
    (folder / ".feilun").mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_NAME).write_text(dump_settings(FeilunSettings.model_validate(sections)), "utf-8")
    return folder


@pytest.fixture
def tiny_spec(tiny_backbone: Backbone) -> str:
    """What feilun.toml calls the random backbone; it is in the tests' cache."""
    spec = f"dir:{tiny_backbone.folder}"
    pull(spec)
    return spec


@pytest.fixture
def tiny_project(tmp_path: Path, tiny_spec: str) -> Path:
    """Six intents of BANKING77 on a random backbone: a whole turn, tuning included, in seconds."""
    folder = tmp_path / "support"
    folder.mkdir()
    chosen = [row for row in read_sample("banking77/start.csv") if row["label"] in FEW_LABELS]
    traffic = [row for row in read_sample("banking77/traffic.csv") if row["label"] in FEW_LABELS]
    write_rows(folder / "start.csv", chosen + traffic[:30])
    write_rows(folder / "holdout.csv", [r for r in read_sample("banking77/holdout.csv") if r["label"] in FEW_LABELS])
    rows = [json.dumps({"text": row["text"], "label": row["label"]}) for row in traffic[30:]]
    (folder / "traffic.jsonl").write_text("\n".join(rows), "utf-8")
    return write_project(
        folder,
        project={"name": "support"},
        data={"sources": [{"path": "start.csv"}], "holdout": {"path": "holdout.csv"}},
        backbone={"model": tiny_spec},
        train={"budget_s": 30, "n_folds": 2, "tune": {"epochs": 1}},
        improve={"every_labels": 0},
    )


def environment() -> dict[str, str]:
    """For child processes: our package first on the path."""
    return os.environ | {"PYTHONPATH": str(Path(feilun.__file__).parents[1])}


class Server:
    """`feilun serve` in a process of its own, which can be killed."""

    def __init__(self, folder: Path, *, port: int | None = None, more: dict[str, str] | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "feilun", "serve", str(folder), "--port", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment() | (more or {}),
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server ended by itself"
            try:
                if httpx.get(f"{self.url}/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError("the server was not ready in time")

    def kill(self, number: int = signal.SIGKILL) -> int:
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.process.wait(30)


def child_of(turn_id: str) -> int:
    """The process that turns."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if "feilun.wheel.run" in words and turn_id in words:
                return int(entry.name)
    raise AssertionError("nobody turns")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers; whatever still runs at the end of the test is stopped."""
    started: list[Server] = []

    def start(folder: Path, *, port: int | None = None, more: dict[str, str] | None = None) -> Server:
        server = Server(folder, port=port, more=more)
        started.append(server)
        server.wait_ready()
        return server

    yield start
    for server in started:
        server.kill()


# ---------------------------------------------------------------------------------------------- the console


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone, _own_home: Path) -> Path:
    return turned_twice(tmp_path_factory.mktemp("console"), tiny_backbone, home=_own_home)


@pytest.fixture
def server(turned: Path, tmp_path: Path, serve: Callable[..., Server]) -> Server:
    """A copy of the turned project, served, with messages that somebody disliked in its queue."""
    shutil.copytree(turned.parent, tmp_path / "console")
    server = serve(tmp_path / "console" / "support")
    texts = [row["text"] for row in read_sample("banking77/traffic.csv")[:40]]
    with httpx.Client(base_url=f"{server.url}/v1/projects/support", timeout=30) as api:
        answers = api.post("/predictions", json={"inputs": [{"text": text} for text in texts]}).json()["predictions"]
        for answer in answers:
            api.post("/feedback", json={"prediction_id": answer["prediction_id"], "thumb": "down"}).raise_for_status()
    return server


@pytest.fixture
def visit(server: Server, visit_at: Callable[..., Any]) -> Callable[..., Any]:
    """Visitors of `server`, by language."""
    return partial(visit_at, server)


@pytest.fixture
def visit_at() -> Iterator[Callable[..., Any]]:
    """Visitors of any server."""
    from tests.journeys.visitor import CHROMIUM, LOCALES, WITHIN_MS, Visitor, playwright  # skipped where there is none

    with playwright.sync_playwright() as play, ExitStack() as closing:
        browser = play.chromium.launch(executable_path=CHROMIUM)

        def come(server: Server, lang: str, **options: Any) -> Visitor:
            api = closing.enter_context(httpx.Client(base_url=f"{server.url}/v1/projects", timeout=30))
            options = {"viewport": {"width": 1280, "height": 860}} | options
            context = browser.new_context(locale=LOCALES[lang], **options)
            context.set_default_timeout(WITHIN_MS)
            visitor = Visitor(context.new_page(), server.url, api)
            visitor.watch()
            return visitor

        yield come
        browser.close()

"""A server's whole life under watch: it answers, learns, turns and releases, and never once unpickles anything."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import tomlkit

import feilun
from tests.journeys.conftest import Server

pytestmark = pytest.mark.journey
TURN_WITHIN_S = 300
# Loaded by every Python process of the server as it starts; writes down what nobody should do.
WATCH = """
import os, sys
_log = os.open(os.environ["FEILUN_TEST_WATCH"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(_log, f"watching {' '.join(sys.orig_argv)}\\n".encode())
def _watch(event, args):
    if event == "pickle.find_class":
        os.write(_log, f"unpickled {args[0]}.{args[1]}\\n".encode())
sys.addaudithook(_watch)
"""


def test_nothing_is_unpickled_in_a_servers_life(
    tiny_project: Path, tmp_path: Path, serve_process: Callable[..., Server]
) -> None:
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH, "utf-8")
    log = tmp_path / "watch.log"
    source = str(Path(feilun.__file__).parents[1])
    settings = tomlkit.parse((tiny_project / "feilun.toml").read_text("utf-8"))
    settings["train"]["tune"]["enabled"] = False  # type: ignore[index]
    (tiny_project / "feilun.toml").write_text(tomlkit.dumps(settings), "utf-8")
    path = os.pathsep.join([str(tmp_path / "watch"), source])
    server = Server(tiny_project, more={"PYTHONPATH": path, "FEILUN_TEST_WATCH": str(log)})
    try:
        with httpx.Client(base_url=f"{server.url}/v1/projects/support", timeout=60) as client:
            live_through(client, url=server.url)
    finally:
        server.kill()
    said = log.read_text("utf-8").splitlines()
    assert [line for line in said if line.startswith("unpickled")] == []
    assert any("serve" in line for line in said) and any("feilun.wheel.run" in line for line in said)


def live_through(client: httpx.Client, *, url: str) -> None:
    """A turn, an answer, a correction, a second look at the queue, a release."""
    until = time.monotonic() + TURN_WITHIN_S
    wait(lambda: httpx.get(f"{url}/health", timeout=5).status_code == 200, until=until)
    assert client.post("/turns", json={}).status_code == 202
    wait(lambda: httpx.get(f"{url}/ready", timeout=5).status_code == 200, until=until)
    answer = client.post("/predictions", json={"inputs": [{"text": "where is my card"}]}).raise_for_status().json()
    said = {"prediction_id": answer["predictions"][0]["prediction_id"], "label": "card_arrival"}
    client.post("/feedback", json=said).raise_for_status()
    client.get("/queue").raise_for_status()
    (model,) = client.get("/models").raise_for_status().json()["models"]
    promotion = {"action": "promote", "model_id": model["model_id"], "override": True, "reason": "under watch"}
    assert client.post("/releases", json=promotion).status_code == 201


def wait(done: Callable[[], bool], *, until: float) -> None:
    while True:
        try:
            if done():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)

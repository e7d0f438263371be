"""`feilun serve` as a process: it starts, stops when told, and loses nothing when it is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import feilun
from feilun.project import Project
from feilun.serve.api import serve
from feilun.serve.api.errors import AddressTaken

AT = "/v1/projects/support"
pytestmark = pytest.mark.journey


@contextmanager
def server(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`feilun serve`; gives the process and the address that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "feilun", "serve", str(folder), "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(feilun.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_says_where_it_is_and_stops_when_told_with_exit_code_0(folder):
    for number in (signal.SIGTERM, signal.SIGINT):
        with server(folder) as (process, address):
            assert httpx.get(f"{address}/ready").json() == {"ready": True, "reasons": []}
            process.send_signal(number)
            assert process.wait(15) == 0
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{address}/health")


def test_what_is_in_flight_is_finished_before_it_stops(folder):
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = b'{"inputs": [{"text": "where is my parcel"}]}'
    with server(folder) as (process, address):
        port = httpx.URL(address).port
        with (
            socket.create_connection(("127.0.0.1", port), timeout=15) as line,
            httpx.stream("GET", f"{address}{AT}/events", headers={"Accept": "text/event-stream"}) as stream,
        ):
            line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
            lines = stream.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            line.sendall(body[10:])
            assert line.recv(100).startswith(b"HTTP/1.1 200")
            list(lines)  # the stream ends whole, it is not cut
        assert process.wait(15) == 0


def test_what_was_acknowledged_is_there_after_a_kill(folder):
    acknowledged: dict[str, str] = {}

    def talk(address: str, tag: str) -> None:
        with httpx.Client(base_url=f"{address}{AT}", timeout=10) as client:
            for n in range(10_000):
                key = f"{tag}-{n}"
                body = {"inputs": {"text": f"message {key}"}, "label": "refund"}
                try:
                    reply = client.post("/feedback", json=body, headers={"Idempotency-Key": key})
                except httpx.TransportError:
                    return
                acknowledged[key] = reply.raise_for_status().json()["feedback_id"]

    for n in range(3):
        with server(folder) as (process, address):
            talkers = [threading.Thread(target=talk, args=(address, f"{n}-{i}")) for i in range(8)]
            for talker in talkers:
                talker.start()
            while len(acknowledged) < 20 * (n + 1):
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            for talker in talkers:
                talker.join()
    with Project(folder) as project:
        rows: list[dict] = []
        while page := project.list_feedback(after=rows[-1]["seq"] if rows else 0, limit=1000):
            rows += page
        kept = {row["idempotency_key"]: row["feedback_id"] for row in rows}
        assert len(kept) == len(rows)  # nothing twice
        assert {key: kept.get(key) for key in acknowledged} == acknowledged  # nothing lost
    with server(folder) as (_, address):  # and what was in flight may be sent again
        key, feedback_id = next(iter(acknowledged.items()))
        body = {"inputs": {"text": f"message {key}"}, "label": "refund"}
        again = httpx.post(f"{address}{AT}/feedback", json=body, headers={"Idempotency-Key": key}).json()
        assert (again["feedback_id"], again["replayed"]) == (feedback_id, True)


def test_corrections_and_releases_reach_the_other_server_of_a_workspace_within_a_second(shared):
    with server(shared) as (_, here), server(shared) as (_, there):

        def ask(address: str) -> dict:
            body = {"inputs": [{"text": "where is my parcel"}]}
            return httpx.post(f"{address}{AT}/predictions", json=body).raise_for_status().json()["predictions"][0]

        first = ask(here)
        right = "thanks" if first["label"] != "thanks" else "refund"
        httpx.post(
            f"{here}{AT}/feedback", json={"prediction_id": first["prediction_id"], "label": right}
        ).raise_for_status()
        since = time.monotonic()
        while ask(there)["label"] != right:
            assert time.monotonic() - since < 1
        models = httpx.get(f"{here}{AT}/models").json()["models"]
        other = next(model["model_id"] for model in models if not model["is_champion"])
        httpx.post(f"{here}{AT}/releases", json={"action": "promote", "model_id": other}).raise_for_status()
        assert ask(here)["model_version"] == other
        since = time.monotonic()
        while ask(there)["model_version"] != other:
            assert time.monotonic() - since < 5
        assert ask(there)["label"] == right


def test_a_request_for_a_turn_is_taken_up_and_followed_over_http(folder):
    (folder.parent / "messages.csv").write_text(
        "text,label\n" + "\n".join(f"{word} {n},{label}" for n in range(8) for word, label in WORDS), "utf-8"
    )
    with server(folder) as (_, address):
        assert httpx.post(f"{address}{AT}/turns").json() == {"requested": True}
        after = httpx.get(f"{address}{AT}/events").json()["next_after"]
        kinds: list[str] = []
        with httpx.stream(
            "GET", f"{address}{AT}/events?after={after}", headers={"Accept": "text/event-stream"}, timeout=120
        ) as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    kinds.append(line.removeprefix("event: "))
                if kinds[-1:] in (["turn.done"], ["turn.failed"]):
                    break
        assert kinds[-1] == "turn.done"
        turn = httpx.get(f"{address}{AT}/turns").json()["turns"][0]
        assert (turn["status"], turn["requested_by"]) == ("done", "worker")


WORDS = [("i want a refund", "refund"), ("where is my parcel", "delivery"), ("thanks a lot", "thanks")]


def test_a_port_that_is_taken_is_said_to_be(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AddressTaken) as refused:
            serve(folder, port=port)
        assert refused.value.fields["port"] == port
    with pytest.raises(AddressTaken):
        serve(folder, host="no.such.host.invalid", port=0)

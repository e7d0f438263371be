"""Smaller forms of a model are asked for over HTTP, made by the worker, and read over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import tomlkit
from filelock import FileLock

from feilun.process import child_environment
from feilun.wheel import compressing
from feilun.wheel.compressing import follow_compression
from feilun.wheel.worker import Watched, Worker

AT = "/v1/projects/support/compressions"


def ask(client, **body):
    return client.post(AT, json=body)


@contextmanager
def at_work(project):
    """The server's worker."""
    worker = Worker([Watched(project.name, project.folder, project.store)])
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def work(project, compression_id: str) -> None:
    """What the worker does with a request."""
    follow_compression(project.store, folder=project.folder, project=project.name, compression_id=compression_id)


def test_forms_are_asked_for_made_and_read(client, project):
    champion = project.get_model()["model_id"]
    asked = ask(client, n_layers=[], only_show=True)
    assert asked.status_code == 202, asked.text
    row = asked.json()
    expected = {"model_id": champion, "status": "waiting", "n_layers": [], "widths": [], "only_show": True}
    assert {name: row[name] for name in expected} == expected and row["result"] is row["error"] is None
    where = f"{AT}/{row['compression_id']}"
    assert client.get(where).json() == row
    turns = project.store.workspace / "turns"
    for left in (".shrink-support.turn_killed", "turn_killed", ".shrink-support-2.turn_of_another_project"):
        (turns / left).mkdir()
    with at_work(project):
        deadline = time.monotonic() + 60
        while (seen := client.get(where).json())["finished_at"] is None and time.monotonic() < deadline:
            time.sleep(0.2)
    assert (seen["status"], seen["error"]) == ("done", None)
    points = seen["result"]["points"]
    assert [point["name"] for point in points] == ["as is", "float32"] and points[0]["size_mb"] < points[1]["size_mb"]
    assert (seen["result"]["model_id"], seen["result"]["reason_code"]) == ("", "as_is") and seen["result"]["zh"]
    assert client.get(AT).json() == {"compressions": [seen]}
    assert [path.name for path in turns.iterdir()] == [".shrink-support-2.turn_of_another_project"]
    told = client.get("/v1/projects/support/events", params={"turn_id": row["compression_id"]}).json()["events"]
    assert [event["data"]["name"] for event in told if event["kind"] == "compress.point"] == ["as is", "float32"]
    work(project, row["compression_id"])  # a worker that comes late changes nothing
    assert client.get(where).json() == seen


def test_a_student_that_was_asked_for_goes_live(client, project):
    pytest.importorskip("torch")
    document = tomlkit.parse((project.folder / "feilun.toml").read_text("utf-8"))
    document["compress"] = {"max_loss": 0.9, "distil": {"epochs": 1}}
    (project.folder / "feilun.toml").write_text(tomlkit.dumps(document), "utf-8")
    champion = project.get_model()["model_id"]
    row = ask(client, widths=[0.5]).json()
    work(project, row["compression_id"])
    result = client.get(f"{AT}/{row['compression_id']}").json()["result"]
    assert (result["parent_model_id"], result["released"], result["reason_code"]) == (champion, True, "smaller"), result
    chosen = next(point for point in result["points"] if point["is_chosen"])
    assert (chosen["name"], chosen["n_heads"], chosen["n_ffn"]) == ("width 0.5, int8", 2, 32)
    models = client.get("/v1/projects/support/models").json()["models"]
    assert [model["model_id"] for model in models if model["is_champion"]] == [result["model_id"]]


def test_one_is_made_at_a_time(client, project):
    row = ask(client, n_layers=[]).json()
    refused = ask(client, n_layers=[])
    assert (refused.status_code, refused.json()["code"]) == (409, "wheel.compression_unfinished")
    assert refused.json()["fields"] == {"compression_id": row["compression_id"]}
    project.store.finish_compression("support", row["compression_id"], error={"code": "x"})
    assert ask(client, n_layers=[]).status_code == 202
    assert len(client.get(AT).json()["compressions"]) == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"n_layers": [2]}, 422, "compress.too_many_layers"),
        ({"widths": [0.99]}, 422, "compress.width_not_smaller"),
        ({"widths": [1.5]}, 422, "request.invalid"),
        ({"n_layers": [0]}, 422, "request.invalid"),
        ({"widths": ["half"]}, 422, "request.invalid"),
        ({"layers": 1}, 422, "request.invalid"),
        ({"model_id": "m_404"}, 404, "store.not_found"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(client, project, body, status, code):
    refused = ask(client, **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert client.get(AT).json() == {"compressions": []}


def test_a_mistake_met_on_the_way_is_told_in_both_languages(client, project):
    row = ask(client, n_layers=[]).json()
    network = project.store.network_path(row["model_id"])
    network.rename(network.with_name("gone"))
    work(project, row["compression_id"])
    seen = client.get(f"{AT}/{row['compression_id']}").json()
    assert (seen["status"], seen["error"]["code"], seen["result"]) == ("failed", "wheel.network_gone", None)
    assert row["model_id"] in seen["error"]["en"] and row["model_id"] in seen["error"]["zh"]


def test_a_killed_one_begins_anew_and_is_given_up_when_it_dies_again(client, project, monkeypatch):
    def dies(*_, **__):
        return subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])

    monkeypatch.setattr(compressing, "spawn", dies)
    row = ask(client, n_layers=[]).json()
    where = f"{AT}/{row['compression_id']}"
    work(project, row["compression_id"])
    assert client.get(where).json()["status"] == "waiting"
    work(project, row["compression_id"])
    seen = client.get(where).json()
    assert (seen["status"], seen["error"]["code"]) == ("failed", "wheel.compression_stopped")
    assert "SIGKILL" in seen["error"]["en"] and "SIGKILL" in seen["error"]["zh"]


def test_a_compression_waits_for_the_turn_that_runs(project):
    row = project.request_compression(n_layers=[], only_show=True)
    command = [
        sys.executable,
        "-m",
        "feilun.wheel.compressing",
        str(project.folder),
        project.name,
        row["compression_id"],
    ]
    with FileLock(project.store.lock_path("turn-support")):
        child = subprocess.Popen([*command, str(os.getpid())], env=child_environment())
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(3)
        assert project.list_compressions()[0]["status"] == "waiting"
    assert child.wait(60) == 0
    assert project.list_compressions()[0]["status"] == "done"

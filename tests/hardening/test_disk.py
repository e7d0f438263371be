"""When the disk fails, fills up or lies: nothing is acknowledged that it does not have, and answers go on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from feilun.errors import FeilunError
from feilun.models.bundle import verify_bundle
from feilun.operate import examine
from feilun.project import Project
from feilun.store.copies import check_integrity
from tests.hardening.conftest import make_project
from tests.hardening.sizes import by_day_or_night
from tests.journeys.conftest import Server, child_of

AT = "/v1/projects/support"
N_POSTS = by_day_or_night(100, 1000)
pytestmark = pytest.mark.journey
needs_strace = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("strace") is None, reason="strace is not installed"
)


@contextmanager
def traced(server: Server, *options: str, log: Path) -> Iterator[None]:
    """strace looks at every thread of a running server, and does to it what the options say."""
    command = ["strace", "-f", "-y", "-s", "9000", "-o", str(log), *options, "-p", str(server.process.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    said = tracer.stderr.readline()
    if "attached" not in said:
        tracer.wait(30)
        pytest.skip(f"strace may not look at other processes here: {said.strip()}")
    try:
        yield
    finally:
        tracer.terminate()
        tracer.communicate(timeout=60)


def say(server: Server, mark: str) -> httpx.Response:
    """Feedback that carries a mark."""
    body = {"inputs": {"text": f"message {mark}"}, "label": "refund", "comment": mark}
    return httpx.post(f"{server.url}{AT}/feedback", json=body, headers={"Idempotency-Key": mark}, timeout=60)


def ask(server: Server) -> httpx.Response:
    return httpx.post(f"{server.url}{AT}/predictions", json={"inputs": [{"text": "where is my parcel"}]}, timeout=60)


# ------------------------------------------------------------------------------------------- what the disk was told


def whole_calls(log: Path) -> Iterator[str]:
    """The calls of a trace in the order in which they ended; one that was interrupted by another thread is put
    together."""
    begun: dict[str, str] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif call.startswith("<... "):
            yield begun.pop(thread, "") + call.partition("resumed>")[2]
        else:
            yield call


@needs_strace
def test_every_acknowledgement_comes_after_the_disk_has_the_row(
    folder: Path, serve_process: Callable[..., Server], tmp_path: Path
) -> None:
    server, log = serve_process(folder), tmp_path / "trace"
    marks = [f"mark-{n:04}-end" for n in range(N_POSTS)]
    replies = {}
    with traced(server, "-e", "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg", log=log):
        for mark in marks:
            replies[say(server, mark).raise_for_status().json()["feedback_id"]] = mark
    written: dict[str, str] = {}  # mark -> what has become of its row: written, synced, acknowledged
    for call in whole_calls(log):
        if re.match(r"pwrite64\(\d+<[^>]*feilun\.db(-wal)?>", call):
            for mark in re.findall(r"mark-\d{4}-end", call):
                written.setdefault(mark, "written")
        elif re.match(r"f(data)?sync\(\d+<[^>]*feilun\.db(-wal)?>\s*\)\s+= 0", call):
            written |= {mark: "synced" for mark, state in written.items() if state == "written"}
        elif re.match(r"(write|writev|sendto|sendmsg)\(", call):
            for mark in [replies[one] for one in re.findall(r"fb_[0-9a-f]{24}", call) if one in replies]:
                assert written.get(mark) == "synced", mark
                written[mark] = "acknowledged"
    assert written == dict.fromkeys(marks, "acknowledged")


@needs_strace
@pytest.mark.parametrize("error", ["EIO"])
def test_after_a_failed_fsync_nothing_is_acknowledged_until_a_restart_and_answers_go_on(
    folder: Path, serve_process: Callable[..., Server], tmp_path: Path, error: str
) -> None:
    server = serve_process(folder)
    acked = [f"before-{n}" for n in range(5)]
    for mark in acked:
        assert say(server, mark).status_code == 200
    with traced(server, "-e", f"inject=fsync,fdatasync:error={error}", log=tmp_path / "trace"):
        failed = say(server, "during")
        assert (failed.status_code, failed.json()["code"]) == (503, "store.broken")
        assert ask(server).status_code == 200
    after = say(server, "after")  # the disk is well again, but nobody knows what it holds
    assert (after.status_code, after.json()["code"]) == (503, "store.broken")
    assert ask(server).status_code == 200
    ready = httpx.get(f"{server.url}/ready", timeout=60)
    assert (ready.status_code, [one["code"] for one in ready.json()["reasons"]]) == (503, ["store.broken"])
    server.kill()
    assert check_integrity(folder / ".feilun/feilun.db") == "ok"
    again = serve_process(folder)
    assert say(again, "restarted").status_code == 200
    rows = httpx.get(f"{again.url}{AT}/feedback?limit=1000", timeout=60).json()["feedback"]
    comments = [row["comment"] for row in rows]
    assert comments[:5] == acked and comments[-1] == "restarted" and "after" not in comments
    assert len(comments) == len(set(comments))


# ------------------------------------------------------------------------------------------------------- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    may = sys.platform == "linux" and os.geteuid() == 0
    if not may or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can be mounted only by root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left on `disk`."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    os.write(file.fileno(), bytes(size))
            except OSError:
                continue
    yield
    filler.unlink()


def test_a_full_disk_refuses_feedback_with_507_and_takes_it_again_without_a_restart(
    archives: list[Path], small_disk: Path, serve_process: Callable[..., Server]
) -> None:
    folder = make_project(small_disk / "support", archives)
    server = serve_process(folder)
    assert say(server, "before").status_code == 200
    with full(small_disk):
        refused = [say(server, f"full-{n}") for n in range(20)]
        assert {(one.status_code, one.json()["code"]) for one in refused[-10:]} == {(507, "store.full")}
        assert {one.status_code for one in refused} <= {200, 507}  # the log may have had room for the first few
        assert all(ask(server).status_code == 200 for _ in range(5))
    assert say(server, "after").status_code == 200
    rows = httpx.get(f"{server.url}{AT}/feedback?limit=1000", timeout=60).json()["feedback"]
    taken = [f"full-{n}" for n, one in enumerate(refused) if one.status_code == 200]
    assert [row["comment"] for row in rows] == ["before", *taken, "after"]
    assert httpx.get(f"{server.url}/ready", timeout=60).status_code == 200


def test_a_backup_to_a_full_disk_leaves_nothing_there(project: Project, small_disk: Path) -> None:
    with full(small_disk):
        before = sorted(small_disk.iterdir())
        with pytest.raises(FeilunError) as refused:
            project.backup(small_disk / "backup.zip")
        assert refused.value.code == "backup.no_room", refused.value.code
        assert sorted(small_disk.iterdir()) == before


@pytest.mark.parametrize("step", by_day_or_night(["compress"], ["data", "train", "compress", "evaluate", "seal"]))
@pytest.mark.parametrize("is_taken_up", [False, True], ids=["at_once", "after_a_kill"])
def test_a_turn_on_a_full_disk_stops_with_a_reason_and_leaves_no_half_model(
    tiny_project: Path, small_disk: Path, step: str, is_taken_up: bool
) -> None:
    folder = Path(shutil.copytree(tiny_project, small_disk / "support"))
    fill: list[Any] = []
    killed: list[str] = []

    def fill_at(event: Any) -> None:
        if event.kind != "step.start" or event.data["step"] != step or fill:
            return
        if is_taken_up and event.turn_id not in killed:
            killed.append(event.turn_id)
            os.kill(child_of(event.turn_id), signal.SIGKILL)
        else:
            fill.append(full(small_disk))
            fill[0].__enter__()

    with Project(folder) as project:
        for seed in range(3, 8):  # a turn may be past the step before its event is seen here: then the next one
            models = sorted(project.store.models_dir.glob("m_*"))
            try:
                project.turn(seed=seed, on_event=fill_at)
            except FeilunError as refused:
                code = refused.code
                break
            while fill:
                fill.pop().__exit__(None, None, None)
        assert fill and code in ("store.full", "wheel.turn_crashed"), code
        fill[0].__exit__(None, None, None)
        assert sorted(project.store.models_dir.glob("m_*")) == models
        assert all(verify_bundle(model) for model in models)
        assert project.turn(seed=3).model_id  # and with room again it goes on
    left = {one.code: one for one in examine(folder)}
    assert "leftovers.none" in left and "database.whole" in left

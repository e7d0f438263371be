"""Fifty secrets and as many messages go through a real server, its errors included; nothing that it leaves shows one.

Keys are nowhere: not in logs, database, backup, metrics, replies or the process list. Messages are in the database,
which is what it is for, and in no log, metric or error.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pysqlite3
import pytest

from feilun.project import Project
from feilun.trust import create_key, revoke_key
from feilun.trust.making import ALPHABET, N_CHARS
from tests.serve.api.conftest import folder, turned  # noqa: F401

pytestmark = pytest.mark.journey
MARK = "ZQ7PLANTED"  # in every message that is sent
PROXIED = {"X-Forwarded-For": "203.0.113.9"}


def false_key(n: int) -> str:
    return "fl_" + "".join(ALPHABET[(n * 7 + i * 11) % len(ALPHABET)] for i in range(N_CHARS))


def message(n: int) -> str:
    return f"{MARK} my card 4111-{n:04d} 我的卡 {n}"


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[str, int]]:  # noqa: F811
    """Address and process id of `feilun serve` around a project that was turned."""
    command = [sys.executable, "-m", "feilun", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
        assert rest == ""


def test_no_secret_is_left_anywhere(folder: Path, served: tuple[str, int], tmp_path: Path):  # noqa: F811
    address, pid = served
    with Project(folder) as project:
        scopes = ["predict", "feedback", "read", "admin"]
        made = [create_key(project.store, name=f"app {n}", scopes=scopes) for n in range(25)]
        for row, _ in made[20:]:
            revoke_key(project.store, row["key_id"], actor="ann")
    keys = [secret for _, secret in made] + [false_key(n) for n in range(25)]
    assert len(set(keys)) == 50
    errors: list[bytes] = []
    statuses: set[int] = set()
    with httpx.Client(base_url=address, headers=PROXIED, timeout=60) as client:
        for n, key in enumerate(keys):
            for response in visits(client, key, n):
                statuses.add(response.status_code)
                if response.status_code >= 400:
                    errors.append(response.content + str(response.headers).encode())
        metrics = client.get("/metrics", headers={"X-API-Key": keys[0]}).content
        break_store(folder)
        for n in range(5):
            response = client.post("/v1/projects/support/feedback", json=said(n), headers=bearer(keys[n]))
            statuses.add(response.status_code)
            errors.append(response.content)
    assert {200, 400, 401, 404, 405, 413, 422, 500} <= statuses
    mend_store(folder)
    with Project(folder) as project:
        project.backup(tmp_path / "b.zip")
    logs = b"".join(path.read_bytes() for path in (folder / ".feilun" / "logs").iterdir())
    rows = b"".join(path.read_bytes() for path in (folder / ".feilun").glob("*.db*"))
    listed = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    audited = b"".join(path.read_bytes() for path in (folder / ".feilun").glob("audit.key*"))
    places = {"logs": logs, "rows": rows, "metrics": metrics, "errors": b"".join(errors), "listed": listed}
    places |= {"backup": (tmp_path / "b.zip").read_bytes()}
    basic = [base64.b64encode(f"user:{key}".encode()) for key in keys]
    for name, content in places.items():
        assert not [secret for secret in [*(key.encode() for key in keys), *basic, audited] if secret in content], name
    for name in ("logs", "metrics", "errors"):
        assert MARK.encode() not in places[name], name
    assert MARK.encode() in rows
    check_lines(folder / ".feilun" / "logs")


def visits(client: httpx.Client, key: str, n: int) -> Iterator[httpx.Response]:
    """A key and a message in every place where a client could put one, also where it does not belong."""
    text, project = message(n), "/v1/projects/support"
    yield client.post(f"{project}/predictions", json={"inputs": [{"text": text}]}, headers=bearer(key))
    yield client.post(f"{project}/feedback", json=said(n), headers=bearer(key) | {"Idempotency-Key": f"{n}"})
    yield client.post(f"{project}/feedback", json=said(n) | {"thumb": text}, headers={"X-API-Key": key})
    yield client.post(f"{project}/predictions", content=text.encode(), headers=bearer(key))
    yield client.post(f"{project}/predictions", json={"inputs": [text], "unknown": key}, headers=bearer(key))
    yield client.post("/v1/chat/completions", json={"model": "support", "messages": text}, headers=bearer(key))
    yield client.get(f"/v1/{MARK}/{n}", headers=bearer(key))
    yield client.get(project, params={"q": text, "api_key": key}, headers={"X-Request-Id": key})
    yield client.get(project, headers={"Authorization": f"Basic {base64.b64encode(f'user:{key}'.encode()).decode()}"})
    yield client.get(f"{project}/feedback", params={"after": MARK}, headers=bearer(key) | {"X-Request-Id": MARK * 9})
    yield client.request(
        "DELETE", project, headers=bearer(key) | {"User-Agent": text.encode("ascii", "ignore").decode()}
    )
    if n < 2:
        yield client.post(f"{project}/predictions", content=text.encode() * 300_000, headers=bearer(key))


def said(n: int) -> dict[str, object]:
    return {"inputs": {"text": message(n)}, "label": "refund", "comment": message(n)}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def break_store(folder: Path) -> None:  # noqa: F811
    execute(folder, "ALTER TABLE feedback RENAME COLUMN comment TO gone")


def mend_store(folder: Path) -> None:  # noqa: F811
    execute(folder, "ALTER TABLE feedback RENAME COLUMN gone TO comment")


def execute(folder: Path, statement: str) -> None:  # noqa: F811
    with closing(pysqlite3.connect(str(folder / ".feilun" / "feilun.db"), timeout=30)) as db:
        db.execute(statement)
        db.commit()


def check_lines(logs: Path) -> None:
    """Every line is JSON; the requests' have the route, never the address, and the id of the key."""
    lines = [json.loads(line) for line in (logs / "access.log").read_text("utf-8").splitlines()]
    assert {"time", "level", "logger", "message", "request_id", "method", "route", "status", "ms", "key_id"} == set(
        lines[0]
    )
    assert all(re.fullmatch(r"none|/[a-z0-9_/{}.-]*", line["route"]) for line in lines)
    assert {line["key_id"] is not None for line in lines} == {True, False}
    failed = {line["request_id"] for line in lines if line["status"] == 500}
    told = [json.loads(line) for line in (logs / "server.log").read_text("utf-8").splitlines()]
    assert failed and failed == {line["request_id"] for line in told if "error_id" in line}

#!/usr/bin/env python3
"""What a limit costs: CPU ms a request without one, and with a rate and both quotas of its key.

    python benchmarks/limits.py --data FOLDER [--out FILE]

FOLDER holds `banking77/train.csv` and `test.csv`. Ten messages a class train a probe, which the server's own app serves
in this process, without a socket: what is measured is everything that a request costs but HTTP parsing, all threads
together. Two keys, one of them limited, take turns with the same messages, one by one. Told are the means over the
rounds, their quotient, and its standard error from how the rounds differ; what else runs on the machine disturbs it.
Then, what it costs to look at the quotas, which a server does twice a second, and to give out a permit of a lease.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import public
from serve import make_project, read

N_ROUNDS, N_WARM, N_ASKED, N_TAKEN = 60, 2, 20, 100_000
PER_MINUTE, A_MONTH = 600_000, 10**12
Record = dict[str, Any]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds banking77/")
    parser.add_argument("--project", type=Path, help="a project with a live model, instead of one made now")
    parser.add_argument("--rounds", type=int, default=N_ROUNDS, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    texts = [row["text"] for row in read(options.data / "banking77" / "test.csv")]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.project or make_project(options.data / "banking77" / "train.csv", Path(scratch))
        found: Record = {"command": public(sys.argv), **asyncio.run(compare(folder, texts, options.rounds))}
    found |= leases()
    print(json.dumps({name: value for name, value in found.items() if name != "rounds"}, indent=1))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


async def compare(folder: Path, texts: list[str], n_rounds: int) -> Record:
    """CPU ms a request of every round, and of looking at the quotas once."""
    from feilun.config import ServeSettings
    from feilun.project import Project
    from feilun.serve.api import create_app
    from feilun.trust import create_key

    rounds: dict[str, list[float]] = {"without": [], "with": []}
    with Project(folder) as project:
        keys = {kind: create_key(project.store, name=kind, scopes=["predict"]) for kind in rounds}
        limits = {"per_minute": PER_MINUTE, "monthly_requests": A_MONTH, "monthly_characters": A_MONTH}
        project.workspace.set_limit(key_id=keys["with"][0]["key_id"], **limits)
        app = create_app({project.name: project}, require_key=True, settings=ServeSettings())
        path = f"/v1/projects/{project.name}/predictions"
        askers = {kind: Asker(app, path, secret) for kind, (_, secret) in keys.items()}
        async with app.router.lifespan_context(app):
            for round_ in range(-N_WARM, n_rounds):
                for kind in sorted(rounds, reverse=round_ % 2 == 0):
                    asked = [texts[(round_ * N_ASKED + i) % len(texts)] for i in range(N_ASKED)]
                    started = time.process_time()
                    await askers[kind].all(asked)
                    spent = time.process_time() - started
                    if round_ >= 0:
                        rounds[kind].append(spent * 1000 / N_ASKED)
            started = time.process_time()
            for _ in range(N_ASKED):
                app.state.house.till.follow()
            follow_ms = (time.process_time() - started) * 1000 / N_ASKED
    quotients = [after / before for before, after in zip(rounds["without"], rounds["with"], strict=True)]
    found: Record = {f"cpu_ms_{kind}": statistics.mean(values) for kind, values in rounds.items()}
    found["quotient"] = found["cpu_ms_with"] / found["cpu_ms_without"]
    found["standard_error"] = statistics.stdev(quotients) / len(quotients) ** 0.5
    return found | {"follow_ms": follow_ms, "rounds": rounds}


class Asker:
    """Sends predictions to an ASGI app, one after the other."""

    def __init__(self, app: Any, path: str, secret: str) -> None:
        self._app = app
        headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {secret}".encode())]
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [*headers, (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }

    async def all(self, texts: list[str]) -> None:
        for text in texts:
            await self._one(json.dumps({"inputs": [{"text": text}]}).encode())

    async def _one(self, body: bytes) -> None:
        statuses = []

        coming = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            message = next(coming, None)
            if message is None:
                await asyncio.Event().wait()  # the client stays on the line
            return message or {}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self._app(dict(self._scope), receive, send)
        assert statuses == [200], statuses


def leases() -> Record:
    """Microseconds for a permit, from a store that costs nothing, and leases a thousand permits."""
    from concurrent.futures import Future

    from feilun.records import Limit
    from feilun.store import Permits, draw
    from feilun.trust import Bucket

    limit = Limit(subject="key", subject_id="key_1", per_minute=6_000_000, burst=200_000)
    n_leases, full_at = 0, 0.0

    def ask(n: int) -> Future[Permits | None]:
        nonlocal n_leases, full_at
        n_leases += 1
        lease = draw(full_at, now=time.monotonic(), n=n, per_minute=6_000_000, burst=200_000)
        full_at = lease.full_at
        done: Future[Permits | None] = Future()
        done.set_result(lease)
        return done

    bucket = Bucket(limit, ask=ask)
    started = time.process_time()
    for _ in range(N_TAKEN):
        while bucket.take() is not None:
            pass
    spent = time.process_time() - started
    return {"permit_us": spent * 1e6 / N_TAKEN, "leases_per_1000": n_leases * 1000 / N_TAKEN}


if __name__ == "__main__":
    raise SystemExit(main())

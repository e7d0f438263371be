#!/usr/bin/env python3
"""How many rows of feedback a second are acknowledged, each after the fsync that keeps it; and whether all are kept.

    python benchmarks/feedback.py [--writers 32] [--seconds 10] [--folder FOLDER] [--out FILE]

A server of its own with an empty project in FOLDER (default: a temporary one; its disk is what is measured), and
`load.py` with so many connections, each of which sends its next row when the last one was acknowledged. Afterwards the
rows are counted: those acknowledged and those kept must be the same.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from common import public
from feilun.project import Project

HERE = Path(__file__).parent
READY_WITHIN_S = 120
Record = dict[str, Any]


def main() -> int:
    """Measure, print, write; 1 when a row was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, default=32, help="connections (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="(default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the project is made (default: a temporary folder)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = make_project(Path(scratch) / "support")
        done = load(folder, writers=options.writers, seconds=options.seconds)
        found = {"command": public(sys.argv), "writers": options.writers} | summary(done) | {"kept": count(folder)}
    print(json.dumps(found))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return int(found["kept"] < found["acknowledged"])


def make_project(folder: Path) -> Path:
    """A project that has a name and nothing else."""
    (folder / ".feilun").mkdir(parents=True)
    (folder / "feilun.toml").write_text('[project]\nname = "support"\n', "utf-8")
    return folder


def load(folder: Path, *, writers: int, seconds: float) -> Record:
    """What `load.py` tells of a server of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "feilun", "serve", str(folder), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        bodies = [json.dumps({"inputs": {"text": f"message {n}"}, "label": f"class {n % 7}"}) for n in range(1000)]
        job = {"port": port, "path": "/v1/projects/support/feedback", "bodies": bodies}
        job |= {"connections": writers, "seconds": seconds}
        done = subprocess.run(
            [sys.executable, str(HERE / "load.py")],
            input=json.dumps(job),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout))
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str) -> None:
    """Until the server answers there."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        try:
            httpx.get(url, timeout=5).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(url)


def summary(done: Record) -> Record:
    """Rows a second and latencies."""
    latencies, acknowledged = done["latencies_ms"], done["statuses"].get("200", 0)
    return {
        "acknowledged": acknowledged,
        "rows_a_second": round(acknowledged / done["seconds"], 1),
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[int(len(latencies) * 0.99)],
        "statuses": done["statuses"],
    }


def count(folder: Path) -> int:
    """Rows of feedback that are kept."""
    n_rows, after = 0, 0
    with Project(folder) as project:
        while page := project.list_feedback(after=after, limit=1000):
            n_rows, after = n_rows + len(page), page[-1]["seq"]
    return n_rows


if __name__ == "__main__":
    sys.exit(main())

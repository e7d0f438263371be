#!/usr/bin/env python3
"""How long promotions and roll-backs take while a server is under load, and whether any request failed meanwhile.

    python benchmarks/swaps.py --data FOLDER [--swaps 100] [--connections 8] [--out FILE]

FOLDER holds `banking77/train.csv` and `test.csv`. Two models with the catalogue's backbone take turns as champion of
a server that `load.py` keeps busy. A swap lasts from the request to its acknowledgement; the first answer after that
must come from the model that was promoted. Prints the percentiles; 1 when a request failed or a swap was not live at
once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from common import public
from feilun.project import Project
from serve import N_TEXTS, Record, Server, feilun, make_project, percentile, read

WARM_S = 1.0


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds banking77/")
    parser.add_argument("--swaps", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--connections", type=int, default=8, help="of the load (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    texts = [row["text"] for row in read(options.data / "banking77" / "test.csv")][:N_TEXTS]
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_project(options.data / "banking77" / "train.csv", Path(scratch))
        with Project(folder) as project:
            project.turn(seed=1)
            models = [row["model_id"] for row in project.list_models()]
        with feilun(folder, texts) as server:
            found = swap_under_load(server, models, options)
    print(json.dumps(found))
    if options.out:
        options.out.write_text(json.dumps({"command": public(sys.argv), **found}, indent=1) + "\n", "utf-8")
    return int(set(found["statuses"]) != {"200"} or found["n_late"] > 0)


def swap_under_load(server: Server, models: list[str], options: argparse.Namespace) -> Record:
    """What became of the swaps, and of the requests meanwhile."""
    took: list[float] = []
    n_late = 0
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=server.url, timeout=60) as client:
        seconds = WARM_S + options.swaps * 0.3
        load = pool.submit(server.load, connections=options.connections, seconds=seconds)
        time.sleep(WARM_S)
        for n in range(options.swaps):
            seconds, model = swap(client, models, n)
            took.append(seconds)
            n_late += first_answer(client) != model
        seen: Record = load.result()
    took.sort()
    return {
        "swaps": len(took),
        "n_late": n_late,
        "median_s": statistics.median(took),
        "p99_s": percentile(took, 0.99),
        "most_s": took[-1],
        **seen,
    }


def swap(client: httpx.Client, models: list[str], n: int) -> tuple[float, str]:
    """Promote the other model, or roll back to it; how long that took, and which is live now."""
    live = client.get("/v1/projects/served").json()["champion"]
    other = next(model for model in models if model != live)
    body: dict[str, Any] = {"action": "promote", "model_id": other, "override": True, "reason": f"swap {n}"}
    started = time.perf_counter()
    client.post("/v1/projects/served/releases", json={"action": "rollback"} if n % 2 else body).raise_for_status()
    return time.perf_counter() - started, other


def first_answer(client: httpx.Client) -> str:
    """The model that answers now."""
    reply = client.post("/v1/projects/served/predictions", json={"inputs": [{"text": "where is my card"}]})
    return str(reply.raise_for_status().json()["predictions"][0]["model_version"])


if __name__ == "__main__":
    raise SystemExit(main())

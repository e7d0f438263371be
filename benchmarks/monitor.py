#!/usr/bin/env python3
"""What the monitor costs after half a year: milliseconds for each of its views, a million answers in the counts.

    python benchmarks/monitor.py [--url URL] [--out FILE]

URL is an empty PostgreSQL database; without it, SQLite. The counts of 24 weeks of 250 answers an hour with 50 labels
are written as a server writes them, in the same verbs, hour by hour; the answers themselves are not. Then each view is
asked for again and again: CPU time of this process (which is all there is for SQLite), and time by the clock.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from common import public

N_HOURS, N_AN_HOUR, N_LABELS, N_ASKED = 24 * 7 * 24, 250, 50, 15
Record = dict[str, Any]


def main() -> int:
    """Fill, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="", help="of an empty PostgreSQL database")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found: Record = {"command": public(sys.argv), **measure(Path(scratch), options.url)}
    print(json.dumps(found, indent=1))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


def measure(folder: Path, url: str) -> Record:
    """Rows of the counts, and the median and the worst of each view, in ms."""
    from feilun.project import Project
    from feilun.store import utc_now

    store = f'[store]\nurl = "{url}"\n' if url else ""
    (folder / "feilun.toml").write_text(f'[project]\nname = "support"\n{store}', "utf-8")
    with Project(folder) as project:
        now = utc_now()
        fill(project, until=now)
        found: Record = {"database": "postgresql" if url else "sqlite", "n_answers": N_HOURS * N_AN_HOUR}
        for bucket in ("hour", "day", "week"):
            found[bucket] = ask(lambda of=bucket: project.monitor(bucket=of, until=now))
    return found


def fill(project: Any, *, until: datetime) -> None:
    from feilun.store.chain import TRAFFIC
    from feilun.store.tallies import add_tallies, tally_predictions

    rng = random.Random(0)
    for hour in reversed(range(N_HOURS)):
        counts = tally_predictions(answer(rng, until - timedelta(hours=hour)) for _ in range(N_AN_HOUR))
        project.store.writer.write(lambda connection, of=counts: add_tallies(connection, of, writer="w"), audit=TRAFFIC)


def answer(rng: random.Random, at: datetime) -> Record:
    """The columns of an answer that are counted."""
    return {
        "project": "support",
        "created_at": at,
        "decision": rng.choice(["answer", "answer", "hand_over"]),
        "confidence": rng.random(),
        "latency_ms": rng.lognormvariate(2, 0.7),
        "labels": [f"label {int(rng.paretovariate(1)) % N_LABELS}"],
    }


def ask(view: Any) -> Record:
    """Of `N_ASKED` times: milliseconds of CPU and by the clock."""
    cpu, clock = [], []
    for _ in range(N_ASKED):
        began, started = time.process_time(), time.perf_counter()
        view()
        cpu.append(1000 * (time.process_time() - began))
        clock.append(1000 * (time.perf_counter() - started))
    named = {"cpu_ms": cpu, "clock_ms": clock}
    return {
        f"{name}_{which}": round(of(values), 1)
        for name, values in named.items()
        for which, of in (("median", statistics.median), ("worst", max))
    }


if __name__ == "__main__":
    sys.exit(main())

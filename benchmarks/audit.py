"""What the audit log costs: feedback acknowledged a second by many writers, and entries verified a second.

    python benchmarks/audit.py [--folder DIR] [--writers N] [--rows N] [--json FILE]

Feedback goes straight to the store, each row acknowledged after the fsync of its group. The folder decides about the
disk that is measured. CPU time a row is what other processes on the machine disturb least.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from feilun.store import Store
from feilun.trust import verify_audit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None, help="where the workspace is made (default: temporary)")
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--rows", type=int, default=250, help="of each writer")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder, Store(Path(folder) / ".feilun") as store:
        measured = give(store, n_writers=args.writers, n_each=args.rows) | verify(store)
    for name, value in measured.items():
        print(f"{name:24} {value}")
    if args.json:
        args.json.write_text(json.dumps(measured, indent=1), "utf-8")


def give(store: Store, *, n_writers: int, n_each: int) -> dict[str, Any]:
    """Rows a second, the 99th percentile of the wait for one, and CPU time."""
    waits: list[float] = []

    def work(writer: int) -> None:
        for n in range(n_each):
            started = time.perf_counter()
            store.add_feedback(
                "support",
                prediction_id=None,
                actor="ann",
                body_hash="h",
                inputs={"text": f"message {writer} {n} 你好"},
                example_id=f"e{writer}-{n}",
                labels=["refund"],
            )
            waits.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(n_writers)]
    cpu, started = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall_s, n_rows = time.perf_counter() - started, n_writers * n_each
    assert len(store.list_feedback("support", limit=1000)) == min(n_rows, 1000)
    return {
        "feedback rows/s": round(n_rows / wall_s),
        "p99 ms": round(sorted(waits)[int(0.99 * n_rows)] * 1000),
        "CPU ms/row": round((time.process_time() - cpu) * 1000 / n_rows, 3),
    }


def verify(store: Store) -> dict[str, Any]:
    """Entries a second, by CPU time."""
    cpu = time.process_time()
    verdict = verify_audit(store)
    assert verdict.is_whole, verdict.faults
    return {"entries verified/CPU s": round(verdict.n_entries / (time.process_time() - cpu))}


if __name__ == "__main__":
    main()

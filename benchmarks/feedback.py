#!/usr/bin/env python3
"""How many rows of feedback a second are acknowledged, each after the fsync that keeps it; and whether all are kept.

    python benchmarks/feedback.py [--writers 32] [--seconds 10] [--folder FOLDER] [--out FILE]

A server of its own with an empty project in FOLDER (default: a temporary one; its disk is what is measured), and
`load.py` with so many connections, each of which sends its next row when the last one was acknowledged. Afterwards the
rows are counted: what was acknowledged must be there. CPU ms a row are the server's, and disturbed least by what else
runs on the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from common import public
from feilun.project import Project
from serve import Record, Server, running


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
        kept = count(folder)
    found = {"command": public(sys.argv), "writers": options.writers, "kept": kept} | done
    print(json.dumps(found))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return int(kept < done["statuses"].get("200", 0))


def make_project(folder: Path) -> Path:
    """A project that has a name and nothing else."""
    (folder / ".feilun").mkdir(parents=True)
    (folder / "feilun.toml").write_text('[project]\nname = "support"\n', "utf-8")
    return folder


def load(folder: Path, *, writers: int, seconds: float) -> Record:
    """What `load.py` sees of a server of its own, and what that costs it."""
    bodies = [json.dumps({"inputs": {"text": f"message {n}"}, "label": f"class {n % 7}"}) for n in range(1000)]
    with running([sys.executable, "-m", "feilun", "serve", str(folder), "--port", "0"]) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        server = Server(process.pid, port, "/v1/projects/support/feedback", bodies)
        return server.load(connections=writers, seconds=seconds)


def count(folder: Path) -> int:
    """Rows of feedback that are kept."""
    n_rows, after = 0, 0
    with Project(folder) as project:
        while page := project.list_feedback(after=after, limit=1000):
            n_rows, after = n_rows + len(page), page[-1]["seq"]
    return n_rows


if __name__ == "__main__":
    sys.exit(main())

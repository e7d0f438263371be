#!/usr/bin/env python3
"""How strong may the probe's head be: the strength with the least loss, or the smallest within a standard error of it?

    python benchmarks/strengths.py --data FOLDER [--out FILE]
    python benchmarks/strengths.py --data FOLDER --draws "snips 10 5-9"

Protocol. Each draw teaches a linear head on frozen embeddings, without class names, once for each strength (C) of the
default settings; the folds and losses are the probe's own. Accuracy is that on at most 1,500 left-over rows of the
training file, drawn once; no row that judges a published figure is read. A draw is "set shots seeds"; those of the
default are seeds that no published figure uses.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from common import public, seeds
from methods import find_backbone
from sets import SETS, SOURCES, _read, teaching_rows

DRAWS = (
    "subjectivity 64 5-14",
    "movie_review_sentences 64 5-14",
    "subjectivity 16 5-14",
    "snips 10 5-9",
    "banking77 5 5-7",
    "clinc150 5 5",
)
N_JUDGED = 1500
Record = dict[str, Any]


def main() -> int:
    """Run every draw, print the means of each set, write everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=SOURCES)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data, see below")
    parser.add_argument("--draws", action="append", help="set, shots a class and seeds (default: those of the note)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    groups = []
    for draw in options.draws or DRAWS:
        name, shots, some = draw.split()
        runs = [measure(options.data, name, int(shots), seed) for seed in seeds(some)]
        groups.append({"set": name, "shots": int(shots), "means": means(runs), "runs": runs})
        print(name, shots, " ".join(f"{key} {100 * value:.1f}" for key, value in groups[-1]["means"].items()))
    if options.out:
        options.out.write_text(json.dumps({"command": public(sys.argv), "sets": groups}, indent=1) + "\n", "utf-8")
    return 0


def measure(data: Path, name: str, shots: int, seed: int) -> Record:
    """Accuracy of each strength on left-over rows, and which two rules would keep."""
    from feilun.config import ProbeSettings, TaskSettings
    from feilun.models import embedder
    from feilun.tasks import get_task
    from feilun.train.folds import plan_folds
    from feilun.train.leaderboard import Line
    from feilun.train.probe import FEW_ROWS, N_REPEATS, Probe, _choose, _judge
    from feilun.train.rows import TrainingRows

    job = {"set": name, "shots": shots, "subset": "drawn", "seed": seed, "data": str(data)}
    job |= {"language": SETS[name].language, "backbone": ""}
    texts, labels = teaching_rows(job)
    others = left_over(job, set(texts))
    encoder, task = embedder(find_backbone(job), max_tokens=128), get_task(TaskSettings())
    known, taught = encoder.run(texts)[0], sorted(set(labels))
    judged = encoder.run([row["text"] for row in others])[0]
    targets = np.eye(len(taught), dtype=np.float32)[[taught.index(label) for label in labels]]
    n = len(texts)
    rows = TrainingRows(texts, targets, np.ones(n, np.float32), tuple(taught), np.arange(n))
    repeats = N_REPEATS if n < FEW_ROWS else 1
    plans = [plan_folds(rows, n_folds=4, seed=seed + 1000 * repeat) for repeat in range(repeats)]
    strengths, losses, accuracy = ProbeSettings().c, [], {}
    for c in strengths:
        probe = Probe(known, rows, task=task, c=c, seed=seed)
        losses.append(_judge(Line("probe", probe.params, probe, plans[0]), plans, rows, task=task))
        fitted = probe.fit(np.arange(n), fold=None, time_limit_s=np.inf)
        given = (judged @ fitted.weight.T + fitted.bias).argmax(axis=1)
        accuracy[f"{c:g}"] = float(np.mean([taught[i] == row["label"] for i, row in zip(given, others, strict=True)]))
    least = strengths[int(np.argmin([found.mean() for found in losses]))]
    kept = strengths[_choose(strengths, losses)]
    return {"seed": seed, "accuracy": accuracy, "least_loss": least, "kept": kept}


def left_over(job: Record, taught: set[str]) -> list[dict[str, str]]:
    """Training rows that do not teach."""
    about = SETS[job["set"]]
    rows = _read(job, about.train_file)
    others = [
        row for row in rows if row["text"] not in taught and not (about.column and row[about.column] == about.judges)
    ]
    return [others[place] for place in np.random.default_rng(1).permutation(len(others))[:N_JUDGED]]


def means(runs: list[Record]) -> dict[str, float]:
    """Accuracy over the draws: of each strength, and of what each rule keeps."""
    found = {
        f"C={c}": float(np.mean([run["accuracy"][c] for run in runs])) for c in sorted(runs[0]["accuracy"], key=float)
    }
    for rule in ("least_loss", "kept"):
        found[rule] = float(np.mean([run["accuracy"][f"{run[rule]:g}"] for run in runs]))
    return found


if __name__ == "__main__":
    raise SystemExit(main())

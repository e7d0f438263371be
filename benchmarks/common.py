"""What the benchmarks share: seeds, costs, one process a fit, the table, the JSON."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Record = dict[str, Any]
KEYS = ("set", "shots", "subset", "seed", "method")
SCORES = ("accuracy", "macro_f1")


def seeds(text: str) -> list[int]:
    """`0-4` or `0,3,7`."""
    if "-" in text:
        first, last = text.split("-")
        return list(range(int(first), int(last) + 1))
    return [int(part) for part in text.split(",")]


def public(command: Sequence[str]) -> list[str]:
    """The command as anyone would type it: where this machine keeps data and programs says nothing to others."""
    folders = dict.fromkeys(("--data", "--project", "--folder", "--peer-venv", "--openvino-path"), "FOLDER")
    private = folders | {"--out": "FILE", "--peer-python": "PYTHON", "--url": "URL"}
    script = f"benchmarks/{Path(command[0]).name}"
    return [script, *(private.get(before, word) for before, word in pairwise(command))]


def cost_since(started: float) -> Record:
    """CPU seconds of this process and its children so far, wall seconds since `started`, the larger peak memory."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "cpu_s": round(sum(u.ru_utime + u.ru_stime for u in usage), 2),
        "wall_s": round(time.monotonic() - started, 2),
        "peak_mb": round(max(u.ru_maxrss for u in usage) / 1024, 1),
    }


def in_own_process(script: str, job: Record) -> Record:
    """What `python script --job JOB` prints, so that one fit's time and memory are told from another's."""
    done = subprocess.run(
        [sys.executable, str(Path(script).resolve()), "--job", json.dumps(job)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def judged(expected: Sequence[str], given: Sequence[str]) -> Record:
    """Accuracy and macro-F1 of the answers, in [0, 1]; for two classes also F1 of the rarer one."""
    from sklearn.metrics import accuracy_score, f1_score

    score: Record = {
        "accuracy": float(accuracy_score(expected, given)),
        "macro_f1": float(f1_score(expected, given, average="macro", zero_division=0)),
        "n_test": len(expected),
    }
    classes = sorted(set(expected), key=list(expected).count)
    if len(classes) == 2:
        score["rarer_f1"] = float(f1_score(expected, given, pos_label=classes[0], zero_division=0))
    return score


def tell(record: Record) -> None:
    """One finished fit, to stderr."""
    sys.stderr.write(
        f"{record['set']} {record['shots'] or 'all'}-shot {record['subset']} seed {record['seed']} "
        f"{record['method']:8s} accuracy {100 * record['accuracy']:.2f} CPU {record['cpu_s']:.1f} s "
        f"{record['detail']}\n"
    )


def summarise(records: Sequence[Record], *, against: str) -> list[Record]:
    """One line for each set, shots, subset and method: mean and standard deviation over seeds.

    Every other method's accuracy and CPU seconds are also set against those of the method `against`.
    """
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in records:
        groups[tuple(record[key] for key in KEYS if key != "seed")].append(record)
    lines = []
    for (name, shots, subset, method), runs in groups.items():
        line: Record = {"set": name, "shots": shots, "subset": subset, "method": method, "n_runs": len(runs)}
        for key in (*SCORES, "cpu_s", "peak_mb"):
            values = np.array([run[key] for run in runs])
            line[key] = float(values.mean())
            line[f"{key}_std"] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        base = groups.get((name, shots, subset, against))
        if base and method != against:
            line["accuracy_gain"] = line["accuracy"] - float(np.mean([run["accuracy"] for run in base]))
            line["cpu_ratio"] = line["cpu_s"] / float(np.mean([run["cpu_s"] for run in base]))
        lines.append(line)
    return lines


def as_text(lines: Sequence[Record]) -> str:
    """The summary as a table for a terminal."""
    width = max([len(line["set"]) for line in lines] + [14])
    head = (
        f"{'set':{width}s} {'shots':>5s} {'subset':10s} {'method':9s} {'runs':>4s} {'accuracy':>14s} {'macro-F1':>14s}"
    )
    out = [f"{head} {'CPU s':>7s} {'peak MB':>8s} {'gain':>7s} {'x CPU':>6s}"]
    for line in lines:
        text = (
            f"{line['set']:{width}s} {line['shots'] or 'all':>5} {line['subset']:10s} {line['method']:9s} "
            f"{line['n_runs']:4d} "
            f"{100 * line['accuracy']:7.2f} ± {100 * line['accuracy_std']:4.2f} "
            f"{100 * line['macro_f1']:7.2f} ± {100 * line['macro_f1_std']:4.2f} "
            f"{line['cpu_s']:7.1f} {line['peak_mb']:8.0f}"
        )
        if "accuracy_gain" in line:
            text += f" {100 * line['accuracy_gain']:+7.2f} {line['cpu_ratio']:6.1f}"
        out.append(text)
    return "\n".join(out)


def write_results(path: Path, records: Sequence[Record], *, against: str, **about: Any) -> None:
    """Command, summary and every run, as JSON."""
    document = {
        "command": public(sys.argv),
        **about,
        "summary": summarise(records, against=against),
        "runs": list(records),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")

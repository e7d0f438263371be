#!/usr/bin/env python3
"""How well are messages told apart that belong to no class?

    python benchmarks/scope.py --data FOLDER
    python benchmarks/scope.py --data FOLDER --shots 0,10 --seeds 0-2 --methods probe,chosen,pool --out scope.json

Protocol. CLINC150, its 150 classes and its 100 out-of-scope validation rows (the published out-of-scope test rows are
not needed). `without`: training sees in-scope rows only; `with`: also the 100 out-of-scope training rows. Two scores of
the same calibrated answers: `confidence`, the highest probability, and `in_scope`, on which Feilun decides. AUROC: the
chance that an out-of-scope row scores lower than an in-scope row of the test file; FPR95: out-of-scope rows accepted
when 95 % of the test file are. The threshold is cross-fitted: learnt on one half of the validation rows, in scope and
out, and applied to the test file and the other half, then the halves change places. recall: out-of-scope rows refused;
in-scope accuracy: test rows accepted and right; accuracy: the same without any refusal.

How the score was chosen, without ever looking at those rows: docs/notes/012-out-of-scope.md
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from common import cost_since, in_own_process, public, seeds
from methods import OUTSIDE, RUNGS, find_backbone, train_ours
from sets import SOURCES, other_texts, read_rows, tasks, teaching_rows

METHODS = ("probe", "chosen", "pool")
SCORES = ("confidence", "in_scope")
FIGURES = ("auroc", "fpr95", "recall", "in_scope_accuracy")
SOURCE = """
Besides train.csv and test.csv the folder clinc150 holds val.csv, oos_train.csv and oos_val.csv of the same release.
"""


def main() -> int:
    """Run every combination, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES + SOURCE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the public data, see below")
    parser.add_argument("--shots", default="0", help="comma-separated shots a class, 0 for every row")
    parser.add_argument("--seeds", default="0", help="a range or a comma-separated list (default: %(default)s)")
    parser.add_argument("--methods", default="probe,chosen", help=f"of {', '.join(METHODS)} (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=1200, help="wall-clock seconds for a fit")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(run(json.loads(options.job))))
        return 0
    if options.data is None:
        parser.error("--data is needed; see --help for where the data come from")
    runs = []
    wanted = tasks(
        options.data,
        names=["clinc150"],
        shots=[int(s) for s in options.shots.split(",")],
        subsets=[],
        seeds=seeds(options.seeds),
    )
    for task in wanted:
        for method in options.methods.split(","):
            for taught in ("without", "with"):
                job = {**task, "method": method, "taught": taught, "backbone": "", "budget_s": options.budget}
                runs.append({key: job[key] for key in ("shots", "seed", "method", "taught")})
                runs[-1].update(in_own_process(__file__, job))
                sys.stderr.write(json.dumps(runs[-1]) + "\n")
    lines = summarise(runs)
    print(_as_text(lines))
    if options.out:
        document = {"command": public(sys.argv), "summary": lines, "runs": runs}
        options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0


def run(job: dict[str, Any]) -> dict[str, Any]:
    """One fit, and how both scores tell its rows apart."""
    from feilun.config import TaskSettings
    from feilun.tasks import get_task

    started = time.monotonic()
    taught = read_rows(job, "oos_train.csv").texts if job["taught"] == "with" else []
    others = other_texts(job) if job["method"] == "pool" else []
    result, answer = train_ours(
        job, find_backbone(job), teaching_rows(job), settings=RUNGS[job["method"]], unlabelled=others, outside=taught
    )
    cost = cost_since(started)
    task = get_task(TaskSettings(out_of_scope_label=OUTSIDE))
    temperature = float(result.meta["temperature"])
    parts = {}
    for name in ("test", "val", "oos_val"):
        texts, labels = read_rows(job, f"{name}.csv")
        probs = task.probs(answer(texts), temperature=temperature)
        right = np.array([result.labels[i] for i in probs.argmax(axis=1)]) == np.array(labels)
        parts[name] = {"right": right, "confidence": task.confidence(probs), "in_scope": task.in_scope(probs)}
    found = {score: judge({name: (part[score], part["right"]) for name, part in parts.items()}) for score in SCORES}
    return {"accuracy": float(parts["test"]["right"].mean()), **found, **cost}


def judge(parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """AUROC and FPR95 of a score, and what a cross-fitted threshold on it does.

    Args:
        parts: test, val, oos_val: (n,) score and (n,) bool, the answer is right.
    """
    from sklearn.metrics import roc_auc_score

    from feilun.config import EvaluateSettings
    from feilun.evaluate.scope import scope_threshold

    (test, right), (val, val_right), (oos, _) = parts["test"], parts["val"], parts["oos_val"]
    outside = np.r_[np.zeros(len(test), dtype=bool), np.ones(len(oos), dtype=bool)]
    accept = np.sort(test)[int(0.05 * len(test))]
    recalls, accuracies = [], []
    halves = np.arange(max(len(val), len(oos))) % 2
    for half in (0, 1):
        own, own_oos = val[halves[: len(val)] == half], oos[halves[: len(oos)] == half]
        threshold = scope_threshold(
            np.r_[own, own_oos],
            np.r_[val_right[halves[: len(val)] == half], np.zeros(len(own_oos), dtype=bool)],
            np.r_[np.zeros(len(own), dtype=bool), np.ones(len(own_oos), dtype=bool)],
            max_refused=EvaluateSettings().max_refused,
        )
        assert threshold is not None
        recalls.append(float((oos[halves[: len(oos)] != half] < threshold).mean()))
        accuracies.append(float((right & (test >= threshold)).mean()))
    return {
        "auroc": float(roc_auc_score(outside, -np.r_[test, oos])),
        "fpr95": float((oos >= accept).mean()),
        "recall": float(np.mean(recalls)),
        "in_scope_accuracy": float(np.mean(accuracies)),
    }


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each shots, method, training and score: the mean over seeds."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in runs:
        groups[one["shots"], one["method"], one["taught"]].append(one)
    lines = []
    for (shots, method, taught), some in groups.items():
        for score in SCORES:
            line = {"shots": shots, "method": method, "oos_rows": taught, "score": score, "n_runs": len(some)}
            line["accuracy"] = float(np.mean([one["accuracy"] for one in some]))
            line.update({name: float(np.mean([one[score][name] for one in some])) for name in FIGURES})
            line["cpu_s"] = float(np.mean([one["cpu_s"] for one in some]))
            lines.append(line)
    return lines


def _as_text(lines: list[dict[str, Any]]) -> str:
    out = [
        f"{'shots':>5s} {'method':8s} {'oos rows':8s} {'score':10s} {'runs':>4s} {'accuracy':>8s} {'AUROC':>7s} "
        f"{'FPR95':>6s} {'recall':>7s} {'in scope':>8s} {'CPU s':>7s}"
    ]
    for line in lines:
        out.append(
            f"{line['shots'] or 'all':>5} {line['method']:8s} {line['oos_rows']:8s} {line['score']:10s} "
            f"{line['n_runs']:4d} {100 * line['accuracy']:8.2f} {line['auroc']:7.4f} {line['fpr95']:6.3f} "
            f"{line['recall']:7.3f} {100 * line['in_scope_accuracy']:8.2f} {line['cpu_s']:7.1f}"
        )
    return "\n".join(out)


if __name__ == "__main__":
    sys.exit(main())

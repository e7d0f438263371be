#!/usr/bin/env python3
"""What a search for better settings gains over the settings as they come, and what it costs.

    python benchmarks/search.py --data FOLDER
    python benchmarks/search.py --data FOLDER --set banking77 --shots 5 --trials 20 --seeds 5-7 --judge test

Protocol. Each run learns from the shots of fewshot.json alone; all is chosen by cross-validation on them. Methods:
  as set    the ladder without a search          random, tpe, grid    the ladder with `--trials` trials of that method
The winner goes through the gate of the ladder: it replaces tune or probe only if it leads on the same folds. What is
chosen is then judged once, on rows that no choice has seen: `left-over` (the rows of train.csv that were not drawn, at
most 2,000 of them) or `test` (test.csv).

CPU seconds are those of a process of its own with its children, from its start to the finished fit. Progress names the
best trial's log-loss out of fold beside that of the settings as set, on the same folds: how much of that lead is left
on unseen rows is what the accuracy says.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from common import public
from methods import find_backbone, train_ours

METHODS = ("as set", "random", "tpe")
MOST_LEFT_OVER = 2000
LANGUAGES = {"massive_zh_cn": "zh"}
SOURCES = """\
FOLDER holds one folder a set, with train.csv and test.csv (columns text,label) and fewshot.json:
{shots: {seed: [row numbers of train.csv, from 0]}}. The texts are public:
  snips          github.com/sonos/nlu-benchmark, 2017-06-custom-intent-engines (CC0)
  banking77      github.com/PolyAI-LDN/task-specific-datasets, banking_data (CC BY 4.0)
  massive_zh_cn  github.com/alexa/massive, locale zh-CN, label = intent (CC BY 4.0)
"""


def main() -> int:
    """Run every combination, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the public data, see below")
    parser.add_argument("--set", default="snips", help="folder in it (default: %(default)s)")
    parser.add_argument("--shots", type=int, default=5, help="rows a class (default: %(default)s)")
    parser.add_argument("--seeds", default="5-7", help="draws of fewshot.json (default: %(default)s)")
    parser.add_argument("--methods", default=",".join(METHODS), help="default: %(default)s")
    parser.add_argument("--trials", type=int, default=12, help="default: %(default)s")
    parser.add_argument("--judge", choices=("left-over", "test"), default="left-over", help="default: %(default)s")
    parser.add_argument("--budget", type=float, default=3600, help="wall-clock seconds a run (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(run_job(json.loads(options.job))))
        return 0
    if options.data is None:
        parser.error("--data is needed; see --help for where the data come from")
    records = [_measure(job) for job in _jobs(options)]
    print(_as_text(_summary(records)))
    if options.out:
        document = {"command": public(sys.argv), "summary": _summary(records), "runs": records}
        options.out.write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")
    return 0


def _jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    first, _, last = options.seeds.partition("-")
    shared = {"data": str(options.data / options.set), "set": options.set, "shots": options.shots}
    shared |= {"trials": options.trials, "judge": options.judge, "budget_s": options.budget}
    return [
        {**shared, "seed": seed, "method": method}
        for seed in range(int(first), int(last or first) + 1)
        for method in options.methods.split(",")
    ]


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    """One run in a fresh process."""
    command = [sys.executable, str(Path(__file__).resolve()), "--job", json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    record = {**{k: job[k] for k in ("set", "shots", "seed", "method", "trials", "judge")}, **json.loads(done.stdout)}
    sys.stderr.write(
        f"seed {job['seed']} {job['method']:7s} accuracy {100 * record['accuracy']:.2f} CPU {record['cpu_s']:.1f} s "
        f"chosen: {record['chosen']} best trial {record['best']} against {record['as_set']}\n"
    )
    return record


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Draw, train, judge."""
    backbone = find_backbone({"backbone": "", "language": LANGUAGES.get(job["set"], "en")})
    texts, labels = _read(Path(job["data"]) / "train.csv")
    draws = json.loads((Path(job["data"]) / "fewshot.json").read_text("utf-8"))
    drawn = draws[str(job["shots"])][str(job["seed"])]
    answer, names, facts = _fit(job, backbone, [texts[i] for i in drawn], [labels[i] for i in drawn])
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = round(sum(u.ru_utime + u.ru_stime for u in usage), 1)
    if job["judge"] == "test":
        texts, labels = _read(Path(job["data"]) / "test.csv")
        judged = np.arange(len(texts))
    else:
        left = np.setdiff1d(np.arange(len(texts)), drawn)
        judged = np.random.default_rng(0).permutation(left)[:MOST_LEFT_OVER]
    given = answer([texts[i] for i in judged]).argmax(axis=1)
    hits = [names[column] == labels[i] for column, i in zip(given, judged, strict=True)]
    return {"accuracy": float(np.mean(hits)), "n_judged": len(judged), "cpu_s": cpu_s, **facts}


def _read(path: Path) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def _fit(job: dict[str, Any], backbone: Any, texts: list[str], labels: list[str]) -> tuple[Any, Any, dict[str, Any]]:
    search = {"enabled": job["method"] != "as set", "n_trials": job["trials"]}
    if search["enabled"]:
        search["method"] = job["method"]
    result, answer = train_ours(job, backbone, (texts, labels), settings={"search": search})
    chosen = next(line for line in result.leaderboard if line.chosen)
    lines = {line.method: line for line in result.leaderboard}
    facts = {
        "chosen": chosen.method,
        "params": chosen.params,
        "as_set": _loss(lines.get("tune")),
        "best": _loss(lines.get("search")),
        "search": result.meta["search"],
    }
    return answer, result.labels, facts


def _loss(line: Any) -> float | None:
    return round(line.validation["log_loss"], 4) if line is not None and "log_loss" in line.validation else None


def _summary(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    plain = {r["seed"]: r for r in records if r["method"] == "as set"}
    for method in dict.fromkeys(r["method"] for r in records):
        runs = [r for r in records if r["method"] == method]
        row = {key: runs[0][key] for key in ("set", "shots", "judge", "trials", "n_judged")} | {"method": method}
        for key in ("accuracy", "cpu_s"):
            row[key] = float(np.mean([r[key] for r in runs]))
        gains = [r["accuracy"] - plain[r["seed"]]["accuracy"] for r in runs if r["seed"] in plain]
        row |= {"gain": float(np.mean(gains)) if gains else None, "gains": gains, "n_runs": len(runs)}
        row["times_chosen"] = sum(r["chosen"] == "search" for r in runs)
        rows.append(row)
    return rows


def _as_text(rows: list[dict[str, Any]]) -> str:
    first = rows[0]
    lines = [
        f"{first['set']}, {first['shots']} a class, {first['n_runs']} draws, {first['trials']} trials, "
        f"judged on {first['n_judged']} rows ({first['judge']})",
        "method   accuracy    gain   (each draw)                CPU s  search chosen",
    ]
    for row in rows:
        gain = "" if row["gain"] is None else f"{100 * row['gain']:+7.2f}"
        each = " ".join(f"{100 * gain:+.2f}" for gain in row["gains"])
        lines.append(
            f"{row['method']:8s} {100 * row['accuracy']:8.2f} {gain:>7s}   {each:25s} {row['cpu_s']:7.1f}  "
            f"{row['times_chosen']} of {row['n_runs']}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

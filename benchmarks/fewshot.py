#!/usr/bin/env python3
"""How much Feilun's training learns from a handful of labels, beside what most people do.

    python benchmarks/fewshot.py --data FOLDER
    python benchmarks/fewshot.py --data FOLDER --sets banking77 --shots 10 --seeds 0-4 --out fewshot.json

Protocol. Two sets: BANKING77 (English, 77 intents; all-MiniLM-L6-v2) and MASSIVE zh-CN (Chinese, 60 intents;
multilingual-e5-small). Each run learns from the shots alone: no validation file, no unlabelled text. It is judged on
every row of the test file, once. Subsets: `published`, the fixed rows that papers on BANKING77 share (the seed is then
the model's), and `drawn`, the rows of fewshot.json for that seed.

Methods, each in a process of its own:
  baseline   embeddings of the same frozen backbone, scikit-learn LogisticRegression as it comes (C = 1)
  chosen     feilun.train with its default settings: every rung, cross-validated, the chosen one fitted on all rows
  probe      the same, with only the probe rung          tune   the same, with only the tune rung

CPU seconds are those of the whole process and its children, from its start to the finished fit: imports, reading the
backbone, embedding, cross-validation and the final fit. Peak memory is the process's.

How the defaults were set, without ever looking at a test file: docs/notes/005-training-loop.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

SOURCES = """\
FOLDER holds one folder a set, with train.csv and test.csv (columns text,label) and fewshot.json:
{shots: {seed: [row numbers of train.csv, from 0]}}; for BANKING77 also {published: {train_5: [..], train_10: [..]}}.
The texts are public:
  banking77      github.com/PolyAI-LDN/task-specific-datasets, banking_data (CC BY 4.0);
                 its published 5- and 10-shot rows: github.com/jianguoz/Few-Shot-Intent-Detection
  massive_zh_cn  MASSIVE by Amazon, github.com/alexa/massive, locale zh-CN, label = intent (CC BY 4.0)
"""
SETS = {
    "banking77": {"language": "en", "shots": (5, 10), "subsets": ("published", "drawn")},
    "massive_zh_cn": {"language": "zh", "shots": (8,), "subsets": ("drawn",)},
}
METHODS = ("baseline", "probe", "tune", "chosen")


def _public(command: list[str]) -> list[str]:
    """The command as anyone would type it: where this machine keeps data and results says nothing to others."""
    private = {"--data": "FOLDER", "--out": "FILE"}
    return [private.get(before, word) for before, word in zip(["", *command], command, strict=False)]


def main() -> int:
    """Run every combination, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the public data, see below")
    parser.add_argument("--sets", default=",".join(SETS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--shots", default="", help="comma-separated shots a class (default: 5,10 and 8)")
    parser.add_argument("--subsets", default="", help="published,drawn (default: all that a set has)")
    parser.add_argument("--seeds", default="0-4", help="a range or a comma-separated list (default: %(default)s)")
    parser.add_argument("--methods", default=",".join(METHODS), help="default: %(default)s")
    parser.add_argument("--backbone-en", default="", help="spec of the English backbone (default: the catalogue's)")
    parser.add_argument("--backbone-zh", default="", help="spec of the Chinese backbone (default: the catalogue's)")
    parser.add_argument("--budget", type=float, default=600, help="wall-clock seconds for a fit (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(run_job(json.loads(options.job))))
        return 0
    if options.data is None:
        parser.error("--data is needed; see --help for where the data come from")
    records = [_measure(job) for job in jobs(options)]
    table = summarise(records)
    print(_as_text(table))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        document = {"command": _public(sys.argv), "summary": table, "runs": records}
        options.out.write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")
    return 0


def jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every fit to make, as plain values that a child process can be told."""
    found = []
    for name in options.sets.split(","):
        about = SETS[name]
        shots = [int(s) for s in options.shots.split(",")] if options.shots else about["shots"]
        for n_shots in shots:
            for subset in options.subsets.split(",") if options.subsets else about["subsets"]:
                if subset not in about["subsets"]:
                    continue
                for seed in _seeds(options.seeds):
                    found += [
                        {
                            "data": str(options.data / name),
                            "set": name,
                            "language": about["language"],
                            "backbone": options.backbone_en if about["language"] == "en" else options.backbone_zh,
                            "shots": n_shots,
                            "subset": subset,
                            "seed": seed,
                            "method": method,
                            "budget_s": options.budget,
                        }
                        for method in options.methods.split(",")
                    ]
    return found


def _seeds(text: str) -> list[int]:
    if "-" in text:
        first, last = text.split("-")
        return list(range(int(first), int(last) + 1))
    return [int(part) for part in text.split(",")]


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a fresh process and say how it went."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--job", json.dumps(job)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    record = {**{key: job[key] for key in ("set", "shots", "subset", "seed", "method")}, **json.loads(done.stdout)}
    sys.stderr.write(
        f"{job['set']} {job['shots']}-shot {job['subset']} seed {job['seed']} {job['method']:8s} "
        f"accuracy {100 * record['accuracy']:.2f} CPU {record['cpu_s']:.1f} s {record['detail']}\n"
    )
    return record


# ------------------------------------------------------------------------------------------- inside one process


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Fit one method on one subset, then judge it on the test file."""
    from feilun.models import pull, resolve
    from feilun.models.errors import ModelMissing

    started = time.monotonic()
    try:
        backbone = resolve(job["backbone"], language=job["language"])
    except ModelMissing:
        backbone = pull(job["backbone"], language=job["language"])
    texts, labels = _read(Path(job["data"]) / "train.csv")
    rows = _subset(job)
    train_texts, train_labels = [texts[row] for row in rows], [labels[row] for row in rows]
    fit = _fit_baseline if job["method"] == "baseline" else _fit_feilun
    answer, names, detail = fit(job, backbone, train_texts, train_labels)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cost = {
        "cpu_s": round(sum(u.ru_utime + u.ru_stime for u in usage), 2),
        "wall_s": round(time.monotonic() - started, 2),
        "peak_mb": round(max(u.ru_maxrss for u in usage) / 1024, 1),
        "n_rows": len(rows),
        "detail": detail,
    }
    test_texts, test_labels = _read(Path(job["data"]) / "test.csv")
    logits = answer(test_texts)
    given = [names[i] for i in logits.argmax(axis=1)]
    from sklearn.metrics import accuracy_score, f1_score

    return {
        "accuracy": float(accuracy_score(test_labels, given)),
        "macro_f1": float(f1_score(test_labels, given, average="macro", zero_division=0)),
        "n_test": len(test_labels),
        **cost,
    }


def _read(path: Path) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def _subset(job: dict[str, Any]) -> list[int]:
    draws = json.loads((Path(job["data"]) / "fewshot.json").read_text("utf-8"))
    if job["subset"] == "published":
        return list(draws["published"][f"train_{job['shots']}"])
    return list(draws[str(job["shots"])][str(job["seed"])])


def _fit_baseline(job: dict[str, Any], backbone: Any, texts: list[str], labels: list[str]) -> tuple[Any, Any, str]:
    from sklearn.linear_model import LogisticRegression

    from feilun.models import embedder

    encoder = embedder(backbone, max_tokens=128)
    model = LogisticRegression(max_iter=1000, random_state=job["seed"]).fit(encoder.run(texts)[0], labels)
    return (lambda some: model.decision_function(encoder.run(some)[0])), model.classes_, "LR C=1"


def _fit_feilun(job: dict[str, Any], backbone: Any, texts: list[str], labels: list[str]) -> tuple[Any, Any, str]:
    from safetensors.numpy import load_file

    from feilun.config import FeilunSettings
    from feilun.models import Encoder, build_graph, read_config, read_tensors
    from feilun.records import Dataset, Example
    from feilun.tasks import get_task
    from feilun.train import train

    rungs = {
        "probe": {"tune": {"enabled": False}},
        "tune": {"probe": {"enabled": False}},
        "chosen": {},
    }[job["method"]]
    settings = FeilunSettings.model_validate({"project": {"name": "fewshot"}, "train": rungs})
    examples = tuple(
        Example(str(i), {"text": text}, (label,), "train.csv", row=i)
        for i, (text, label) in enumerate(zip(texts, labels, strict=True))
    )
    dataset = Dataset("fewshot", examples, (), (), tuple(sorted(set(labels))))
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            dataset,
            backbone,
            settings,
            task=get_task(settings.task),
            workdir=Path(folder),
            budget_s=job["budget_s"],
            seed=job["seed"],
        )
        network = load_file(result.folder / "network.safetensors")
    chosen = next(line for line in result.leaderboard if line.chosen)

    def answer(some: list[str]) -> np.ndarray:
        head = network.pop("head.weight"), network.pop("head.bias")
        tensors = {**read_tensors(backbone.folder), **network}
        graph = build_graph(read_config(backbone.folder), tensors, pooling=backbone.info.pooling, head=head)
        encoder = Encoder(
            graph.SerializeToString(),
            backbone.folder / "tokenizer.json",
            max_tokens=settings.backbone.max_tokens,
            prefix=backbone.info.prefix,
        )
        logits = encoder.run(some)[1]
        assert logits is not None
        return logits

    return answer, result.labels, f"{chosen.method} {json.dumps(chosen.params)}"


# ---------------------------------------------------------------------------------------------------- the table


def summarise(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each set, shots, subset and method: mean and standard deviation over seeds, against the baseline."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        groups[record["set"], record["shots"], record["subset"], record["method"]].append(record)
    lines = []
    for (name, shots, subset, method), runs in groups.items():
        line: dict[str, Any] = {"set": name, "shots": shots, "subset": subset, "method": method, "n_runs": len(runs)}
        for key in ("accuracy", "macro_f1", "cpu_s", "peak_mb"):
            values = np.array([run[key] for run in runs])
            line[key] = float(values.mean())
            line[f"{key}_std"] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        base = groups.get((name, shots, subset, "baseline"))
        if base and method != "baseline":
            line["accuracy_gain"] = line["accuracy"] - float(np.mean([run["accuracy"] for run in base]))
            line["cpu_ratio"] = line["cpu_s"] / float(np.mean([run["cpu_s"] for run in base]))
        lines.append(line)
    return lines


def _as_text(lines: list[dict[str, Any]]) -> str:
    head = f"{'set':14s} {'shots':>5s} {'subset':10s} {'method':9s} {'runs':>4s} {'accuracy':>14s} {'macro-F1':>14s}"
    out = [f"{head} {'CPU s':>7s} {'peak MB':>8s} {'gain':>7s} {'x CPU':>6s}"]
    for line in lines:
        text = (
            f"{line['set']:14s} {line['shots']:5d} {line['subset']:10s} {line['method']:9s} {line['n_runs']:4d} "
            f"{100 * line['accuracy']:7.2f} ± {100 * line['accuracy_std']:4.2f} "
            f"{100 * line['macro_f1']:7.2f} ± {100 * line['macro_f1_std']:4.2f} "
            f"{line['cpu_s']:7.1f} {line['peak_mb']:8.0f}"
        )
        if "accuracy_gain" in line:
            text += f" {100 * line['accuracy_gain']:+7.2f} {line['cpu_ratio']:6.1f}"
        out.append(text)
    return "\n".join(out)


if __name__ == "__main__":
    sys.exit(main())

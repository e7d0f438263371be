#!/usr/bin/env python3
"""Does the learning-curve adviser say beforehand what more labels bring?

    python benchmarks/curve.py --data FOLDER
    python benchmarks/curve.py --data FOLDER --sets banking77 --seeds 0-4 --out curve.json
    python benchmarks/curve.py --data FOLDER --sets banking77 --seeds 5-7 --judge train     how settings were chosen

Protocol. The 20 rows a class of fewshot.json for a seed, in a random order; the first 5 (or 10) a class are the labels
there are. From them alone Feilun forecasts the accuracy after 100 more labels and with twice and four times as many.
The truth is the accuracy of the same probe, fitted on those more rows, on every row of the test file.

  advise    `feilun data advise`: the labels, and a holdout of 500 rows drawn from the rest of train.csv
  report    as in a turn's report: the same curve, laid through the probe's accuracy on those 500 rows

error is forecast - truth, in points; `held` the share of truths inside the 90 % interval. Last, 100 labels are given as
the adviser says, ten to each of the ten classes that it ranks first, and compared with 100 spread over all classes.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

SOURCES = """\
FOLDER holds one folder a set, with train.csv and test.csv (columns text,label) and fewshot.json:
{shots: {seed: [row numbers of train.csv, from 0]}}. The texts are public:
  banking77      github.com/PolyAI-LDN/task-specific-datasets, banking_data (CC BY 4.0)
  clinc150       github.com/clinc/oos-eval, in-scope rows (CC BY 3.0)
  massive_zh_cn  MASSIVE by Amazon, github.com/alexa/massive, locale zh-CN, label = intent (CC BY 4.0)
"""
LANGUAGES = {"banking77": "en", "clinc150": "en", "massive_zh_cn": "zh"}
POOL_SHOTS = 20
N_HOLDOUT = 500
N_JUDGED = 2000
LEVEL = 0.9
C = 30.0


class Texts:
    """A set's rows and their frozen embeddings, kept in `cache` so that no text is embedded twice."""

    def __init__(self, folder: Path, cache: Path) -> None:
        from feilun.config import FeilunSettings
        from feilun.models import embedder, resolve
        from feilun.tasks import get_task
        from feilun.train.cache import EmbeddingCache

        self.name = folder.name
        self.settings = FeilunSettings.model_validate({"project": {"name": "bench", "language": LANGUAGES[self.name]}})
        self.task = get_task(self.settings.task)
        backbone = resolve("", language=LANGUAGES[self.name])
        self._cache = EmbeddingCache(cache, backbone, max_tokens=128)
        self._encoder = embedder(backbone, max_tokens=128)
        self.train, self.test = _read(folder / "train.csv"), _read(folder / "test.csv")
        self.labels = tuple(sorted({label for _, label in self.train}))
        self.draws = json.loads((folder / "fewshot.json").read_text("utf-8"))

    def embed(self, texts: list[str]) -> np.ndarray:
        return self._cache.embed(texts, run=lambda some: self._encoder.run(some)[0])[0]

    def targets(self, rows: list[tuple[str, str]]) -> np.ndarray:
        column = {label: i for i, label in enumerate(self.labels)}
        return np.eye(len(self.labels), dtype=np.float32)[[column[label] for _, label in rows]]

    def training_rows(self, rows: list[tuple[str, str]]) -> Any:
        """The rows as training sees them, class names behind them, and their embeddings."""
        from feilun.records import Dataset, Example
        from feilun.train.rows import collect_rows

        examples = tuple(Example(str(i), {"text": text}, (label,), "train.csv") for i, (text, label) in enumerate(rows))
        made = collect_rows(Dataset("", examples, (), labels=self.labels), self.settings.train, task=self.task)
        return made, self.embed(made.texts)

    def fit(self, rows: list[tuple[str, str]]) -> Any:
        """A probe on all of `rows`; embeddings -> logits."""
        made, embeddings = self.training_rows(rows)
        weight, bias = self.task.fit_head(embeddings, made.targets, c=C, sample_weight=made.weights, seed=0)
        return lambda some: some @ weight.T + bias


def _read(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def main() -> int:
    """Run every seed, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data, see below")
    parser.add_argument("--sets", default=",".join(LANGUAGES), help="comma-separated (default: %(default)s)")
    parser.add_argument("--shots", default="5,10", help="labels a class there are (default: %(default)s)")
    parser.add_argument("--seeds", default="0-2", help="a range or a comma-separated list (default: %(default)s)")
    parser.add_argument(
        "--judge", choices=("test", "train"), default="test", help="the truth's rows: the test file, or"
    )
    parser.add_argument("--cache", type=Path, default=Path("embeddings"), help="folder for embeddings")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    runs = []
    for name in options.sets.split(","):
        texts = Texts(options.data / name, options.cache)
        for n_shots in map(int, options.shots.split(",")):
            for seed in _seeds(options.seeds):
                runs.append(run(texts, n_shots=n_shots, seed=seed, judge=options.judge))
                sys.stderr.write(json.dumps({k: runs[-1][k] for k in ("set", "shots", "seed", "cpu_s")}) + "\n")
                if options.out:
                    _write(options.out, runs)
    print(_as_text(summarise(runs)))
    return 0


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if last else [int(part) for part in text.split(",")]


def run(texts: Texts, *, n_shots: int, seed: int, judge: str) -> dict[str, Any]:
    """One seed: forecasts, truths, and the cost of the forecasts."""
    from feilun.evaluate import CurveArrays, learning_curve
    from feilun.evaluate.intervals import wilson
    from feilun.train.refits import refit_rows

    rng = np.random.default_rng([seed, n_shots])
    pool = texts.draws[str(POOL_SHOTS)][str(seed)]
    start, more = _split(texts, pool, n_shots=n_shots, rng=rng)
    rest = rng.permutation(sorted(set(range(len(texts.train))) - set(pool)))
    held = [texts.train[i] for i in rest[:N_HOLDOUT]]
    judged = texts.test if judge == "test" else [texts.train[i] for i in rest[N_HOLDOUT : N_HOLDOUT + N_JUDGED]]
    mix, judged_on, gold = texts.targets(held).sum(axis=0), texts.embed([t for t, _ in judged]), texts.targets(judged)

    def accuracy(rows: list[tuple[str, str]]) -> float:
        return float((texts.fit(rows)(judged_on).argmax(axis=1) == gold.argmax(axis=1)).mean())

    rows, embeddings = texts.training_rows(start)
    held_on = texts.embed([text for text, _ in held])
    began = time.process_time()
    refitted = refit_rows(rows, embeddings, task=texts.task, c=C, seed=seed, held=(held_on, texts.targets(held)))
    arrays = CurveArrays(**refitted)
    known: dict[str, Any] = {"task": texts.task, "labels": texts.labels, "n_labels": len(start), "metric": "accuracy"}
    known |= {"goal": 0.0, "level": LEVEL, "seed": seed, "mix": mix}
    alone = learning_curve(arrays, **known)
    cpu_s = time.process_time() - began
    n_right = (texts.fit(start)(held_on).argmax(axis=1) == texts.targets(held).argmax(axis=1)).sum()
    through = learning_curve(arrays, **known, now=wilson(int(n_right), len(held), level=LEVEL))
    assert alone is not None and through is not None
    truth = {"0": accuracy(start)}
    for ahead in alone.forecasts:
        if ahead.n_more <= len(more):
            truth[str(ahead.n_more)] = accuracy(start + more[: ahead.n_more])
    first = {one.label for one in alone.classes[:10]}
    advised = [row for row in more if row[1] in first]
    taken: dict[str, int] = defaultdict(int)
    given = []
    for row in advised:
        if taken[row[1]] < 10:
            taken[row[1]] += 1
            given.append(row)
    return {
        "set": texts.name,
        "shots": n_shots,
        "seed": seed,
        "n_labels": len(start),
        "judge": judge,
        "cpu_s": round(cpu_s, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "truth": truth,
        "advise": alone.model_dump(mode="json", exclude={"classes"}),
        "report": through.model_dump(mode="json", exclude={"classes", "points"}),
        "advised": {"n_more": len(given), "accuracy": accuracy(start + given)},
        "first": list(first),
    }


def _split(texts: Texts, pool: list[int], *, n_shots: int, rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """The first `n_shots` rows a class, and the others, one of each class after another."""
    by_class: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for i in rng.permutation(pool):
        by_class[texts.train[i][1]].append(texts.train[i])
    start = [row for rows in by_class.values() for row in rows[:n_shots]]
    more = []
    for depth in range(n_shots, POOL_SHOTS):
        layer = [rows[depth] for rows in by_class.values() if depth < len(rows)]
        more += [layer[i] for i in rng.permutation(len(layer))]
    return start, more


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a set, number of labels, way and forecast."""
    groups: dict[tuple[Any, ...], list[dict[str, float]]] = defaultdict(list)
    for one in runs:
        for way in ("advise", "report"):
            for place, ahead in enumerate(one[way]["forecasts"]):
                if str(ahead["n_more"]) not in one["truth"]:
                    continue
                truth, value, gain = one["truth"][str(ahead["n_more"])], ahead["value"], ahead["gain"]
                real_gain = truth - one["truth"]["0"]
                what = ("+100", "x2", "x4")[place]
                groups[one["set"], one["shots"], way, what].append(
                    {
                        "truth": truth,
                        "error": value["value"] - truth,
                        "held": float(value["low"] <= truth <= value["high"]),
                        "width": value["high"] - value["low"],
                        "real_gain": real_gain,
                        "gain_error": gain["value"] - real_gain,
                        "gain_held": float(gain["low"] <= real_gain <= gain["high"]),
                    }
                )
    lines = []
    for (name, shots, way, what), found in groups.items():
        mean = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
        absolute = {f"abs_{key}": float(np.mean([abs(one[key]) for one in found])) for key in ("error", "gain_error")}
        lines.append(
            {"set": name, "shots": shots, "way": way, "ahead": what, "n_seeds": len(found)} | _rounded(mean | absolute)
        )
    return lines


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in values.items()}


def _as_text(lines: list[dict[str, Any]]) -> str:
    head = "set            shots way      ahead  truth  error  |error|  held  width   gain  |gain error|  gain held"
    body = [
        f"{x['set']:14s} {x['shots']:5d} {x['way']:8s} {x['ahead']:5s} {100 * x['truth']:6.1f} "
        f"{100 * x['error']:+6.1f} "
        f"{100 * x['abs_error']:8.1f} {x['held']:5.2f} {100 * x['width']:6.1f} {100 * x['real_gain']:+6.1f} "
        f"{100 * x['abs_gain_error']:13.1f} {x['gain_held']:10.2f}"
        for x in lines
    ]
    return "\n".join([head, *body])


def _write(path: Path, runs: list[dict[str, Any]]) -> None:
    command = "python benchmarks/curve.py --data FOLDER --out FILE"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"command": command, "summary": summarise(runs), "runs": runs}, indent=1), "utf-8")


if __name__ == "__main__":
    sys.exit(main())

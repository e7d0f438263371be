#!/usr/bin/env python3
"""How many labels it takes when Feilun chooses what to label, beside choosing at random.

    python benchmarks/active.py --data FOLDER
    python benchmarks/active.py --data FOLDER --sets massive_zh_cn --strategies random,auto --seeds 5-6 --judge dev

Protocol. Start with one label a class (fewshot.json, 1 shot, seeds 0-4); then ten rounds, each adding as many labels as
there are classes, chosen from the rest of train.csv, whose labels are shown only for what is chosen. The model of every
round is the same whatever chose: the frozen backbone with `task.fit_head` (C = 30) on the rows labelled so far and the
class names as texts, classes balanced, as the probe of `feilun turn` is. It is judged on every row of the test file.
`random` goes on for six rounds more, so that what it needs for a goal can be seen. Labels to reach a goal are
interpolated between rounds and averaged over seeds.

--judge picks what models are judged on: `test`; `dev`, the set's own development file; `left`, three tenths of the
training rows, which then cannot be chosen, classes counting alike. Everything in "auto" was settled on the last two,
with seeds that are not 0-4: docs/notes/007-what-to-label.md.

Strategies are those of `feilun label next`, and `grouped`: of the ten times as many most in doubt, grouped by k-means,
the middle of each group (Zhdanov 2019), which "auto" was chosen over.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

SOURCES = """\
FOLDER holds one folder a set, with train.csv, test.csv, perhaps dev.csv or val.csv (columns text,label), and
fewshot.json: {shots: {seed: [row numbers of train.csv, from 0]}}. The texts are public:
  banking77      github.com/PolyAI-LDN/task-specific-datasets, banking_data (CC BY 4.0)
  clinc150       github.com/clinc/oos-eval, without the out-of-scope rows (CC BY 3.0)
  massive_zh_cn  MASSIVE by Amazon, github.com/alexa/massive, locale zh-CN, label = intent (CC BY 4.0)
"""
SETS = {
    "banking77": {"language": "en", "dev": ""},
    "clinc150": {"language": "en", "dev": "val.csv"},
    "massive_zh_cn": {"language": "zh", "dev": "dev.csv"},
}
STRATEGIES = ("random", "auto", "margin", "entropy", "gradient", "typical", "diverse", "disagreement", "grouped")
N_ROUNDS, N_MORE_FOR_RANDOM = 10, 6
C = 30.0
LEFT_SHARE = 0.3


def main() -> int:
    """Run every combination, print a line for each strategy, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data, see below")
    parser.add_argument("--sets", default="banking77", help="comma-separated: banking77, clinc150, massive_zh_cn")
    parser.add_argument("--strategies", default=",".join(STRATEGIES), help="default: %(default)s")
    parser.add_argument("--seeds", default="0-4", help="a range or a comma-separated list (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=N_ROUNDS, help="default: %(default)s")
    parser.add_argument("--judge", choices=("test", "dev", "left"), default="test", help="default: %(default)s")
    parser.add_argument("--goals", default="80,85,88", help="accuracies in per cent (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path(".embeddings"), help="where embeddings are kept")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    runs: list[dict[str, Any]] = []
    goals = [float(goal) / 100 for goal in options.goals.split(",")]
    for name in options.sets.split(","):
        data = load(options.data / name, cache=options.cache, **SETS[name])
        for strategy in options.strategies.split(","):
            for seed in _seeds(options.seeds):
                runs.append({"set": name, **run(data, strategy, seed=seed, judge=options.judge, rounds=options.rounds)})
            print(_line(runs, name, strategy, goals=goals), flush=True)
            _write(options.out, runs, judge=options.judge, goals=goals)
    return 0


def _seeds(text: str) -> list[int]:
    if "-" in text:
        first, last = text.split("-")
        return list(range(int(first), int(last) + 1))
    return [int(part) for part in text.split(",")]


# ---------------------------------------------------------------------------------------------------- one set


def load(folder: Path, *, language: str, dev: str, cache: Path) -> dict[str, Any]:
    """Texts as embeddings of the frozen backbone, labels as numbers; the class names are texts too."""
    from feilun.config import TaskSettings
    from feilun.models import embedder, pull
    from feilun.tasks import get_task
    from feilun.train import EmbeddingCache

    task, backbone = get_task(TaskSettings()), pull("", language=language)
    shelf = EmbeddingCache(cache, backbone, max_tokens=128)
    encoder: list[Any] = []

    def embed(texts: list[str]) -> np.ndarray:
        def network(some: Any) -> np.ndarray:
            if not encoder:
                encoder.append(embedder(backbone, max_tokens=128))
            return np.asarray(encoder[0].run(some)[0])

        return shelf.embed(texts, run=network)[0]

    parts: dict[str, Any] = {"task": task, "shots": json.loads((folder / "fewshot.json").read_text("utf-8"))["1"]}
    for part, file in {"train": "train.csv", "test": "test.csv", "dev": dev}.items():
        if file:
            with (folder / file).open(encoding="utf-8", newline="") as lines:
                rows = list(csv.DictReader(lines))
            if part == "train":
                parts["labels"] = sorted({row["label"] for row in rows})
            rows = [row for row in rows if row["label"] in parts["labels"]]
            numbers = {label: i for i, label in enumerate(parts["labels"])}
            parts[part] = (embed([row["text"] for row in rows]), np.array([numbers[row["label"]] for row in rows]))
    parts["names"] = embed(task.label_texts(parts["labels"]))
    return parts


def run(data: dict[str, Any], strategy: str, *, seed: int, judge: str, rounds: int) -> dict[str, Any]:
    """One strategy from one start: the accuracy after every round."""
    started = time.process_time()
    embeddings, labels = data["train"]
    n_classes = len(data["labels"])
    known = list(data["shots"][str(seed)])
    free = np.setdiff1d(np.arange(len(labels)), known)
    if judge == "left":
        left = np.random.default_rng(seed).permutation(free)[: int(LEFT_SHARE * len(free))]
        free, judged = np.setdiff1d(free, left), (embeddings[left], labels[left])
    else:
        judged = data[judge]
    head, choosing_s = _fit(data, known), 0.0
    accuracies = [_accuracy(judged, head, alike=judge == "left")]
    for number in range(1, rounds + (N_MORE_FOR_RANDOM if strategy == "random" else 0) + 1):
        before = time.process_time()
        chosen = _choose(data, strategy, free, known, head, n=n_classes, seed=1000 * seed + number)
        choosing_s += time.process_time() - before
        known += [int(row) for row in free[chosen]]
        free = np.delete(free, chosen)
        head = _fit(data, known)
        accuracies.append(_accuracy(judged, head, alike=judge == "left"))
    return {
        "strategy": strategy,
        "seed": seed,
        "n_classes": n_classes,
        "n_judged": len(judged[1]),
        "accuracy": accuracies,
        "cpu_s": round(time.process_time() - started, 1),
        "choosing_cpu_s": round(choosing_s, 1),
    }


def _fit(data: dict[str, Any], known: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The head of the probe: labelled rows, classes balanced, then the class names."""
    embeddings, labels = data["train"]
    eye = np.eye(len(data["labels"]), dtype=np.float32)
    counts = np.bincount(labels[known], minlength=len(eye))
    weights = np.clip(counts[counts > 0].mean() / np.maximum(counts, 1), 0.1, 10)[labels[known]]
    weights = np.concatenate([weights, np.ones(len(eye))])
    return data["task"].fit_head(
        np.concatenate([embeddings[known], data["names"]]),
        np.concatenate([eye[labels[known]], eye]),
        c=C,
        sample_weight=weights / weights.mean(),
        seed=0,
    )


def _choose(
    data: dict[str, Any], strategy: str, free: np.ndarray, known: list[int], head: Any, *, n: int, seed: int
) -> np.ndarray:
    from feilun.feedback import Pool, choose

    embeddings, labels = data["train"]
    probs = data["task"].probs(embeddings[free] @ head[0].T + head[1])
    if strategy == "grouped":
        return grouped(embeddings[free], probs, n, seed=seed)
    targets = np.eye(len(data["labels"]), dtype=np.float32)[labels[known]]
    return choose(Pool(embeddings[free], probs, embeddings[known], targets), n, strategy=strategy, seed=seed)


def grouped(embeddings: np.ndarray, probs: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    """k-means of the 10 n most in doubt, weighted by doubt; of each group the one in its middle."""
    from feilun.feedback.choosing import doubt
    from feilun.feedback.groups import group_rows

    unsure = doubt(probs)
    wide = np.argsort(-unsure, kind="stable")[: 10 * n]
    groups = group_rows(embeddings[wide], n, weights=unsure[wide] + 1e-3, seed=seed)
    picked = [int(wide[rows[groups.typicality[rows].argmax()]]) for rows in groups.members()]
    return np.array([*picked, *[int(one) for one in wide if int(one) not in set(picked)]][:n])


def _accuracy(judged: tuple[np.ndarray, np.ndarray], head: Any, *, alike: bool) -> float:
    right = (judged[0] @ head[0].T + head[1]).argmax(axis=1) == judged[1]
    return float(np.mean([right[judged[1] == c].mean() for c in np.unique(judged[1])]) if alike else right.mean())


# ---------------------------------------------------------------------------------------------------- the table


def labels_to_reach(accuracies: list[float], goal: float, *, n_classes: int) -> float:
    """Labels at which the goal is first met, interpolated between rounds; inf when it is not."""
    for i, accuracy in enumerate(accuracies):
        if accuracy >= goal:
            before = accuracies[i - 1] if i else accuracy
            share = (goal - before) / (accuracy - before) if accuracy > before else 0.0
            return n_classes * (i + share) if i else n_classes
    return float("inf")


def _line(runs: list[dict[str, Any]], name: str, strategy: str, *, goals: list[float]) -> str:
    mine = [one for one in runs if (one["set"], one["strategy"]) == (name, strategy)]
    rounds = min(len(one["accuracy"]) for one in mine)
    mean = np.mean([one["accuracy"][:rounds] for one in mine], axis=0)
    shared = mean[: N_ROUNDS + 1]
    reached = [
        np.mean([labels_to_reach(one["accuracy"], goal, n_classes=one["n_classes"]) for one in mine]) for goal in goals
    ]
    lot = [one["accuracy"] for one in runs if (one["set"], one["strategy"]) == (name, "random")]
    worst = (shared - np.mean(lot, axis=0)[: len(shared)]).min() if lot else 0.0
    std = np.std([np.mean(one["accuracy"][: N_ROUNDS + 1]) for one in mine], ddof=1) if len(mine) > 1 else 0.0
    return (
        f"{name} {strategy:12s} area {100 * shared.mean():.2f} ± {100 * std:.2f}  "
        f"labels to {'/'.join(f'{100 * goal:.0f}' for goal in goals)} %: {' / '.join(f'{n:.0f}' for n in reached)}  "
        f"least lead over random {100 * worst:+.2f}  CPU s {sum(one['cpu_s'] for one in mine):.0f} "
        f"(choosing {sum(one['choosing_cpu_s'] for one in mine):.0f})\n    "
        + " ".join(f"{100 * value:.1f}" for value in mean)
    )


def _write(out: Path | None, runs: list[dict[str, Any]], *, judge: str, goals: list[float]) -> None:
    if out is None:
        return
    summary: dict[str, dict[str, Any]] = defaultdict(dict)
    for one in runs:
        mine = [r for r in runs if (r["set"], r["strategy"]) == (one["set"], one["strategy"])]
        reached = {
            str(goal): float(np.mean([labels_to_reach(r["accuracy"], goal, n_classes=r["n_classes"]) for r in mine]))
            for goal in goals
        }
        summary[one["set"]][one["strategy"]] = {
            "n_seeds": len(mine),
            "area": float(np.mean([np.mean(r["accuracy"][: N_ROUNDS + 1]) for r in mine])),
            "labels_to_reach": {goal: None if np.isinf(n) else round(n, 1) for goal, n in reached.items()},
            "accuracy": np.mean([r["accuracy"] for r in mine], axis=0).round(4).tolist(),
        }
    out.parent.mkdir(parents=True, exist_ok=True)
    private = {"--data": "FOLDER", "--out": "FILE", "--cache": "FOLDER"}
    command = [private.get(before, word) for before, word in zip(["", *sys.argv], sys.argv, strict=False)]
    document = {"command": command, "judge": judge, "summary": summary, "runs": runs}
    out.write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    sys.exit(main())

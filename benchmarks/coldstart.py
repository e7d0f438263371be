#!/usr/bin/env python3
"""What `feilun label start` is worth: messages without any label, and a person who names each group by its examples.

    python benchmarks/coldstart.py --data FOLDER
    python benchmarks/coldstart.py --data FOLDER --sets sib200_zh --rows 701 --seeds 0-2

Protocol. --rows messages of train.csv, drawn for each seed, labels hidden. Groups are made as `feilun label start`
makes them, their number found or, in a second line, the true number of classes. The person is an honest clerk: a group
is called what most of its five examples are (the first of equals). Then the nearest half of each group gets that label
(`feilun label apply`), and the frozen backbone with the head of the probe (C = 10) learns from it. Beside it, the same
head on as many messages as there are groups, drawn by lot and labelled one by one: what the same number of decisions
buys without groups. Accuracy is on the whole test file; classes that nobody named are wrong there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

SETS = {
    "banking77": {"folder": "banking77", "language": "en", "train": "train.csv", "test": "test.csv"},
    "massive_zh_cn": {"folder": "massive_zh_cn", "language": "zh", "train": "train.csv", "test": "test.csv"},
    "sib200_zh": {
        "folder": "sib200",
        "language": "zh",
        "train": "zho_Hans_train.csv",
        "test": "zho_Hans_test.csv",
    },
}
C, CORE = 10.0, 0.5


def main() -> int:
    """Run every set and seed, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder a set, columns text,label")
    parser.add_argument("--sets", default=",".join(SETS), help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=2000, help="messages a run (default: %(default)s)")
    parser.add_argument("--seeds", default="0-2", help="a range (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path(".embeddings"), help="where embeddings are kept")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    runs: list[dict[str, Any]] = []
    for name in options.sets.split(","):
        data = load(options.data, cache=options.cache, **SETS[name])
        for how in ("found", "true number"):
            mine = [
                {"set": name, "groups": how, **run(data, how, rows=options.rows, seed=seed)}
                for seed in range(int(first), int(last or first) + 1)
            ]
            runs += mine
            mean = {key: float(np.mean([one[key] for one in mine])) for key in mine[0] if key not in ("set", "groups")}
            print(
                f"{name:14s} {how:12s} groups {mean['n_groups']:5.0f}  purity {mean['purity']:.2f}, of the nearer half "
                f"{mean['core_purity']:.2f}  classes named {mean['n_named']:.0f} of {mean['n_classes']:.0f}  accuracy "
                f"{100 * mean['accuracy']:.1f}, by lot {100 * mean['accuracy_by_lot']:.1f}  CPU s {mean['cpu_s']:.0f}",
                flush=True,
            )
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"rows": options.rows, "runs": runs}, indent=1), "utf-8")
    return 0


def load(root: Path, *, folder: str, language: str, train: str, test: str, cache: Path) -> dict[str, Any]:
    """Texts, labels and embeddings of both files."""
    from feilun.config import TaskSettings
    from feilun.models import embedder, pull
    from feilun.tasks import get_task
    from feilun.train import EmbeddingCache

    backbone = pull("", language=language)
    shelf, encoder = EmbeddingCache(cache, backbone, max_tokens=128), embedder(backbone, max_tokens=128)
    data: dict[str, Any] = {"task": get_task(TaskSettings())}
    for part, file in (("train", train), ("test", test)):
        with (root / folder / file).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        texts = [row["text"] for row in rows]
        embeddings, _ = shelf.embed(texts, run=lambda some: encoder.run(some)[0])
        data[part] = (texts, np.array([row["label"] for row in rows]), embeddings)
    return data


def run(data: dict[str, Any], how: str, *, rows: int, seed: int) -> dict[str, Any]:
    """One draw of messages: grouped, named, learnt, judged."""
    from feilun.feedback import find_groups

    texts, labels, embeddings = data["train"]
    drawn = np.sort(np.random.default_rng(seed).permutation(len(texts))[:rows])
    drawn = np.array(list({texts[i]: i for i in drawn}.values()))
    texts, labels, embeddings = [texts[i] for i in drawn], labels[drawn], embeddings[drawn]
    n_classes = len(set(data["train"][1]))
    started = time.process_time()
    found = find_groups(texts, embeddings, n_groups=None if how == "found" else n_classes, seed=seed)
    cpu_s = time.process_time() - started
    label_of = dict(zip(texts, labels, strict=True))
    kept, given, pure, core_pure = [], [], 0, 0
    for group in found.groups:
        members = np.flatnonzero(found.of == group.number - 1)
        core = members[np.argsort(-found.typicality[members], kind="stable")][: max(1, round(CORE * len(members)))]
        name = Counter(label_of[text] for text in group.examples).most_common(1)[0][0]
        kept += [int(i) for i in core]
        given += [name] * len(core)
        pure += Counter(labels[members]).most_common(1)[0][1]
        core_pure += Counter(labels[core]).most_common(1)[0][1]
    by_lot = np.random.default_rng(1000 + seed).permutation(len(texts))[: len(found.groups)]
    return {
        "n_groups": len(found.groups),
        "n_classes": n_classes,
        "n_named": len(set(given)),
        "purity": pure / len(texts),
        "core_purity": core_pure / len(kept),
        "accuracy": _judge(data, embeddings[kept], given),
        "accuracy_by_lot": _judge(data, embeddings[by_lot], list(labels[by_lot])),
        "cpu_s": cpu_s,
    }


def _judge(data: dict[str, Any], embeddings: np.ndarray, given: list[str]) -> float:
    names = sorted(set(given))
    targets = np.eye(len(names), dtype=np.float32)[[names.index(name) for name in given]]
    weight, bias = data["task"].fit_head(embeddings, targets, c=C, sample_weight=None, seed=0)
    _, labels, judged = data["test"]
    answers = np.array(names)[(judged @ weight.T + bias).argmax(axis=1)]
    return float((answers == labels).mean())


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""How many wrong labels does Feilun find, how many of its doubts are right, and what does correcting them bring?

    python benchmarks/label_errors.py --data FOLDER
    python benchmarks/label_errors.py --data FOLDER --sets banking77 --seeds 0-4 --out label_errors.json

Protocol. The 20 rows a class of fewshot.json for a seed are taken as right (some are not: BANKING77 is known for it, so
precision is understated). A share of the labels is then made wrong: `random`, any other class; `confusable`, one of the
three classes whose mean embedding is nearest. The probe is cross-validated on the rows as in a turn, calibrated, and
asked for doubts. precision: the share of the doubts that were planted; recall: the share of the planted that are
doubted. A person looks at every doubt and gives the true label: `corrected` is the probe's accuracy on the whole test
file then, beside `noisy` (nothing done), `dropped` (the doubtful rows left out unseen) and `clean` (nothing planted).
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

from curve import LANGUAGES, POOL_SHOTS, SOURCES, C, Texts, _seeds

N_FOLDS = 4
N_NEAR = 3
RATES = (0.0, 0.05, 0.1)


def main() -> int:
    """Run every set, seed, kind and rate; print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data, see below")
    parser.add_argument("--sets", default="banking77,massive_zh_cn", help=f"of {','.join(LANGUAGES)}")
    parser.add_argument("--seeds", default="0-2", help="a range or a comma-separated list (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("embeddings"), help="folder for embeddings")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    runs = []
    for name in options.sets.split(","):
        texts = Texts(options.data / name, options.cache)
        for seed in _seeds(options.seeds):
            for kind in ("random", "confusable"):
                for rate in RATES if kind == "random" else RATES[1:]:
                    runs.append(run(texts, seed=seed, kind=kind, rate=rate))
                    sys.stderr.write(json.dumps(runs[-1]) + "\n")
    lines = summarise(runs)
    print(_as_text(lines))
    if options.out:
        command = "python benchmarks/label_errors.py --data FOLDER --out FILE"
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"command": command, "summary": lines, "runs": runs}, indent=1), "utf-8")
    return 0


def run(texts: Texts, *, seed: int, kind: str, rate: float) -> dict[str, Any]:
    """One planting: what was found, and four models."""
    from feilun.evaluate import find_label_doubts
    from feilun.evaluate.calibration import fit_temperature
    from feilun.records import Example
    from feilun.tasks import example_id
    from feilun.train.candidate import out_of_fold
    from feilun.train.folds import plan_folds
    from feilun.train.probe import Probe

    true = [texts.train[i] for i in texts.draws[str(POOL_SHOTS)][str(seed)]]
    said, planted = plant(texts, true, kind=kind, rate=rate, seed=seed)
    rows, embeddings = texts.training_rows(said)
    began = time.process_time()
    plan = plan_folds(rows, n_folds=N_FOLDS, seed=seed)
    logits = out_of_fold(Probe(embeddings, rows, task=texts.task, c=C, seed=seed), plan, left_s=lambda: np.inf)
    held, targets = plan.held_out, rows.targets[plan.held_out]
    temperature = fit_temperature(texts.task, logits, targets)
    examples = [Example(example_id(f"{i}"), {"text": said[i][0]}, (said[i][1],), "train.csv", row=int(i)) for i in held]
    fit_s = time.process_time() - began
    found = find_label_doubts(
        examples,
        texts.task.probs(logits, temperature=temperature),
        targets,
        labels=texts.labels,
        settled=np.zeros(len(held), dtype=bool),
        multi_label=False,
    )
    if found.note_en:
        raise SystemExit(found.note_en)
    doubted = {doubt.row for doubt in found.doubts}
    suggested_right = [doubt.suggested == (true[doubt.row][1],) for doubt in found.doubts if doubt.row in planted]
    judged_on, gold = texts.embed([text for text, _ in texts.test]), texts.targets(texts.test)

    def accuracy(learnt: list[tuple[str, str]]) -> float:
        return float((texts.fit(learnt)(judged_on).argmax(axis=1) == gold.argmax(axis=1)).mean())

    result = {
        "set": texts.name,
        "seed": seed,
        "kind": kind,
        "rate": rate,
        "n_rows": len(said),
        "n_planted": len(planted),
        "n_doubted": len(doubted),
        "precision": len(doubted & planted) / max(len(doubted), 1),
        "recall": len(doubted & planted) / max(len(planted), 1),
        "suggested_right": float(np.mean(suggested_right)) if suggested_right else 0.0,
        "noisy": accuracy(said),
        "dropped": accuracy([row for i, row in enumerate(said) if i not in doubted]),
        "corrected": accuracy([true[i] if i in doubted else row for i, row in enumerate(said)]),
        "clean": accuracy(true),
        "cross_validation_s": fit_s,
        "search_s": time.process_time() - began - fit_s,
    }
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}


def plant(
    texts: Texts, true: list[tuple[str, str]], *, kind: str, rate: float, seed: int
) -> tuple[list[tuple[str, str]], set[int]]:
    """The rows with some labels made wrong, and which."""
    rng = np.random.default_rng([seed, round(100 * rate), kind == "random"])
    classes = texts.targets(true).argmax(axis=1)
    embeddings = texts.embed([text for text, _ in true])
    means = np.stack([embeddings[classes == c].sum(axis=0) for c in range(len(texts.labels))])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    near = np.argsort(-(means @ means.T - 2 * np.eye(len(means))), axis=1)[:, :N_NEAR]
    planted = rng.choice(len(true), round(rate * len(true)), replace=False)
    said = list(true)
    for i in planted:
        others = [c for c in range(len(texts.labels)) if c != classes[i]]
        said[i] = (true[i][0], texts.labels[int(rng.choice(near[classes[i]] if kind == "confusable" else others))])
    return said, {int(i) for i in planted}


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the seeds."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in runs:
        groups[one["set"], one["kind"], one["rate"]].append(one)
    measured = [key for key in runs[0] if key not in ("set", "kind", "rate", "seed")]
    return [
        {"set": name, "kind": kind, "rate": rate, "n_seeds": len(found)}
        | {key: round(float(np.mean([one[key] for one in found])), 4) for key in measured}
        for (name, kind, rate), found in groups.items()
    ]


def _as_text(lines: list[dict[str, Any]]) -> str:
    head = (
        "set            kind        planted  doubted  precision  recall  right label   noisy  dropped  corrected  clean"
    )
    body = [
        f"{x['set']:14s} {x['kind']:10s} {x['n_planted']:8.0f} {x['n_doubted']:8.1f} {100 * x['precision']:10.1f} "
        f"{100 * x['recall']:7.1f} {100 * x['suggested_right']:12.1f} {100 * x['noisy']:7.1f} "
        f"{100 * x['dropped']:8.1f} {100 * x['corrected']:10.1f} {100 * x['clean']:6.1f}"
        for x in lines
    ]
    return "\n".join([head, *body])


if __name__ == "__main__":
    sys.exit(main())

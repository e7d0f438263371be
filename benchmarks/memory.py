"""What the memory of corrections costs beside a prediction: CPU time of a look-up at 10,000 corrections.

    python benchmarks/memory.py [--language en|zh] [--n-corrections N] [--json FILE]

The model is the default backbone of the language in int8 with a random head of 77 classes (a head's values do not
change its cost). Corrections are real messages of the bundled sample, each with a running number so that all differ;
queries are other messages of the sample. CPU time, one thread, the best of several rounds: other processes on the
machine disturb it least.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from feilun.compress.quantise import quantise
from feilun.models import Encoder, build_graph, read_config, read_tensors, resolve
from feilun.serve.engine import Correction, Memory

SAMPLES = Path(__file__).parents[1] / "samples"
FOLDERS = {"en": "banking77", "zh": "massive-zh-cn"}
N_QUERIES, N_ROUNDS = 200, 7
THRESHOLDS = (0.8, 0.9, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--language", choices=FOLDERS, default="en")
    parser.add_argument("--n-corrections", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    encoder = make_encoder(arguments.language)
    known, queries = read_messages(arguments.language, arguments.n_corrections)
    memory = Memory(encoder.n_hidden).add(
        [Correction(f"f{i}", text, ("label",)) for i, text in enumerate(known)], encoder.run(known)[0]
    )
    embeddings = encoder.run(queries)[0]

    predict_ms = best_ms(lambda: [encoder.run_one(text) for text in queries])
    vectors = np.ascontiguousarray(encoder.run(known)[0])
    plain_ms = best_ms(lambda: [(vectors @ one).argmax() for one in embeddings])
    result = {
        "language": arguments.language,
        "n_corrections": len(memory),
        "n_hidden": encoder.n_hidden,
        "prediction_cpu_ms": predict_ms,
        "full_product_cpu_ms": plain_ms,
    }
    for threshold in THRESHOLDS:
        recalled = [
            memory.recall(text, one, threshold=threshold) for text, one in zip(queries, embeddings, strict=True)
        ]
        lookup_ms = best_ms(
            lambda t=threshold: [
                memory.recall(text, one, threshold=t) for text, one in zip(queries, embeddings, strict=True)
            ]
        )
        result[f"lookup_cpu_ms@{threshold}"] = lookup_ms
        result[f"ratio@{threshold}"] = lookup_ms / predict_ms
        result[f"recalled@{threshold}"] = sum(found is not None for found in recalled) / len(recalled)
    for name, value in result.items():
        print(f"{name:24} {value:.4f}" if isinstance(value, float) else f"{name:24} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1), "utf-8")


def make_encoder(language: str) -> Encoder:
    """The language's default backbone in int8 with a random head."""
    backbone = resolve("", language=language)
    config = read_config(backbone.folder)
    head = np.random.default_rng(0).standard_normal((77, config.n_hidden)).astype(np.float32)
    model = build_graph(config, read_tensors(backbone.folder), pooling=backbone.info.pooling, head=(head, head[:, 0]))
    quantise(model, method="token")
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return Encoder(path, backbone.folder / "tokenizer.json", max_tokens=128, prefix=backbone.info.prefix)


def read_messages(language: str, n: int) -> tuple[list[str], list[str]]:
    """n different messages to remember, and N_QUERIES others to ask."""
    texts: list[str] = []
    for part in ("traffic", "unseen", "start"):
        with (SAMPLES / FOLDERS[language] / f"{part}.csv").open(encoding="utf-8-sig", newline="") as file:
            texts += [row["text"] for row in csv.DictReader(file)]
    texts = list(dict.fromkeys(texts))
    pool = texts[N_QUERIES:]
    return [f"{pool[i % len(pool)]} {i}" if i >= len(pool) else pool[i] for i in range(n)], texts[:N_QUERIES]


def best_ms(work: Callable[[], object]) -> float:
    """CPU milliseconds of one of N_QUERIES, in the best of N_ROUNDS."""
    best = float("inf")
    for _ in range(N_ROUNDS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best / N_QUERIES * 1000


if __name__ == "__main__":
    main()

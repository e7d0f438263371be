#!/usr/bin/env python3
"""How much of the machine the training loop uses, and what a row costs when there are a hundred times as many.

    python benchmarks/loop.py
    python benchmarks/loop.py --batch-rows 32,64 --rows 1000,10000,100000 --out loop.json
    python benchmarks/loop.py --rows '' --profile          # where the time goes, operator by operator

Speed. The peak is the best rate at which torch multiplies two square matrices here, in float32 and in bfloat16. Against
the one that training uses stands the rate of the loop: model FLOPs over CPU seconds. Model FLOPs are those that the
network needs for the tokens there are: once forward, twice backward in the layers that learn (less the gradient of what
the lowest of them reads, which nobody needs), no padding, no norms, no optimiser. `frozen` is the one pass through the
lower layers whose activations are kept; `first` an epoch in which the matrix library meets its sizes for the first time
and writes itself programs for them; `later` the epochs after it.

Rates are per CPU second, so that other work on the machine disturbs them least; with one thread (OMP_NUM_THREADS=1)
they are rates of one core. Texts are real messages of the bundled sample; for the sizes beyond it they repeat, which
makes no difference to the time. At each size, in a process of its own: the frozen pass and one epoch. --most-updates
measures so many batches, spread over all rows, instead of every one; nothing else changes.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import cost_since, in_own_process, public
from feilun.models import EncoderConfig, load_tokenizer, read_config, read_tensors, resolve
from feilun.network.activations import BATCH_ROWS, Activations
from feilun.network.attention import Group
from feilun.network.batches import Corpus, Packed
from feilun.network.budget import n_threads
from feilun.network.device import pick_precision
from feilun.network.encoder import LayerStack, flops_per_token, pool
from feilun.network.loop import LoopSettings, optimise
from feilun.network.optimiser import make_optimiser

SAMPLES = Path(__file__).parents[1] / "samples"
FOLDERS = {"en": "banking77", "zh": "massive-zh-cn"}
CPU = torch.device("cpu")
SIDE, N_ROUNDS = 1536, 20
N_CLASSES, TOKEN_DROP, MAX_TOKENS = 77, 0.1, 128
LATER_EPOCHS = 2
N_TOP = 15


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", choices=FOLDERS, default="en", help="whose default backbone (default: en)")
    parser.add_argument("--batch-rows", default="32,64", help="rows an update (default: %(default)s)")
    parser.add_argument("--speed-rows", type=int, default=770, help="rows for the speed (default: %(default)s)")
    parser.add_argument("--rows", default="1000,10000,100000", help="sizes for the cost a row; '' for none")
    parser.add_argument("--most-updates", type=int, default=0, help="batches measured at each size; 0: all")
    parser.add_argument("--profile", action="store_true", help="the dearest operators of the later epochs")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(n_threads())
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if options.job:
        print(json.dumps(cost_a_row(json.loads(options.job))))
        return 0
    precision = pick_precision(CPU)
    peaks = {name: gemm_peak(getattr(torch, name)) for name in ("float32", "bfloat16")}
    used = str(precision).removeprefix("torch.")
    print(f"threads {torch.get_num_threads()}, training in {used}")
    for name, peak in peaks.items():
        print(f"peak {name:9s} {peak / 1e9:7.1f} GFLOP per CPU second")
    speeds = []
    for batch_rows in [int(n) for n in options.batch_rows.split(",")]:
        loop = Loop(options.language, n_rows=options.speed_rows, batch_rows=batch_rows)
        speeds += loop.speed(profile=options.profile)
        loop.close()
    peaks[used] = max(peaks[used], gemm_peak(precision))  # the machine may have been busier before
    for line in speeds:
        line["share_of_peak"] = line["flops_per_s"] / peaks[used]
        print(
            f"batch {line['batch_rows']:3d} {line['part']:7s} {line['n_updates']:5d} batches "
            f"{line['flops'] / line['n_rows'] / 1e6:7.0f} MFLOP a row {line['flops'] / 1e9:8.0f} GFLOP "
            f"{line['cpu_s']:7.2f} CPU s {line['flops_per_s'] / 1e9:7.1f} GFLOP/s {100 * line['share_of_peak']:5.1f} %"
        )
    sizes = []
    for n_rows in [int(n) for n in options.rows.split(",") if n]:
        job = {"language": options.language, "n_rows": n_rows, "most_updates": options.most_updates}
        sizes.append(in_own_process(__file__, job))
        line = sizes[-1]
        print(
            f"{line['n_rows']:7d} rows: frozen {line['frozen_ms']:.2f} + epoch {line['epoch_ms']:.2f} CPU ms a row, "
            f"activations in {line['kept']}, peak {line['peak_mb']:.0f} MB"
        )
    if options.out:
        document = {"command": public(sys.argv), "peaks": peaks, "precision": used, "speed": speeds, "sizes": sizes}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0


def gemm_peak(precision: torch.dtype) -> float:
    """FLOPs per CPU second of a large square product, in the best of a few rounds."""
    a, b = (torch.randn(SIDE, SIDE).to(precision) for _ in range(2))
    torch.matmul(a, b)
    best = math.inf
    for _ in range(N_ROUNDS):
        started = time.process_time()
        torch.matmul(a, b)
        best = min(best, time.process_time() - started)
    return 2 * SIDE**3 / best


class Loop:
    """The training loop as the tune rung runs it: upper half and head learn, a tenth of the tokens left out."""

    def __init__(self, language: str, *, n_rows: int, batch_rows: int) -> None:
        backbone = resolve("", language=language)
        self.config, self.pooling = read_config(backbone.folder), backbone.info.pooling
        self.n_frozen, self.batch_rows = self.config.n_layers // 2, batch_rows
        self.n_layers = (self.config.n_layers - self.n_frozen, self.n_frozen)  # that learn, that are frozen
        self.precision = pick_precision(CPU)
        tokenizer = load_tokenizer(backbone.folder / "tokenizer.json", max_tokens=MAX_TOKENS)
        texts = [backbone.info.prefix + text for text in messages(language)]
        ids = [encoding.ids for encoding in tokenizer.encode_batch(texts[:n_rows])]
        self.corpus = Corpus([ids[i % len(ids)] for i in range(n_rows)])
        tensors = read_tensors(backbone.folder)
        self.scratch = tempfile.TemporaryDirectory()
        self.activations = Activations(
            self.corpus,
            tensors,
            self.config,
            n_frozen=self.n_frozen,
            precision=self.precision,
            device=CPU,
            scratch=Path(self.scratch.name),
        )
        torch.manual_seed(0)
        self.layers = LayerStack(self.config, first=self.n_frozen, last=self.config.n_layers).load(tensors)
        self.head = torch.nn.Linear(self.config.n_hidden, N_CLASSES)
        self.rng = np.random.default_rng(0)
        self.targets = torch.from_numpy(self.rng.integers(0, N_CLASSES, n_rows))

    def speed(self, *, profile: bool) -> list[dict[str, Any]]:
        """The frozen pass, the first epoch and the later ones."""
        everything = np.arange(len(self.corpus))
        frozen = list(self.corpus.in_order(everything, batch_size=BATCH_ROWS))
        lines = [self._timed("frozen", frozen, lambda: self.activations.build())]
        for part, epochs in (("first", 1), ("later", LATER_EPOCHS)):
            batches = [batch for _ in range(epochs) for batch in self.epoch()]
            if part == "later" and profile:
                lines.append(self._timed(part, batches, lambda some=batches: self._profiled(some)))
            else:
                lines.append(self._timed(part, batches, lambda some=batches: self.learn(some)))
        return lines

    def epoch(self) -> Iterator[Packed]:
        """The batches of one epoch."""
        everything = np.arange(len(self.corpus))
        thin = self.corpus.thinned(TOKEN_DROP, rng=self.rng)
        return thin.shuffled(everything, batch_size=self.batch_rows, rng=self.rng)

    def learn(self, batches: list[Packed]) -> None:
        """One update a batch, by the product's own loop and optimiser."""
        optimise(
            self._loss,
            lambda: batches,
            make_optimiser(
                self.layers,
                self.head,
                learning_rate=2e-4,
                head_learning_rate=2e-3,
                layer_decay=1.0,
                weight_decay=0.01,
            ),
            LoopSettings(epochs=1),
            n_batches=len(batches),
            time_limit_s=math.inf,
        )

    def close(self) -> None:
        """Give memory and scratch space back."""
        self.activations.close()
        self.scratch.cleanup()

    def _timed(self, part: str, batches: list[Packed], work: Callable[[], object]) -> dict[str, Any]:
        started = time.process_time()
        work()
        cpu_s = time.process_time() - started
        of = frozen_flops if part == "frozen" else learning_flops
        flops = sum(of(batch.groups, self.config, n_layers=self.n_layers[part == "frozen"]) for batch in batches)
        return {
            "batch_rows": BATCH_ROWS if part == "frozen" else self.batch_rows,
            "part": part,
            "n_updates": len(batches),
            "n_rows": sum(len(batch.rows) for batch in batches),
            "n_tokens": sum(len(batch.token_index) for batch in batches),
            "flops": flops,
            "cpu_s": cpu_s,
            "flops_per_s": flops / cpu_s,
        }

    def _profiled(self, batches: list[Packed]) -> None:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as seen:
            self.learn(batches)
        averages = seen.key_averages(group_by_input_shape=False)
        print(averages.table(sort_by="self_cpu_time_total", row_limit=N_TOP, max_name_column_width=48))

    def _loss(self, batch: Packed) -> torch.Tensor:
        x = self.layers(self.activations.take(batch), batch.groups, precision=self.precision)
        logits = self.head(pool(x, batch.groups, pooling=self.pooling))
        return torch.nn.functional.cross_entropy(logits, self.targets[torch.from_numpy(batch.rows)])


def cost_a_row(job: dict[str, Any]) -> dict[str, Any]:
    """CPU milliseconds a row in the frozen pass and in one epoch, and the process's peak memory."""
    began = time.monotonic()
    loop = Loop(job["language"], n_rows=job["n_rows"], batch_rows=32)
    started = time.process_time()
    loop.activations.build()
    frozen_s = time.process_time() - started
    batches = list(loop.epoch())
    if job["most_updates"]:
        batches = batches[:: max(1, len(batches) // job["most_updates"])]
    n_learnt = sum(len(batch.rows) for batch in batches)
    started = time.process_time()
    loop.learn(batches)
    epoch_s = time.process_time() - started
    kept = "nothing" if loop.activations.store is None else "a file" if loop.activations.path else "memory"
    loop.close()
    return {
        "n_rows": job["n_rows"],
        "n_tokens": len(loop.corpus.ids),
        "n_rows_learnt": n_learnt,
        "frozen_ms": 1000 * frozen_s / job["n_rows"],
        "epoch_ms": 1000 * epoch_s / n_learnt,
        "kept": kept,
        **cost_since(began),
    }


def frozen_flops(groups: Sequence[Group], config: EncoderConfig, *, n_layers: int) -> float:
    """Model FLOPs of these rows in `n_layers` layers, forward only."""
    per_token = [flops_per_token(config, n_layers=n_layers, length=group.length) for group in groups]
    return sum(group.n_rows * group.length * flops for group, flops in zip(groups, per_token, strict=True))


def learning_flops(groups: Sequence[Group], config: EncoderConfig, *, n_layers: int) -> float:
    """Model FLOPs of an update of `n_layers` layers: three times forward, less what nobody needs.

    That is the gradient of what the lowest of the layers reads; it has three products with square matrices less.
    """
    n_tokens = sum(group.n_rows * group.length for group in groups)
    return 3 * frozen_flops(groups, config, n_layers=n_layers) - n_tokens * 2 * 3 * config.n_hidden**2


def messages(language: str) -> list[str]:
    """Real messages of the bundled sample, in a fixed random order."""
    texts: list[str] = []
    for part in ("start", "traffic", "unseen"):
        with (SAMPLES / FOLDERS[language] / f"{part}.csv").open(encoding="utf-8-sig", newline="") as file:
            texts += [row["text"] for row in csv.DictReader(file)]
    texts = list(dict.fromkeys(texts))
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


if __name__ == "__main__":
    sys.exit(main())

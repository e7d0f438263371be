"""Does the shipped graph still say what the float model says? Asked on real rows, and timed on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feilun.models.encode import Encoder, Reader
from feilun.records import Dataset, Example, Thresholds
from feilun.tasks import Task

MAX_ROWS = 2000
N_WARM, MIN_TIMED, MAX_TIMED = 20, 200, 400
# Nothing has been learnt about thresholds yet: a label is given where the task gives it by default.
_NEUTRAL = Thresholds(answer=0.0, max_error_rate=1.0, expected_answer_rate=1.0, expected_error_rate=1.0)


class Parity(NamedTuple):
    """How near a graph is to the float graph on the same rows; fractions in [0, 1]."""

    float_accuracy: float
    shipped_accuracy: float
    agreement: float
    max_logit_difference: float


def parity_rows(dataset: Dataset, *, outside: str) -> tuple[Example, ...]:
    """Real rows to compare on: the holdout without out-of-scope rows, evenly thinned to MAX_ROWS.

    Out-of-scope rows (label `outside`) have no right class and would only dilute the accuracies. A dataset without
    a holdout is compared on its training rows: they say as much about two graphs of one network.
    """
    usable = [example for example in dataset.holdout if not (outside and example.target == (outside,))]
    usable = usable or list(dataset.train)
    if len(usable) <= MAX_ROWS:
        return tuple(usable)
    return tuple(usable[i] for i in np.linspace(0, len(usable) - 1, MAX_ROWS).astype(int))


@dataclass(frozen=True)
class Bench:
    """The rows and the reading of texts that every graph of a turn is compared with."""

    rows: tuple[Example, ...]
    labels: tuple[str, ...]
    task: Task
    max_tokens: int
    prefix: str

    def open(self, graph: Path, *, tokenizer: Path) -> Encoder:
        """A graph with its tokenizer, on one thread."""
        return Encoder(graph, tokenizer, max_tokens=self.max_tokens, prefix=self.prefix, threads=1)

    def reader(self, tokenizer: Path) -> Reader:
        """A tokenizer alone, reading as the network does."""
        return Reader(tokenizer, max_tokens=self.max_tokens, prefix=self.prefix)

    def score(self, encoder: Encoder, *, texts: Sequence[str] | None = None) -> np.ndarray:
        """Logits (n_rows, n_classes) float32 of a graph for all rows, or (len(texts), n_classes) for `texts`."""
        logits = encoder.run(self.texts if texts is None else texts)[1]
        assert logits is not None, "an exported graph has a head"
        return logits

    def compare(self, exact: np.ndarray, shipped: np.ndarray) -> Parity:
        """Compare logits (n_rows, n_classes) of the float graph and of the one that may ship."""
        targets = self.task.encode_targets(self.rows, self.labels)
        probs = [self.task.probs(logits) for logits in (exact, shipped)]
        answers = [[self.task.answer(row, self.labels, _NEUTRAL).labels for row in side] for side in probs]
        return Parity(
            float_accuracy=float(self.task.correct(probs[0], targets).mean()),
            shipped_accuracy=float(self.task.correct(probs[1], targets).mean()),
            agreement=float(np.mean([a == b for a, b in zip(*answers, strict=True)])),
            max_logit_difference=float(np.abs(exact - shipped).max()),
        )

    def time_one(self, encoder: Encoder) -> tuple[float, float]:
        """p50 and p99 of the wall time in ms of one text at a time on one thread, tokenising included.

        Between MIN_TIMED and MAX_TIMED texts are timed, after N_WARM that are not; fewer are gone through again.
        """
        texts, took = self.texts, []
        for i in range(N_WARM + min(max(len(texts), MIN_TIMED), MAX_TIMED)):
            started = time.perf_counter()
            encoder.run_one(texts[i % len(texts)])
            took.append(time.perf_counter() - started)
        p50, p99 = np.percentile(np.array(took[N_WARM:]) * 1000, [50, 99])
        return float(p50), float(p99)

    @cached_property
    def texts(self) -> list[str]:
        """The rows as the network reads them."""
        return [self.task.text_of(example.inputs) for example in self.rows]

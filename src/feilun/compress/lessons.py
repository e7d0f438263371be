"""What a student learns, on the shared training loop: to be near its teacher's embedding, and to give its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from feilun.compress.export import FloatNetwork
from feilun.config import DistilSettings
from feilun.network.batches import Corpus, Packed
from feilun.network.device import on_its_threads, pick_device, pick_precision, threads_for
from feilun.network.encoder import LayerStack, embed_tokens, pool
from feilun.network.loop import LoopSettings, Report, optimise
from feilun.network.optimiser import make_optimiser
from feilun.tasks import Task

OnEvent = Callable[[str, dict[str, Any]], None]
WARM_UP = 0.1


class Lessons:
    """A student's messages with its teacher's word on each; see `distil`. All layers learn, the word table does not."""

    def __init__(
        self,
        student: FloatNetwork,
        token_ids: Sequence[Sequence[int]],
        aims: tuple[np.ndarray, np.ndarray],
        settings: DistilSettings,
        *,
        task: Task,
    ) -> None:
        self.student, self.settings, self.task = student, settings, task
        self.device = pick_device()
        self.precision = pick_precision(self.device)
        self.corpus = Corpus([list(row) for row in token_ids])
        self.embeddings = torch.from_numpy(aims[0]).to(self.device)
        self.answers = torch.from_numpy(task.probs(aims[1], temperature=settings.temperature)).to(self.device)
        self.layers = LayerStack(student.config, first=0, last=student.config.n_layers)
        self.layers.load(student.tensors).to(self.device)
        self.head = nn.Linear(student.config.n_hidden, len(student.head[1])).to(self.device)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(student.head[0]))
            self.head.bias.copy_(torch.from_numpy(student.head[1]))

    @property
    def n_threads(self) -> int:
        """How many threads the batches are worth."""
        n_tokens = self.settings.batch_size * self.corpus.lengths.mean()
        return threads_for(n_tokens, n_hidden=self.student.config.n_hidden)

    @on_its_threads
    def learn(self, *, seed: int, on_event: OnEvent) -> FloatNetwork:
        """The student after all passes; the same seed gives the same student."""
        settings, rng = self.settings, np.random.default_rng(seed)
        everything = np.arange(len(self.corpus))

        def batches() -> Iterable[Packed]:
            thinned = self.corpus.thinned(settings.token_drop, rng=rng)
            return thinned.shuffled(everything, batch_size=settings.batch_size, rng=rng)

        optimise(
            self._loss,
            batches,
            make_optimiser(
                self.layers,
                self.head,
                learning_rate=settings.learning_rate,
                head_learning_rate=settings.learning_rate,
                layer_decay=1.0,
                weight_decay=settings.weight_decay,
            ),
            LoopSettings(epochs=settings.epochs, warm_up=WARM_UP),
            n_batches=self.corpus.n_batches(everything, batch_size=settings.batch_size),
            time_limit_s=settings.budget_s,
            on_report=lambda report: _tell(report, on_event),
        )
        head = (self.head.weight.detach().cpu().numpy().copy(), self.head.bias.detach().cpu().numpy().copy())
        return replace(self.student, tensors={**self.student.tensors, **self.layers.tensors()}, head=head)

    def _loss(self, batch: Packed) -> Tensor:
        given = self._embed(batch)
        rows = torch.from_numpy(batch.rows).to(self.device)
        softness = self.settings.temperature
        alike = torch.ones(len(rows), device=self.device)
        answer: Tensor = softness**2 * self.task.loss(self.head(given) / softness, self.answers[rows], alike)
        distance = (given - self.embeddings[rows]).square().sum(-1).mean()
        return answer + self.settings.embedding_weight * distance

    def _embed(self, batch: Packed) -> Tensor:
        """The student's embeddings (n_rows, n_hidden) of the batch's rows, in packing order."""
        student, corpus, index = self.student, self.corpus, batch.token_index
        x = torch.from_numpy(embed_tokens(student.tensors, corpus.ids[index], corpus.positions(index), student.config))
        x = nn.functional.pad(x.to(self.device), (0, 0, 0, batch.n_padded - len(x)))
        hidden = self.layers(x, batch.groups, precision=self.precision)
        return pool(hidden, batch.groups, pooling=student.pooling)


def _tell(report: Report, on_event: OnEvent) -> bool:
    on_event(
        "compress.epoch" if report.epoch_done else "compress.update",
        {
            "epoch": report.epoch,
            "epochs": report.epochs,
            "update": report.n_updates,
            "loss": round(report.loss, 4),
            "rows_per_s": round(report.rows_per_s, 1),
        },
    )
    return True

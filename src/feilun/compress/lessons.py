"""What a student learns, on the shared training loop: to be near its teacher's embedding, and to give its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from feilun.compress.bare import BareNetwork
from feilun.compress.export import FloatNetwork
from feilun.config import DistilSettings
from feilun.network.batches import Packed
from feilun.network.device import on_its_threads
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
        self.bare = BareNetwork(student, token_ids)
        self.student, self.settings, self.task = student, settings, task
        self.embeddings = torch.from_numpy(aims[0]).to(self.bare.device)
        self.answers = torch.from_numpy(task.probs(aims[1], temperature=settings.temperature)).to(self.bare.device)

    @property
    def n_threads(self) -> int:
        """How many threads the batches are worth."""
        return self.bare.n_threads(batch_size=self.settings.batch_size)

    @on_its_threads
    def learn(self, *, seed: int, on_event: OnEvent) -> FloatNetwork:
        """The student after all passes; the same seed gives the same student."""
        settings, rng = self.settings, np.random.default_rng(seed)
        corpus, layers, head = self.bare.corpus, self.bare.layers, self.bare.head
        everything = np.arange(len(corpus))

        def batches() -> Iterable[Packed]:
            thinned = corpus.thinned(settings.token_drop, rng=rng)
            return thinned.shuffled(everything, batch_size=settings.batch_size, rng=rng)

        optimise(
            self._loss,
            batches,
            make_optimiser(
                layers,
                head,
                learning_rate=settings.learning_rate,
                head_learning_rate=settings.learning_rate,
                layer_decay=1.0,
                weight_decay=settings.weight_decay,
            ),
            LoopSettings(epochs=settings.epochs, warm_up=WARM_UP),
            n_batches=corpus.n_batches(everything, batch_size=settings.batch_size),
            time_limit_s=settings.budget_s,
            on_report=lambda report: _tell(report, on_event),
        )
        return replace(
            self.student,
            tensors={**self.student.tensors, **layers.tensors()},
            head=(head.weight.detach().cpu().numpy().copy(), head.bias.detach().cpu().numpy().copy()),
        )

    def _loss(self, batch: Packed) -> Tensor:
        given = self.bare.embed(batch)
        rows = torch.from_numpy(batch.rows).to(self.bare.device)
        softness = self.settings.temperature
        alike = torch.ones(len(rows), device=self.bare.device)
        answer: Tensor = softness**2 * self.task.loss(self.bare.head(given) / softness, self.answers[rows], alike)
        distance = (given - self.embeddings[rows]).square().sum(-1).mean()
        return answer + self.settings.embedding_weight * distance


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

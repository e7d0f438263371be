"""A student: a network of fewer layers, or narrower ones, that learns to say what its teacher says of many messages.

It needs no labels, so every message the project has, labelled or not, is a lesson. It starts as a part of its teacher:
evenly spaced layers, and of each feed-forward block the units that do most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from feilun.compress.export import FloatNetwork
from feilun.config import DistilSettings
from feilun.tasks import Task

OnEvent = Callable[[str, dict[str, Any]], None]
WARM_UP = 0.1


def evenly_spaced(n_layers: int, *, of: int) -> list[int]:
    """Which of a teacher's `of` layers a student of `n_layers` starts from: the highest, and every so many below it."""
    return [round((number + 1) * of / n_layers) - 1 for number in range(n_layers)]


def cut_layers(teacher: FloatNetwork, *, n_layers: int) -> FloatNetwork:
    """The teacher with evenly spaced layers alone, before it has learnt anything."""
    picked = evenly_spaced(n_layers, of=teacher.config.n_layers)
    config = replace(teacher.config, n_layers=n_layers)
    tensors = {name: array for name, array in teacher.tensors.items() if not name.startswith("encoder.layer.")}
    for number, layer in enumerate(picked):
        old, new = f"encoder.layer.{layer}.", f"encoder.layer.{number}."
        tensors |= {new + n.removeprefix(old): array for n, array in teacher.tensors.items() if n.startswith(old)}
    return replace(teacher, config=config, tensors=tensors)


def distil(
    student: FloatNetwork,
    token_ids: Sequence[Sequence[int]],
    aims: tuple[np.ndarray, np.ndarray],
    settings: DistilSettings,
    *,
    task: Task,
    seed: int,
    on_event: OnEvent,
) -> FloatNetwork:
    """The student after its lessons.

    Each lesson pulls the student's embedding towards the teacher's, and its answer towards the teacher's
    probabilities, both softened by `settings.temperature`.

    Args:
        token_ids: the messages as the student reads them; never one that anything is judged on.
        aims: the teacher's embeddings (n, n_hidden) of unit length and logits (n, n_classes), float32.
    Raises:
        Diverged: the loss is not a finite number.
    Source:
        Hinton et al. 2015, arXiv 1503.02531; a student of every other layer: Sanh et al. 2019, arXiv 1910.01108.
    """
    import torch
    from torch import nn

    from feilun.network.batches import Corpus, Packed
    from feilun.network.device import on_all_cores, pick_device, pick_precision
    from feilun.network.encoder import LayerStack, embed_tokens, pool
    from feilun.network.loop import LoopSettings, Report, optimise
    from feilun.network.optimiser import make_optimiser

    device, config = pick_device(), student.config
    precision = pick_precision(device)
    corpus = Corpus([list(row) for row in token_ids])
    layers = LayerStack(config, first=0, last=config.n_layers).load(student.tensors).to(device)
    head = nn.Linear(config.n_hidden, len(student.head[1])).to(device)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(student.head[0]))
        head.bias.copy_(torch.from_numpy(student.head[1]))
    embeddings = torch.from_numpy(aims[0]).to(device)
    soft = torch.from_numpy(task.probs(aims[1], temperature=settings.temperature)).to(device)
    alike = torch.ones(len(corpus), device=device)

    def loss_of(batch: Packed) -> torch.Tensor:
        index = batch.token_index
        x = torch.from_numpy(embed_tokens(student.tensors, corpus.ids[index], corpus.positions(index), config))
        x = nn.functional.pad(x.to(device), (0, 0, 0, batch.n_padded - len(x)))
        given = pool(layers(x, batch.groups, precision=precision), batch.groups, pooling=student.pooling)
        rows = torch.from_numpy(batch.rows).to(device)
        logits = head(given) / settings.temperature
        answers = settings.temperature**2 * task.loss(logits, soft[rows], alike[rows])
        distance = (given - embeddings[rows]).square().sum(-1).mean()
        loss: torch.Tensor = answers + settings.embedding_weight * distance
        return loss

    def on_report(report: Report) -> bool:
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

    rng = np.random.default_rng(seed)
    everything = np.arange(len(corpus))
    learn = on_all_cores(optimise)
    learn(
        loss_of,
        lambda: corpus.thinned(settings.token_drop, rng=rng).shuffled(
            everything, batch_size=settings.batch_size, rng=rng
        ),
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
        on_report=on_report,
    )
    learnt = (head.weight.detach().cpu().numpy().copy(), head.bias.detach().cpu().numpy().copy())
    return replace(student, tensors={**student.tensors, **layers.tensors()}, head=learnt)

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
    from feilun.compress.lessons import Lessons  # needs torch

    return Lessons(student, token_ids, aims, settings, task=task).learn(seed=seed, on_event=on_event)

"""Step sizes: which parameter moves how fast, and when."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from feilun.network.encoder import LayerStack

BETAS = (0.9, 0.999)


def make_optimiser(
    layers: LayerStack,
    head: nn.Module,
    *,
    learning_rate: float,
    head_learning_rate: float,
    layer_decay: float,
    weight_decay: float,
) -> torch.optim.AdamW:
    """AdamW whose layers learn more slowly the deeper they lie: `learning_rate * layer_decay ** depth`.

    Norms and biases are not decayed; the head neither, it starts from class means and has to grow.

    Source:
        Loshchilov & Hutter 2019, arXiv 1711.05101; layer-wise rates: Howard & Ruder 2018, arXiv 1801.06146.
    """
    groups: list[dict[str, Any]] = [{"params": list(head.parameters()), "lr": head_learning_rate, "weight_decay": 0.0}]
    for depth, layer in enumerate(reversed(layers.layers())):
        rate = learning_rate * layer_decay**depth
        learning = [p for p in layer.parameters() if p.requires_grad]
        for parameters, decay in (
            ([p for p in learning if p.ndim > 1], weight_decay),
            ([p for p in learning if p.ndim <= 1], 0.0),
        ):
            if parameters:
                groups.append({"params": parameters, "lr": rate, "weight_decay": decay})
    for group in groups:
        group["peak"] = group["lr"]
    return torch.optim.AdamW(groups, betas=BETAS, fused=True)


def set_rates(optimiser: torch.optim.Optimizer, *, progress: float, warm_up: float) -> None:
    """Warm up linearly for the first `warm_up` share of the run, then follow half a cosine down to zero.

    Args:
        progress: share of the run that is done, in [0, 1].
    """
    if progress < warm_up:
        factor = progress / warm_up
    else:
        factor = 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warm_up) / (1 - warm_up))))
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * factor


def trained(optimiser: torch.optim.Optimizer) -> Iterator[nn.Parameter]:
    """Every parameter that the optimiser moves."""
    for group in optimiser.param_groups:
        yield from group["params"]

"""What each head and each feed-forward unit is worth to a network, from its own messages; no labels are needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from feilun.compress.bare import BareNetwork
from feilun.compress.export import FloatNetwork
from feilun.compress.prune import Importance
from feilun.network.batches import Packed
from feilun.network.device import on_its_threads

BATCH_ROWS = 32


class Scales:
    """Weighs every head and unit by what its removal would change, to first order.

    A message's embedding is asked for along a random direction, and the answer's slope towards each activation tells
    how far it would move without that activation: |activation x slope|, summed over messages and tokens; the parts of a
    head are added before the absolute value is taken, as they leave together.

    Source:
        Michel et al. 2019, "Are Sixteen Heads Really Better than One?", arXiv 1905.10650, section 4.1 (with their loss
        on labels in place of the random direction); Molchanov et al. 2019, arXiv 1906.10771.
    """

    def __init__(self, network: FloatNetwork, token_ids: Sequence[Sequence[int]]) -> None:
        self.bare, self.config = BareNetwork(network, token_ids), network.config

    @property
    def n_threads(self) -> int:
        """How many threads the batches are worth."""
        return self.bare.n_threads(batch_size=BATCH_ROWS)

    @on_its_threads
    def weigh(self, *, seed: int) -> Importance:
        """The importance of all heads and units; the same seed gives the same."""
        config, layers = self.config, self.bare.layers.layers()
        heads, units = np.zeros((config.n_layers, config.n_heads)), np.zeros((config.n_layers, config.n_ffn))
        mixed = [_Tap(layer.attention["output"]) for layer in layers]
        inner = [_Tap(layer.output) for layer in layers]
        rng = np.random.default_rng(seed)
        for batch in self.bare.corpus.in_order(np.arange(len(self.bare.corpus)), batch_size=BATCH_ROWS):
            self._ask(batch, rng=rng)
            n_tokens = len(batch.token_index)  # what lies behind them is padding
            for number in range(config.n_layers):
                by_head = mixed[number].moved(n_tokens).view(n_tokens, config.n_heads, config.head_width).sum(-1)
                heads[number] += by_head.abs().sum(0).cpu().numpy()
                units[number] += inner[number].moved(n_tokens).abs().sum(0).cpu().numpy()
        return Importance(heads=heads, units=units)

    def _ask(self, batch: Packed, *, rng: np.random.Generator) -> None:
        """The slopes of every row's embedding along a direction of its own."""
        embeddings = self.bare.embed(batch)
        direction = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), size=tuple(embeddings.shape))
        (embeddings * torch.from_numpy(direction).to(embeddings.device)).sum().backward()


class _Tap:
    """Keeps what goes into a module, and the slope towards it."""

    def __init__(self, module: nn.Module) -> None:
        self.seen: Tensor | None = None
        module.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.seen = inputs[0]
        self.seen.retain_grad()

    def moved(self, n_tokens: int) -> Tensor:
        """(n_tokens, n_in) float32: activation times slope."""
        assert self.seen is not None and self.seen.grad is not None, "forward and backward come first"
        return (self.seen.detach().float() * self.seen.grad.float())[:n_tokens]

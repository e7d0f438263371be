"""The third rung: low-rank adapters (LoRA) learn beside the layers, which stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from feilun.config import AdaptSettings
from feilun.network.encoder import LayerStack
from feilun.network.loop import Outcome
from feilun.network.lora import LoraShape, adapter_files, add_lora, merge_lora
from feilun.train.candidate import Fitted
from feilun.train.tune import Network, Tune


class Adapt(Tune):
    """`Tune` whose layers learn through adapters. What ships are the merged weights; the adapter lies beside them.

    Fits of folds are never averaged: the mean of two adapters is no adapter of the same rank.
    """

    method = "adapt"
    head_rate = 2.0
    averages = False
    settings: AdaptSettings

    @property
    def params(self) -> dict[str, Any]:
        """Those of `Tune`, and the shape of the adapters."""
        return {**super().params, "rank": self.settings.rank, "alpha": self.settings.alpha}

    def _network(self, rows: np.ndarray) -> Network:
        network = super()._network(rows)
        self.lora_config = add_lora(
            network.layers,
            LoraShape(
                rank=self.settings.rank,
                alpha=self.settings.alpha,
                dropout=self.settings.dropout,
                targets=self.settings.targets,
            ),
            backbone=self.backbone_name,
            seed=self.seed,
        )
        network.to(self.device)
        return network

    def _finish(self, network: Network, rows: np.ndarray, outcome: Outcome, **facts: Any) -> Fitted:
        layers: LayerStack = network.layers
        files = adapter_files(layers, self.lora_config)
        merge_lora(layers)
        fitted = super()._finish(network, rows, outcome, **facts)
        fitted.files.update(files)
        return fitted

"""Low-rank adapters on the layers of our encoder, made and stored as `peft` makes and stores them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from feilun.models import mpnet
from feilun.models.serving import ADAPTER_NAMES
from feilun.network.encoder import LayerStack

NAME = "default"
"""What peft calls the only adapter of a network; files leave it out."""


@dataclass(frozen=True)
class LoraShape:
    """rank: directions that each matrix can learn; alpha: adapters count alpha / rank times; targets: module names."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]


def add_lora(layers: LayerStack, shape: LoraShape, *, backbone: str, seed: int) -> Any:
    """Put adapters on the targets inside `layers`, all else frozen; gives the `peft.LoraConfig`.

    A new adapter changes nothing: one of its two factors starts at zero.

    Args:
        backbone: what the adapter belongs to, for its config file.
    Source:
        Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,  # type: ignore[arg-type]
        lora_dropout=shape.dropout,
        target_modules=list(shape.targets),
        layers_to_transform=[int(number) for number in layers.encoder["layer"]._modules],  # type: ignore[union-attr]
        layers_pattern="layer",  # names the layers, and so keeps the pooler out
        base_model_name_or_path=backbone,
        inference_mode=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, layers)
    return config


def adapter_files(layers: LayerStack, config: Any) -> dict[str, bytes]:
    """The two files that `PeftModel.from_pretrained` reads, by name, with the names of the backbone's own family."""
    from safetensors.torch import save

    learnt = {
        name.replace(f".{NAME}.", "."): value.detach().cpu().float().contiguous()
        for name, value in layers.state_dict().items()
        if ".lora_" in name
    }
    document = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    document["inference_mode"] = True
    if layers.family == mpnet.FAMILY:
        learnt = {mpnet.mpnet_name(name): value for name, value in learnt.items()}
        targets = {theirs for ours in document["target_modules"] for theirs in mpnet.mpnet_modules(ours)}
        document["target_modules"] = sorted(targets)
    tensors = {f"base_model.model.{name}": value for name, value in learnt.items()}
    text = json.dumps(document, indent=1, sort_keys=True, default=str)
    return dict(zip(ADAPTER_NAMES, (text.encode(), save(tensors)), strict=True))


def merge_lora(layers: LayerStack) -> None:
    """Add every adapter to its matrix and take it away: plain layers again, which compute the same."""
    from peft.tuners.lora import LoraLayer

    for parent in list(layers.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoraLayer):
                base: nn.Module = child.get_base_layer()
                with torch.no_grad():
                    base.weight += child.get_delta_weight(NAME).to(base.weight.dtype)  # type: ignore[operator]
                setattr(parent, name, base) if not isinstance(parent, nn.ModuleDict) else parent.update({name: base})

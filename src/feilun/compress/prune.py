"""Narrower layers: the heads and feed-forward units that do most for a network's own answers stay, the same number in
every layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from feilun.compress.export import FloatNetwork
from feilun.models.layout import ATTENTION_OUT, QUERY_KEY_VALUE
from feilun.models.mpnet import RELATIVE


@dataclass(frozen=True)
class Importance:
    """What would be lost without each head (n_layers, n_heads) and each feed-forward unit (n_layers, n_ffn); >= 0.

    Numbers of one layer can be compared with each other, no others.
    """

    heads: np.ndarray
    units: np.ndarray


def weigh(network: FloatNetwork, token_ids: Sequence[Sequence[int]], *, seed: int) -> Importance:
    """What each head and unit is worth to the network's own embeddings of these messages, as the network reads them."""
    from feilun.compress.importance import Scales  # needs torch

    return Scales(network, token_ids).weigh(seed=seed)


def cut_width(teacher: FloatNetwork, importance: Importance, *, n_heads: int, n_ffn: int) -> FloatNetwork:
    """The teacher with its most important heads and units alone, before it has learnt anything."""
    config = teacher.config
    tensors = dict(teacher.tensors)
    for layer in range(config.n_layers):
        heads = _top(importance.heads[layer], n_heads)
        mixed = (heads[:, None] * config.head_width + np.arange(config.head_width)).reshape(-1)
        units = _top(importance.units[layer], n_ffn)
        for name, axis, kept in _cuts(f"encoder.layer.{layer}", mixed, units):
            tensors[name] = np.take(teacher.tensors[name], kept, axis=axis)
        if config.n_buckets:
            name = f"encoder.layer.{layer}.{RELATIVE}"
            tensors[name] = np.take(teacher.tensors[name], heads, axis=1)
    return replace(teacher, config=replace(config, n_heads=n_heads, n_ffn=n_ffn), tensors=tensors)


def _cuts(prefix: str, mixed: np.ndarray, units: np.ndarray) -> Iterator[tuple[str, int, np.ndarray]]:
    """Which tensors of a layer are cut, along which axis, to what."""
    for part, kept in [*((part, mixed) for part in QUERY_KEY_VALUE), ("intermediate.dense", units)]:
        yield f"{prefix}.{part}.weight", 0, kept
        yield f"{prefix}.{part}.bias", 0, kept
    yield f"{prefix}.{ATTENTION_OUT}.weight", 1, mixed
    yield f"{prefix}.output.dense.weight", 1, units


def _top(scores: np.ndarray, n: int) -> np.ndarray:
    """The places of the `n` highest scores, ascending; of equal ones the first."""
    return np.sort(np.argsort(-scores, kind="stable")[:n])

"""What MPNet has that BERT has not: other names for the same parts, and a score for how far apart two tokens are.

Its tensors are renamed when they are read, so that everything behind knows one encoder only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

FAMILY = "mpnet"
PAD_ID = 1  # fixed in transformers, whatever the config says
STARTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91)
"""The shortest distance in each bucket of one direction: eight of their own, then two buckets an octave, the last from
91 on. Written out as whole numbers, so that no machine's logarithm rounds a distance into the next bucket."""
N_BUCKETS = 2 * len(STARTS)
RELATIVE = "attention.self.relative_bias"
"""Of each layer: (N_BUCKETS, n_heads), added to the scores of attention."""

_SHARED = "encoder.relative_attention_bias.weight"
_WORDS, _KINDS = "embeddings.word_embeddings.weight", "embeddings.token_type_embeddings.weight"
_PARTS = {
    "attention.attn.q": "attention.self.query",
    "attention.attn.k": "attention.self.key",
    "attention.attn.v": "attention.self.value",
    "attention.attn.o": "attention.output.dense",
    "attention.LayerNorm": "attention.output.LayerNorm",
}


def bert_name(name: str) -> str:
    """What BERT calls a tensor of MPNet; other names stay."""
    for theirs, ours in _PARTS.items():
        name = name.replace(f".{theirs}.", f".{ours}.")
    return name


def mpnet_name(name: str) -> str:
    """What MPNet calls a tensor of BERT; other names stay."""
    for theirs, ours in _PARTS.items():
        name = name.replace(f".{ours}.", f".{theirs}.")
    return name


def mpnet_modules(name: str) -> tuple[str, ...]:
    """What MPNet calls the modules that are called `name` in BERT: query, key, value or dense."""
    last = {ours.rpartition(".")[2]: theirs.rpartition(".")[2] for theirs, ours in _PARTS.items()}
    return ("dense", last[name]) if name == "dense" else (last[name],)


def complete(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors that carry BERT's names, with what MPNet keeps elsewhere: each layer's scores by distance, a token type.

    One table serves all layers of a published network. Here each layer has a view of its own: when heads are pruned,
    layers lose different ones. Its only token type is a row of zeros. Other families' tensors come back as they are.
    """
    found = dict(tensors)
    shared = found.pop(_SHARED, None)
    if shared is None:
        return found
    if _WORDS in found:
        found.setdefault(_KINDS, np.zeros((1, found[_WORDS].shape[-1]), dtype=np.float32))
    for prefix in {name.partition(".attention.")[0] for name in found if ".attention." in name}:
        found[f"{prefix}.{RELATIVE}"] = shared
    return found


@cache
def distance_buckets(length: int) -> np.ndarray:
    """The bucket of each distance from -(length - 1) to length - 1: (2 * length - 1,) int64; positive: further on.

    Source:
        Raffel et al. 2020, arXiv 1910.10683, section 2.1; MPNet: Song et al. 2020, arXiv 2004.09297.
    """
    distance = np.arange(1 - length, length)
    bucket = np.searchsorted(STARTS, np.abs(distance), side="right") - 1
    buckets = np.asarray(bucket + len(STARTS) * (distance > 0), dtype=np.int64)
    buckets.flags.writeable = False
    return buckets

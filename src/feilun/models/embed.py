"""The frozen backbone as an encoder: what probe training and the first embeddings need, without torch."""

from __future__ import annotations

from feilun.models.encode import Encoder
from feilun.models.graph import build_frozen
from feilun.models.layout import TOKENIZER, read_config, read_tensors
from feilun.records import Backbone


def embedder(backbone: Backbone, *, max_tokens: int, threads: int = 1) -> Encoder:
    """An encoder of the frozen float32 backbone, without a head.

    Weights go from the backbone's own file into the session; no graph is kept on disk. That measured faster than
    loading a cached graph (0.5 s against 2.2 s of CPU for 118 million parameters) and takes half the memory.
    """
    graph, weights = build_frozen(
        read_config(backbone.folder), read_tensors(backbone.folder), pooling=backbone.info.pooling
    )
    return Encoder(
        graph.SerializeToString(),
        backbone.folder / TOKENIZER,
        max_tokens=max_tokens,
        prefix=backbone.info.prefix,
        threads=threads,
        weights=weights,
    )

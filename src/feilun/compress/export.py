"""The float network, whole - backbone, what training changed in it, head, tokenizer - and its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from feilun.compress.students import shape_of
from feilun.compress.vocabulary import cut_tokenizer
from feilun.errors import FeilunError
from feilun.models.graph import Head, Pooling, build_graph
from feilun.models.layout import EncoderConfig, expected_shapes, plain_name, read_tensors
from feilun.models.neighbours import PREFIX, Neighbours, neighbours_in
from feilun.models.serving import TOKENIZER_NAME
from feilun.records import Backbone, TrainResult

NETWORK_NAME = "network.safetensors"
WORD_TABLE = "embeddings.word_embeddings.weight"


class NetworkMismatch(FeilunError):
    """What training left behind does not belong on this backbone."""

    code, kind = "compress.network_mismatch", "conflict"
    en = "{file}: {tensors} do not fit the backbone {backbone}. Was it changed after training? Turn again."
    zh = "{file}：{tensors} 与骨干模型 {backbone} 不匹配。训练之后是否更换过骨干模型？请重新运行 feilun turn。"


@dataclass(frozen=True)
class FloatNetwork:
    """Everything that a graph is made from. Tensors by the names of a bare encoder; many are views of a file."""

    config: EncoderConfig
    tensors: Mapping[str, np.ndarray]
    head: Head
    pooling: Pooling
    tokenizer: bytes
    neighbours: Neighbours | None = None

    @property
    def shape(self) -> dict[str, Any]:
        """The sizes in which a student may differ from its backbone, as `shape_of` reads them."""
        return {name: getattr(self.config, name) for name in ("n_layers", "n_heads", "n_ffn")}

    def with_pieces(self, kept: np.ndarray) -> FloatNetwork:
        """The same network with these pieces (n,) int64 of its vocabulary alone."""
        return replace(
            self,
            config=replace(self.config, vocab_size=len(kept)),
            tensors={**self.tensors, WORD_TABLE: self.tensors[WORD_TABLE][kept]},
            tokenizer=cut_tokenizer(self.tokenizer, kept),
        )


def read_network(result: TrainResult, backbone: Backbone) -> FloatNetwork:
    """What training left behind, on its backbone.

    All tensors of sizes that differ from the backbone's (a student's) are in the result.

    Raises:
        NetworkMismatch: a trained tensor is not in the network, or the head is missing.
        UnsupportedModel: the backbone itself cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = result.folder / NETWORK_NAME
    try:
        trained: dict[str, np.ndarray] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _mismatch(path, [str(error)], backbone) from error
    head = (trained.pop("head.weight", None), trained.pop("head.bias", None))
    if head[0] is None or head[1] is None:
        raise _mismatch(path, ["head.weight, head.bias"], backbone)
    neighbours = neighbours_in(trained)
    trained = {name: array for name, array in trained.items() if not name.startswith(PREFIX)}
    config = shape_of(result, backbone)
    shapes = expected_shapes(config)
    tuned = {plain_name(name): array for name, array in trained.items()}
    strangers = sorted(name for name, array in tuned.items() if shapes.get(name) != array.shape)
    if strangers:
        raise _mismatch(path, strangers, backbone)
    all_known = {**read_tensors(backbone.folder), **tuned}
    return FloatNetwork(
        config=config,
        tensors={name: array for name, array in all_known.items() if name in shapes},  # no layer that a student lost
        head=(head[0].astype(np.float32), head[1].astype(np.float32)),
        pooling=backbone.info.pooling,
        tokenizer=(backbone.folder / TOKENIZER_NAME).read_bytes(),
        neighbours=neighbours,
    )


def export_float(network: FloatNetwork) -> onnx.ModelProto:
    """The graph of a network, in float32; the same network gives the same graph.

    Raises:
        UnsupportedModel: a tensor is missing or of a wrong shape.
    """
    return build_graph(
        network.config,
        network.tensors,
        pooling=network.pooling,
        head=network.head,
        neighbours=network.neighbours,
    )


def write_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write `model` to one file; equal graphs give equal bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def _mismatch(path: Path, tensors: list[str], backbone: Backbone) -> NetworkMismatch:
    return NetworkMismatch(file=path.name, tensors=", ".join(tensors[:5]), backbone=backbone.info.alias)

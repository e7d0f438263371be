"""One float graph from a backbone, what tuning changed in it, and the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from feilun.errors import FeilunError
from feilun.models.graph import build_graph
from feilun.models.layout import plain_name, read_config, read_tensors
from feilun.records import Backbone, TrainResult

NETWORK_NAME = "network.safetensors"


class NetworkMismatch(FeilunError):
    """What training left behind does not belong on this backbone."""

    code, kind = "compress.network_mismatch", "conflict"
    en = "{file}: {tensors} do not fit the backbone {backbone}. Was it changed after training? Turn again."
    zh = "{file}：{tensors} 与骨干模型 {backbone} 不匹配。训练之后是否更换过骨干模型？请重新运行 feilun turn。"


def export_float(result: TrainResult, backbone: Backbone) -> onnx.ModelProto:
    """The graph of a trained network, in float32; the same network gives the same graph.

    Raises:
        NetworkMismatch: a trained tensor is not in the backbone, or the head is missing.
        UnsupportedModel: the backbone itself cannot be read, or a shape is wrong.
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
    tensors = read_tensors(backbone.folder)
    tuned = {plain_name(name): array for name, array in trained.items()}
    strangers = sorted(
        name for name, array in tuned.items() if name not in tensors or tensors[name].shape != array.shape
    )
    if strangers:
        raise _mismatch(path, strangers, backbone)
    return build_graph(
        read_config(backbone.folder),
        {**tensors, **tuned},
        pooling=backbone.info.pooling,
        head=(head[0].astype(np.float32), head[1].astype(np.float32)),
    )


def write_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write `model` to one file; equal graphs give equal bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def _mismatch(path: Path, tensors: list[str], backbone: Backbone) -> NetworkMismatch:
    return NetworkMismatch(file=path.name, tensors=", ".join(tensors[:5]), backbone=backbone.info.alias)

"""Backbones: found, verified, loaded; and the encoder that runs them without torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feilun.models.backbones import ModelStatus, list_models, pull, remove, resolve, verify
    from feilun.models.embed import embedder
    from feilun.models.encode import Encoder
    from feilun.models.graph import build_graph
    from feilun.models.layout import EncoderConfig, load_tokenizer, read_config, read_tensors

__all__ = [
    "Encoder",
    "EncoderConfig",
    "ModelStatus",
    "build_graph",
    "embedder",
    "list_models",
    "load_tokenizer",
    "pull",
    "read_config",
    "read_tensors",
    "remove",
    "resolve",
    "verify",
]

_ROOMS = {
    "Encoder": "encode",
    "EncoderConfig": "layout",
    "ModelStatus": "backbones",
    "build_graph": "graph",
    "embedder": "embed",
    "list_models": "backbones",
    "load_tokenizer": "layout",
    "pull": "backbones",
    "read_config": "layout",
    "read_tensors": "layout",
    "remove": "backbones",
    "resolve": "backbones",
    "verify": "backbones",
}


def __getattr__(name: str) -> Any:
    # Lazy: onnx and onnxruntime are imported only by those who encode.
    if name in _ROOMS:
        return getattr(import_module(f"feilun.models.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'feilun.models' has no attribute {name!r}")

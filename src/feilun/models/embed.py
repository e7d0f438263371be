"""The frozen backbone as an encoder: what probe training and the first embeddings need, without torch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from filelock import FileLock

from feilun.models.encode import Encoder
from feilun.models.home import graphs_home
from feilun.models.layout import TOKENIZER, read_config, read_tensors
from feilun.records import Backbone

GRAPH_VERSION = 1  # raise when `build_graph` changes what it computes; older cached graphs are then left alone


def embedder(backbone: Backbone, *, max_tokens: int, threads: int = 1) -> Encoder:
    """An encoder of the frozen float32 backbone, without a head.

    Its graph is built once and kept in the cache under the backbone's fingerprint.
    """
    return Encoder(
        _frozen_graph(backbone),
        backbone.folder / TOKENIZER,
        max_tokens=max_tokens,
        prefix=backbone.info.prefix,
        threads=threads,
    )


def _frozen_graph(backbone: Backbone) -> Path:
    """The cached graph, built aside and renamed when it is not there yet; one process builds, others wait."""
    info = backbone.info
    folder = graphs_home()
    path = folder / f"{info.fingerprint[:16]}-{info.pooling}-v{GRAPH_VERSION}.onnx"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            _write_graph(backbone, path)
    return path


def _write_graph(backbone: Backbone, path: Path) -> None:
    from feilun.models.graph import build_graph

    graph = build_graph(read_config(backbone.folder), read_tensors(backbone.folder), pooling=backbone.info.pooling)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(graph.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from feilun.models.errors import UnsupportedModel
from feilun.models.graph import build_graph
from feilun.models.layout import read_config, read_tensors
from feilun.records import Backbone

from ..conftest import write_tiny_bert


def _run(graph: onnx.ModelProto, ids: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input_ids": ids, "attention_mask": mask})


def _tokens(vocab_size: int, lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Random ids above the special ones, padded with 1 to the longest, and their mask."""
    rng = np.random.default_rng(7)
    ids = np.full((len(lengths), max(lengths)), 1, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = rng.integers(5, vocab_size, length)
        mask[row, :length] = 1
    return ids, mask


def _reference(folder: Path, ids: np.ndarray, mask: np.ndarray, pooling: str) -> np.ndarray:
    """The same embedding from transformers, pooled and scaled by hand."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    network = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        hidden = network(torch.from_numpy(ids), torch.from_numpy(mask)).last_hidden_state.numpy()
    pooled = hidden[:, 0] if pooling == "cls" else (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", ["bert", "mpnet", "xlm-roberta"])
def test_the_graph_agrees_with_transformers_under_padding(tmp_path, family, pooling):
    write_tiny_bert(tmp_path, vocab_size=200, seed=3, family=family)
    ids, mask = _tokens(200, [17, 3, 200, 1])
    got = _run(build_graph(read_config(tmp_path), read_tensors(tmp_path), pooling=pooling), ids, mask)[0]
    assert np.abs(got - _reference(tmp_path, ids, mask, pooling)).max() < 1e-5


def test_the_head_gives_logits_of_the_embedding(tiny_backbone):
    config = read_config(tiny_backbone.folder)
    rng = np.random.default_rng(1)
    weight, bias = rng.standard_normal((5, config.n_hidden)), rng.standard_normal(5)
    graph = build_graph(config, read_tensors(tiny_backbone.folder), pooling="mean", head=(weight, bias))
    ids, mask = _tokens(config.vocab_size, [6, 11])
    embedding, logits = _run(graph, ids, mask)
    np.testing.assert_allclose(logits, embedding @ weight.T + bias, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-6)
    onnx.checker.check_model(graph, full_check=True)


def test_the_graph_survives_dynamic_int8(tiny_backbone, tmp_path):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    config = read_config(tiny_backbone.folder)
    graph = build_graph(config, read_tensors(tiny_backbone.folder), pooling="mean")
    onnx.save(graph, tmp_path / "float.onnx")
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
    small = onnx.load(tmp_path / "int8.onnx")
    ids, mask = _tokens(config.vocab_size, [6, 11])
    cosine = (_run(graph, ids, mask)[0] * _run(small, ids, mask)[0]).sum(axis=1)
    assert cosine.min() > 0.98
    assert sum(node.op_type == "MatMulInteger" for node in small.graph.node) == 6 * config.n_layers


def test_a_missing_or_misshapen_tensor_is_named(tiny_backbone):
    config, tensors = read_config(tiny_backbone.folder), read_tensors(tiny_backbone.folder)
    key = "encoder.layer.1.output.dense.weight"
    for broken in ({**tensors, key: tensors[key].T}, {name: t for name, t in tensors.items() if name != key}):
        with pytest.raises(UnsupportedModel, match=key):
            build_graph(config, broken, pooling="mean")


@pytest.mark.backbone
@pytest.mark.parametrize("language", ["english", "chinese"])
def test_the_default_backbones_agree_with_transformers(request, language):
    backbone: Backbone = request.getfixturevalue(f"{language}_backbone")
    config = read_config(backbone.folder)
    ids, mask = _tokens(config.vocab_size, [40, 3, 128, 17])
    graph = build_graph(config, read_tensors(backbone.folder), pooling=backbone.info.pooling)
    got = _run(graph, ids, mask)[0]
    assert np.abs(got - _reference(backbone.folder, ids, mask, backbone.info.pooling)).max() < 1e-4

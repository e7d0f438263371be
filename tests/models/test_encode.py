from __future__ import annotations

import threading

import numpy as np
import pytest
from onnx import TensorProto, helper

from feilun.models import Encoder, build_graph, embedder, read_config, read_tensors
from feilun.models.errors import TooManyTokens, UnsafeModel, UnsupportedModel
from feilun.models.graph import build_frozen

TEXTS = [
    "where is my parcel",
    "",
    "我要退款,谢谢!",
    "😀👨‍👩‍👧 ok",
    "ABC 全角 text mixed 中文",
    "broken " * 2000,
    "退" * 10_000,
    "half an emoji \ud83d here",
    " \t\n ",
]


@pytest.fixture(scope="module")
def encoder(tiny_backbone):
    weight, bias = np.random.default_rng(0).standard_normal((3, 32)), np.zeros(3)
    graph = build_graph(
        read_config(tiny_backbone.folder), read_tensors(tiny_backbone.folder), pooling="mean", head=(weight, bias)
    )
    return Encoder(graph.SerializeToString(), tiny_backbone.folder / "tokenizer.json", max_tokens=64)


def test_one_by_one_is_as_a_batch_and_order_is_kept(encoder):
    embeddings, logits = encoder.run(TEXTS, batch_tokens=128)
    assert embeddings.dtype == logits.dtype == np.float32
    assert embeddings.shape == (len(TEXTS), 32) and logits.shape == (len(TEXTS), 3)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    for text, embedding, logit in zip(TEXTS, embeddings, logits, strict=True):
        one, one_logits = encoder.run_one(text)
        np.testing.assert_allclose(one, embedding, atol=1e-5)
        np.testing.assert_allclose(one_logits, logit, atol=1e-5)


def test_batch_size_and_chunks_change_nothing(encoder):
    texts = [f"card {i} 退款 {'late ' * (i % 23)}" for i in range(2500)]  # more than one chunk
    small, large = encoder.run(texts, batch_tokens=300), encoder.run(texts[::-1], batch_tokens=20_000)
    np.testing.assert_allclose(small[0], large[0][::-1], atol=1e-5)


def test_no_texts_give_no_rows(encoder):
    embeddings, logits = encoder.run([])
    assert embeddings.shape == (0, 32) and logits.shape == (0, 3)


def test_long_texts_are_cut_at_max_tokens(encoder):
    assert encoder.count_tokens("退" * 10_000) == 64
    a, b = encoder.run_one("退" * 62 + "款")[0], encoder.run_one("退" * 10_000)[0]
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_threads_can_share_an_encoder(encoder):
    expected, results = encoder.run(TEXTS)[0], {}

    def work(key: int) -> None:
        results[key] = encoder.run(TEXTS)[0]

    threads = [threading.Thread(target=work, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        np.testing.assert_allclose(result, expected, atol=1e-5)
    assert len(results) == 4


def test_the_prefix_is_read_before_every_text(tiny_backbone):
    plain = embedder(tiny_backbone, max_tokens=32)
    info = tiny_backbone.info.model_copy(update={"prefix": "the "})
    prefixed = embedder(type(tiny_backbone)(folder=tiny_backbone.folder, info=info), max_tokens=32)
    np.testing.assert_allclose(prefixed.run_one("card")[0], plain.run_one("the card")[0], atol=1e-6)
    assert plain.run(["card"])[1] is None


def test_more_tokens_than_positions_is_refused(tiny_backbone):
    with pytest.raises(TooManyTokens, match="512"):
        embedder(tiny_backbone, max_tokens=513)


def _graph(*, domain: str = "", external: bool = False, nested: bool = False) -> bytes:
    """A one-node graph with something in it that must be refused, perhaps inside a branch."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if external:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="../../etc/passwd")
    node = helper.make_node("Identity", ["w"], ["y"], domain=domain)
    inner = helper.make_graph([node], "inner", [], [helper.make_tensor_value_info("y", 1, [1])], [weight])
    if nested:
        condition = helper.make_tensor("c", TensorProto.BOOL, [], [True])
        branch = helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([branch], "outer", [], [helper.make_tensor_value_info("z", 1, [1])], [condition])
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)]).SerializeToString()


@pytest.mark.parametrize("nested", [False, True], ids=["top", "nested"])
@pytest.mark.parametrize("bad", [{"domain": "evil.ops"}, {"external": True}], ids=["domain", "external"])
def test_graphs_that_reach_outside_are_refused(tiny_backbone, tmp_path, bad, nested):
    data = _graph(**bad, nested=nested)
    (tmp_path / "model.onnx").write_bytes(data)
    for graph in (data, tmp_path / "model.onnx"):
        with pytest.raises(UnsafeModel):
            Encoder(graph, tiny_backbone.folder / "tokenizer.json", max_tokens=16)


@pytest.mark.parametrize("data", [b"", b"not an onnx file", None], ids=["empty", "words", "other graph"])
def test_what_is_not_an_encoder_is_refused(tiny_backbone, data):
    with pytest.raises(UnsupportedModel):
        Encoder(_graph() if data is None else data, tiny_backbone.folder / "tokenizer.json", max_tokens=16)


def test_the_frozen_backbone_is_the_graph_with_its_weights_inside(tiny_backbone):
    graph = build_graph(read_config(tiny_backbone.folder), read_tensors(tiny_backbone.folder), pooling="mean")
    whole = Encoder(graph.SerializeToString(), tiny_backbone.folder, max_tokens=16)
    frozen = embedder(tiny_backbone, max_tokens=16)
    np.testing.assert_array_equal(frozen.run(TEXTS)[0], whole.run(TEXTS)[0])


def test_a_frozen_graph_without_its_weights_is_refused(tiny_backbone):
    config, tensors = read_config(tiny_backbone.folder), read_tensors(tiny_backbone.folder)
    graph, weights = build_frozen(config, tensors, pooling="mean")
    assert "word_embeddings" in weights
    with pytest.raises(UnsafeModel):
        Encoder(graph.SerializeToString(), tiny_backbone.folder, max_tokens=16)

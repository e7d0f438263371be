from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from feilun.models.errors import PickledWeights, UnsupportedModel
from feilun.models.layout import expected_shapes, load_tokenizer, read_config, read_tensors
from feilun.models.mpnet import bert_name, mpnet_name


@pytest.fixture
def folder(tiny_backbone, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_backbone.folder, tmp_path / "model"))


def _edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **changes}), "utf-8")


def test_roberta_positions_start_after_the_pad_token(folder):
    assert read_config(folder).position_offset == 0
    _edit(folder, model_type="xlm-roberta", pad_token_id=1, max_position_embeddings=514)
    config = read_config(folder)
    assert (config.position_offset, config.max_tokens) == (2, 512)


def test_mpnet_takes_the_names_of_bert_and_each_layer_its_scores_by_distance(tiny_backbone, tiny_mpnet):
    config, tensors = read_config(tiny_mpnet.folder), read_tensors(tiny_mpnet.folder)
    assert (config.position_offset, config.max_tokens, config.n_buckets) == (2, 512, 32)
    of_bert = set(read_tensors(tiny_backbone.folder))
    tables = {f"encoder.layer.{n}.attention.self.relative_bias" for n in range(config.n_layers)}
    assert set(tensors) == set(expected_shapes(config)) == of_bert | tables
    assert not tensors["embeddings.token_type_embeddings.weight"].any()
    assert {name for name in of_bert if bert_name(mpnet_name(name)) != name} == set()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "gpt2"}, "bert, roberta, xlm-roberta, camembert, mpnet"),
        ({"model_type": "mpnet", "relative_attention_num_buckets": 64}, "relative_attention_num_buckets"),
        ({"hidden_size": -1}, "hidden_size"),
        ({"hidden_size": 30}, "num_attention_heads"),
        ({"vocab_size": "many"}, "vocab_size"),
        ({"hidden_act": "swish"}, "hidden_act"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"layer_norm_eps": "x"}, "layer_norm_eps"),
    ],
    ids=lambda value: list(value)[-1] if isinstance(value, dict) else "",
)
def test_a_config_that_cannot_be_run_says_what_is_wrong(folder, changes, named):
    _edit(folder, **changes)
    with pytest.raises(UnsupportedModel, match=named):
        read_config(folder)


def test_names_and_number_types_are_made_the_same(tmp_path):
    values = np.array([[1.5, -2.0], [0.25, 3.0]], dtype=np.float32)
    save_file({"bert.a.weight": values.astype(np.float16), "roberta.b.weight": values}, tmp_path / "model.safetensors")
    tensors = read_tensors(tmp_path)
    assert sorted(tensors) == ["a.weight", "b.weight"]
    for array in tensors.values():
        assert array.dtype == np.float32 and array.flags.writeable
        np.testing.assert_array_equal(array, values)


def _write_raw(folder: Path, header: dict[str, object] | bytes, data: bytes) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + data)


def test_bfloat16_and_position_ids_are_understood(tmp_path):
    half = (np.array([1.5, -2.0], dtype=np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
    header = {
        "__metadata__": {"format": "pt"},
        "embeddings.LayerNorm.gamma": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]},
        "embeddings.position_ids": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
    }
    _write_raw(tmp_path, header, bytes(8) + half)
    tensors = read_tensors(tmp_path)
    assert {name: array.tolist() for name, array in tensors.items()} == {"embeddings.LayerNorm.weight": [1.5, -2.0]}


def test_writing_to_an_array_leaves_the_file_alone(folder):
    before = (folder / "model.safetensors").read_bytes()
    for array in read_tensors(folder).values():
        array[...] = 0
    assert (folder / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"{", b""),
        (b"[1]", b""),
        ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(8)),
        ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [-16, 0]}}, bytes(16)),
        ({"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 16]}}, bytes(16)),
        ({"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}, bytes(4)),
        ({"a": {"shape": [4]}}, bytes(16)),
        ({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(4097)}, b""),
        (b" " * ((1 << 20) + 1), b""),
    ],
    ids=["cut", "list", "outside", "negative", "overflow", "type", "entry", "many", "header"],
)
def test_damaged_weights_are_refused(tmp_path, header, data):
    _write_raw(tmp_path, header, data)
    with pytest.raises(UnsupportedModel):
        read_tensors(tmp_path)


def test_an_endless_header_length_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 8)
    with pytest.raises(UnsupportedModel):
        read_tensors(tmp_path)


def test_pickled_weights_are_refused_with_a_way_out(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(PickledWeights, match="weights_only=True") as caught:
        read_tensors(folder)
    assert "pytorch_model.bin" in caught.value.message("zh")


def test_the_tokenizer_cuts_and_never_pads(folder):
    raw = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    raw["padding"] = {
        "strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(raw), "utf-8")
    tokenizer = load_tokenizer(folder, max_tokens=8)
    assert len(tokenizer.encode("退款").ids) == 4
    assert len(tokenizer.encode("退" * 50).ids) == 8


def test_a_broken_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(UnsupportedModel, match=r"tokenizer\.json"):
        load_tokenizer(folder, max_tokens=8)

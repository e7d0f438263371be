"""A backbone on disk: config.json, tokenizer.json and model.safetensors, read without running any code of theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from feilun.models import mpnet
from feilun.models.errors import PickledWeights, TooManyTokens, UnsupportedModel

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert", mpnet.FAMILY)
ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")

MAX_CONFIG_BYTES = 1 << 20
MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 4096
MAX_DIMENSION = 10_000_000  # no vocabulary or layer of this family comes near; keeps sizes from overflowing
MAX_RANK = 8  # no tensor of an encoder has more than two dimensions
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

QUERY_KEY_VALUE = ("attention.self.query", "attention.self.key", "attention.self.value")
ATTENTION_OUT = "attention.output.dense"
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True)
class EncoderConfig:
    """The shape of a BERT-family encoder. Sizes are counts of units; `position_offset` is the first position id.

    A published network spreads its n_hidden over its heads; one that lost some has n_heads * head_width < n_hidden.
    n_buckets: of the distances between tokens that have a score of their own; 0 in most families.
    """

    model_type: str
    n_layers: int
    n_hidden: int
    n_heads: int
    head_width: int
    n_ffn: int
    vocab_size: int
    max_positions: int
    position_offset: int
    layer_norm_eps: float
    activation: str
    type_vocab_size: int
    n_buckets: int = 0

    @property
    def n_mixed(self) -> int:
        """Units of all heads of a layer together."""
        return self.n_heads * self.head_width

    @property
    def max_tokens(self) -> int:
        """The longest input the position table has room for."""
        return self.max_positions - self.position_offset


def read_config(folder: Path) -> EncoderConfig:
    """The encoder's shape from `folder`/config.json.

    Raises:
        UnsupportedModel: no such file, not JSON, another family, or a size that makes no sense.
    """
    path = Path(folder) / CONFIG
    raw = _read_json(path)
    family = raw.get("model_type")
    if family not in FAMILIES:
        _reject(path, f"model_type {family!r}", f"one of {', '.join(FAMILIES)}")
    if raw.get("position_embedding_type", "absolute") != "absolute":
        _reject(path, f"position_embedding_type {raw['position_embedding_type']!r}", "'absolute'")
    activation = raw.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        _reject(path, f"hidden_act {activation!r}", f"one of {', '.join(ACTIVATIONS)}")
    eps = raw.get("layer_norm_eps", 1e-12)
    if not isinstance(eps, int | float) or not 0 <= eps < 1:
        _reject(path, f"layer_norm_eps {eps!r}", "a number in [0, 1)")

    def size(key: str) -> int:
        value = raw.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_DIMENSION:
            _reject(path, f"{key} {value!r}", f"a whole number from 1 to {MAX_DIMENSION}")
        return value

    is_mpnet = family == mpnet.FAMILY
    n_buckets = raw.get("relative_attention_num_buckets", mpnet.N_BUCKETS)
    if is_mpnet and n_buckets != mpnet.N_BUCKETS:
        _reject(path, f"relative_attention_num_buckets {n_buckets!r}", f"{mpnet.N_BUCKETS}")
    pad_id = mpnet.PAD_ID if is_mpnet else raw.get("pad_token_id", 1)
    if family != "bert" and (not isinstance(pad_id, int) or not 0 <= pad_id < size("max_position_embeddings")):
        _reject(path, f"pad_token_id {pad_id!r}", "a token id below max_position_embeddings")
    n_hidden, n_heads = size("hidden_size"), size("num_attention_heads")
    if n_hidden % n_heads:
        _reject(path, f"hidden_size {n_hidden}", f"a multiple of num_attention_heads {n_heads}")
    return EncoderConfig(
        model_type=family,
        n_layers=size("num_hidden_layers"),
        n_hidden=n_hidden,
        n_heads=n_heads,
        head_width=n_hidden // n_heads,
        n_ffn=size("intermediate_size"),
        vocab_size=size("vocab_size"),
        max_positions=size("max_position_embeddings"),
        position_offset=0 if family == "bert" else pad_id + 1,
        layer_norm_eps=float(eps),
        activation=activation,
        type_vocab_size=1 if is_mpnet else size("type_vocab_size"),
        n_buckets=mpnet.N_BUCKETS if is_mpnet else 0,
    )


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """The weights in `folder`/model.safetensors as float32, by the names of a bare encoder.

    Names lose their "bert." or "roberta." prefix, and MPNet's parts take BERT's names. Arrays that are float32 on disk
    are copy-on-write views of the file: pages are read when touched, and writing to an array never changes the file.

    Raises:
        PickledWeights: only pickled weights are there.
        UnsupportedModel: no weights, a damaged or oversized header, or a number type that is not float.
    """
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        refuse_pickles(Path(folder))
        _reject(path, "no such file", "weights in one safetensors file")
    header, start = _read_header(path)
    data = np.memmap(path, dtype=np.uint8, mode="c")
    tensors: dict[str, np.ndarray] = {}
    for name, entry in header.items():
        array = _array(data[start:], entry, where=f"{path} ({name})")
        if array is not None:
            tensors[plain_name(name)] = array
    return mpnet.complete(tensors)


def refuse_pickles(folder: Path) -> None:
    """Say what to do about a folder that has pickled weights and no others.

    Raises:
        PickledWeights: there are such files.
    """
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES) if folder.is_dir() else []
    if pickles:
        raise PickledWeights(folder=str(folder), names=", ".join(pickles))


def expected_shapes(config: EncoderConfig) -> dict[str, tuple[int, ...]]:
    """The tensors an encoder of this shape is made of: name -> shape. Dense weights are (outputs, inputs)."""
    width, mixed, wide = config.n_hidden, config.n_mixed, config.n_ffn
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config.vocab_size, width),
        "embeddings.position_embeddings.weight": (config.max_positions, width),
        "embeddings.token_type_embeddings.weight": (config.type_vocab_size, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    dense = dict.fromkeys(QUERY_KEY_VALUE, (mixed, width)) | {
        ATTENTION_OUT: (width, mixed),
        "intermediate.dense": (wide, width),
        "output.dense": (width, wide),
    }
    for layer in range(config.n_layers):
        prefix = f"encoder.layer.{layer}"
        for part, shape in dense.items():
            shapes[f"{prefix}.{part}.weight"], shapes[f"{prefix}.{part}.bias"] = shape, shape[:1]
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{prefix}.{part}.weight"] = shapes[f"{prefix}.{part}.bias"] = (width,)
        if config.n_buckets:
            shapes[f"{prefix}.{mpnet.RELATIVE}"] = (config.n_buckets, config.n_heads)
    return shapes


def check_tensors(config: EncoderConfig, tensors: Mapping[str, np.ndarray], *, where: str) -> None:
    """Refuse tensors that are not the encoder of `config`; others beside them (a pooler, a head) do not matter.

    Raises:
        UnsupportedModel: one is missing or has another shape; it is named.
    """
    for name, shape in expected_shapes(config).items():
        array = tensors.get(name)
        if array is None or array.shape != shape:
            found = "nothing" if array is None else f"shape {array.shape}"
            _reject(f"{where} ({name})", found, f"a tensor of shape {shape}")


def load_tokenizer(path: Path, *, max_tokens: int) -> Tokenizer:
    """The fast tokenizer of a folder (or of a tokenizer.json itself), cutting after `max_tokens`, never padding.

    Raises:
        UnsupportedModel: there is no tokenizer.json, or the library cannot read it.
        TooManyTokens: config.json beside it says that the backbone has fewer than `max_tokens` positions.
    """
    from tokenizers import Tokenizer

    file = Path(path) / TOKENIZER if Path(path).is_dir() else Path(path)
    if not file.is_file():
        _reject(file, "no such file", f"a {TOKENIZER} of the 'tokenizers' library")
    if (file.parent / CONFIG).is_file():
        limit = read_config(file.parent).max_tokens
        if max_tokens > limit:
            raise TooManyTokens(asked=max_tokens, limit=limit, where=str(file.parent / CONFIG))
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception for every malformed file
        raise UnsupportedModel(
            where=str(file), found=f"{type(error).__name__}: {error}", expected="a readable tokenizer.json"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=max_tokens)
    return tokenizer


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        _reject(path, "no such file", "the config.json of a Hugging Face model")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        _reject(path, f"{path.stat().st_size} bytes", f"at most {MAX_CONFIG_BYTES}")
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnsupportedModel(where=str(path), found=str(error), expected="JSON in UTF-8") from error
    if not isinstance(raw, dict):
        _reject(path, type(raw).__name__, "a JSON object")
    return raw


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The tensor table of a safetensors file, and the byte at which the data begin."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(MAX_HEADER_BYTES, size - 8):
            _reject(path, f"a header of {length} bytes", f"at most {MAX_HEADER_BYTES}, inside the file")
        try:
            header = json.loads(file.read(length).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise UnsupportedModel(where=str(path), found=str(error), expected="a safetensors header") from error
    if not isinstance(header, dict):
        _reject(path, type(header).__name__, "a safetensors header")
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        _reject(path, f"{len(header)} tensors", f"at most {MAX_TENSORS}")
    return header, 8 + length


def _array(data: np.ndarray, entry: Any, *, where: str) -> np.ndarray | None:
    """One tensor as float32; None for whole numbers (position ids), which the graph makes itself."""
    try:
        kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise UnsupportedModel(where=where, found="a broken entry", expected="dtype, shape, data_offsets") from error
    if kind in ("I64", "I32", "I16", "I8", "U8", "BOOL"):
        return None
    if kind not in _DTYPES:
        _reject(where, f"numbers of type {kind}", f"one of {', '.join(_DTYPES)}")
    whole = [*shape, begin, end]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in whole):
        _reject(where, "a negative or fractional size", "whole numbers")
    if len(shape) > MAX_RANK or max(shape, default=0) > MAX_DIMENSION:
        _reject(where, "an impossible shape", f"at most {MAX_RANK} dimensions of at most {MAX_DIMENSION}")
    dtype, count = np.dtype(_DTYPES[kind]), 1
    for length in shape:
        count *= length
    if end > data.size or end - begin != count * dtype.itemsize:
        _reject(where, f"bytes {begin} to {end}", f"{count * dtype.itemsize} bytes inside the file")
    raw = np.asarray(data[begin:end])
    if raw.ctypes.data % dtype.itemsize:
        raw = raw.copy()
    values = raw.view(dtype).reshape(shape)
    if kind == "BF16":  # bfloat16 is the upper half of a float32
        values = (values.astype("<u4") << 16).view("<f4")
    return values if values.dtype == np.float32 else values.astype(np.float32)


def plain_name(name: str) -> str:
    """A tensor's name in a bare encoder, whatever model class it was saved with."""
    for prefix in ("bert.", "roberta.", "mpnet."):
        name = name.removeprefix(prefix)
    name = mpnet.bert_name(name)
    # Checkpoints converted from TensorFlow name the parts of a LayerNorm differently.
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _reject(where: Path | str, found: str, expected: str) -> NoReturn:
    raise UnsupportedModel(where=str(where), found=found, expected=expected)

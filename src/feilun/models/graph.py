"""An ONNX graph of a BERT-family encoder, its pooling, a linear head and its neighbours, from plain arrays.

Only standard operators are written: onnxruntime fuses them when it loads the graph, which measured as fast as
writing its fused operators by hand, in float32 and in int8, and `quantize_dynamic` knows every type in it.

Names to rely on (compress excludes or replaces nodes by them): the initializers `word_embeddings` and
`head.weight` (n_hidden, n_classes), the nodes `embeddings/word` (Gather) and `head/logits` (MatMul).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from feilun.models.errors import UnsupportedModel
from feilun.models.layout import EncoderConfig, check_tensors
from feilun.models.mpnet import RELATIVE, distance_buckets
from feilun.models.neighbours import FLOOR, PRIOR, SHARPNESS, STRENGTH, VOTE_STEPS, Neighbours
from feilun.models.neighbours import TINY as TINY_LENGTH

OPSET, IR_VERSION = 20, 9  # opset 20 brought Gelu; onnxruntime 1.17 and later reads both
MAX_GRAPH_BYTES = 2_000_000_000  # one protobuf message ends at 2 GiB
MASKED = -10_000.0  # added to the scores of padding: e^-10000 is zero in float32, without an infinity
TINY = 1e-12
OUTSIDE_BYTES = 1 << 16  # tensors from this size are kept out of a frozen graph

Pooling = Literal["mean", "cls"]
Head = tuple[np.ndarray, np.ndarray]


def build_graph(
    config: EncoderConfig,
    tensors: Mapping[str, np.ndarray],
    *,
    pooling: Pooling,
    head: Head | None = None,
    neighbours: Neighbours | None = None,
) -> onnx.ModelProto:
    """Encoder + pooling + optional linear head as one graph.

    Inputs `input_ids` and `attention_mask` are (batch, seq) int64, padded on the right; output `embedding` is
    (batch, n_hidden) float32 of unit length and, with a head, `logits` is (batch, n_classes) = embedding·Wᵀ + b, plus
    what the neighbours add.

    Args:
        tensors: float arrays by the names of a bare encoder, see `feilun.models.layout.read_tensors`.
        head: weight (n_classes, n_hidden) and bias (n_classes,).
        neighbours: only together with a head.
    Raises:
        UnsupportedModel: a tensor is missing or has another shape, or the whole exceeds what one file may hold.
    """
    return _build(_Builder(tensors), config, pooling=pooling, head=head, neighbours=neighbours)


def build_frozen(
    config: EncoderConfig, tensors: Mapping[str, np.ndarray], *, pooling: Pooling
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """As `build_graph` without a head, but with the large tensors beside the graph instead of inside.

    The second value is what `Encoder(..., weights=...)` takes; views of a file in `tensors` are not copied.
    """
    build = _Builder(tensors, outside={})
    graph = _build(build, config, pooling=pooling, head=None, neighbours=None)
    return graph, build.outside or {}


def _build(
    build: _Builder, config: EncoderConfig, *, pooling: Pooling, head: Head | None, neighbours: Neighbours | None
) -> onnx.ModelProto:
    check_tensors(config, build.tensors, where="backbone")
    hidden, padding = _embed(build, config)
    distances = _Distances(build, config)
    for layer in range(config.n_layers):
        bias = distances.scores(layer, padding)
        hidden = _attend(build, config, layer=layer, hidden=hidden, bias=bias)
        hidden = _feed_forward(build, config, layer=layer, hidden=hidden)
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", config.n_hidden])]
    _pool(build, hidden, pooling=pooling)
    if head is not None:
        outputs.append(_classify(build, head, neighbours, n_hidden=config.n_hidden))
    return _finish(build, outputs)


class _Builder:
    """Collects nodes and initializers; `tensors` is where weights are taken from, `outside` where large ones go."""

    def __init__(self, tensors: Mapping[str, np.ndarray], *, outside: dict[str, np.ndarray] | None = None) -> None:
        self.tensors, self.outside = tensors, outside
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.names: set[str] = set()
        self.n_bytes = 0

    def constant(self, name: str, array: np.ndarray) -> str:
        if name in self.names:
            return name
        self.names.add(name)
        if self.outside is not None and array.nbytes >= OUTSIDE_BYTES:
            self.outside[name] = np.asarray(array, order="C")
            tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="beside the graph")  # never opened: given by name
            self.initializers.append(tensor)
            return name
        self.n_bytes += array.nbytes
        if self.n_bytes > MAX_GRAPH_BYTES:
            raise UnsupportedModel(
                where=name, found="a backbone of more than 2 GB", expected=f"at most {MAX_GRAPH_BYTES} bytes"
            )
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def floats(self, name: str, array: np.ndarray) -> str:
        return self.constant(name, np.asarray(array, dtype=np.float32))

    def ints(self, *values: int) -> str:
        return self.constant("int/" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def node(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def linear(self, hidden: str, prefix: str) -> str:
        """hidden·Wᵀ + b of the dense layer `prefix`."""
        weight = self.floats(f"{prefix}.weight", self.tensors[f"{prefix}.weight"].T)
        bias = self.floats(f"{prefix}.bias", self.tensors[f"{prefix}.bias"])
        product = self.node("MatMul", [hidden, weight], f"{prefix}/matmul")
        return self.node("Add", [product, bias], f"{prefix}/add")

    def norm(self, hidden: str, prefix: str, *, config: EncoderConfig) -> str:
        scale, shift = (
            self.floats(f"{prefix}.{part}", self.tensors[f"{prefix}.{part}"]) for part in ("weight", "bias")
        )
        return self.node(
            "LayerNormalization", [hidden, scale, shift], f"{prefix}/norm", axis=-1, epsilon=config.layer_norm_eps
        )


def _embed(build: _Builder, config: EncoderConfig) -> tuple[str, str]:
    """The hidden states before the first layer, and the score bias that hides padding."""
    words, positions, kinds = (
        build.tensors[f"embeddings.{part}_embeddings.weight"] for part in ("word", "position", "token_type")
    )
    # One message is one segment, and positions count up from the offset: both become one table, cut to length.
    table = build.floats("position_embeddings", positions[config.position_offset :] + kinds[0])
    word = build.node("Gather", [build.floats("word_embeddings", words), "input_ids"], "embeddings/word", axis=0)
    length = build.node("Shape", ["input_ids"], "embeddings/length", start=1, end=2)
    position = build.node("Slice", [table, build.ints(0), length], "embeddings/position")
    total = build.node("Add", [word, position], "embeddings/sum")
    hidden = build.norm(total, "embeddings.LayerNorm", config=config)

    mask = build.node("Cast", ["attention_mask"], "mask/float", to=TensorProto.FLOAT)
    hole = build.node("Sub", [build.floats("one", np.array(1.0)), mask], "mask/padding")
    score = build.node("Mul", [hole, build.floats("masked", np.array(MASKED))], "mask/score")
    return hidden, build.node("Unsqueeze", [score, build.ints(1, 2)], "mask/bias")


class _Distances:
    """What families with scores by distance add to attention; layers that share a table share what is made of it."""

    def __init__(self, build: _Builder, config: EncoderConfig) -> None:
        self.build, self.config = build, config
        self.made: list[tuple[np.ndarray, str]] = []
        if config.n_buckets:
            self.buckets = self._buckets()

    def scores(self, layer: int, padding: str) -> str:
        """The bias that hides padding, (batch, 1, 1, seq), with a layer's scores by distance, (n_heads, seq, seq)."""
        if not self.config.n_buckets:
            return padding
        name = f"encoder.layer.{layer}.{RELATIVE}"
        table = self.build.tensors[name]
        for known, bias in self.made:
            if np.array_equal(known, table):
                return bias
        by_head = self.build.floats(name, table.T)
        far = self.build.node("Gather", [by_head, self.buckets], f"{name}/far", axis=1)
        bias = self.build.node("Add", [far, padding], f"{name}/scores")
        self.made.append((table, bias))
        return bias

    def _buckets(self) -> str:
        """The bucket of every pair of places, (seq, seq), whatever the length."""
        build, longest = self.build, self.config.max_tokens
        zero, one = (build.constant(f"int/{n}_scalar", np.array(n, dtype=np.int64)) for n in (0, 1))
        length = build.node("Squeeze", ["embeddings/length", build.ints(0)], "distances/length")
        places = build.node("Range", [zero, length, one], "distances/places")
        readers = build.node("Unsqueeze", [places, build.ints(1)], "distances/readers")
        ahead = build.node("Sub", [places, readers], "distances/ahead")
        # Counted from the most negative distance there can be, that of the last token to the first.
        index = build.node("Add", [ahead, build.ints(longest - 1)], "distances/index")
        table = build.constant("distances/buckets", distance_buckets(longest))
        return build.node("Gather", [table, index], "distances/bucket", axis=0)


def _attend(build: _Builder, config: EncoderConfig, *, layer: int, hidden: str, bias: str) -> str:
    prefix, per_head = f"encoder.layer.{layer}.attention", config.head_width
    parts = {}
    for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
        flat = build.linear(hidden, f"{prefix}.self.{part}")
        split = build.node("Reshape", [flat, build.ints(0, 0, config.n_heads, per_head)], f"{prefix}.self.{part}/split")
        parts[part] = build.node("Transpose", [split], f"{prefix}.self.{part}/heads", perm=order)
    scores = build.node("MatMul", [parts["query"], parts["key"]], f"{prefix}/scores")
    scale = build.floats("score_scale", np.array(per_head**-0.5))
    scaled = build.node("Mul", [scores, scale], f"{prefix}/scaled")
    seen = build.node("Add", [scaled, bias], f"{prefix}/seen")
    share = build.node("Softmax", [seen], f"{prefix}/share", axis=-1)
    context = build.node("MatMul", [share, parts["value"]], f"{prefix}/context")
    rows = build.node("Transpose", [context], f"{prefix}/rows", perm=[0, 2, 1, 3])
    joined = build.node("Reshape", [rows, build.ints(0, 0, config.n_mixed)], f"{prefix}/joined")
    out = build.linear(joined, f"{prefix}.output.dense")
    total = build.node("Add", [out, hidden], f"{prefix}.output/sum")
    return build.norm(total, f"{prefix}.output.LayerNorm", config=config)


def _feed_forward(build: _Builder, config: EncoderConfig, *, layer: int, hidden: str) -> str:
    prefix = f"encoder.layer.{layer}"
    wide = build.linear(hidden, f"{prefix}.intermediate.dense")
    if config.activation == "relu":
        active = build.node("Relu", [wide], f"{prefix}.intermediate/activation")
    else:
        approximate = "none" if config.activation == "gelu" else "tanh"
        active = build.node("Gelu", [wide], f"{prefix}.intermediate/activation", approximate=approximate)
    out = build.linear(active, f"{prefix}.output.dense")
    total = build.node("Add", [out, hidden], f"{prefix}.output/sum")
    return build.norm(total, f"{prefix}.output.LayerNorm", config=config)


def _pool(build: _Builder, hidden: str, *, pooling: Pooling) -> None:
    if pooling == "cls":
        first = build.constant("int/first", np.array(0, dtype=np.int64))
        pooled = build.node("Gather", [hidden, first], "pooling/first", axis=1)
    else:
        # The sum over real tokens; its length is divided away below, so the mean need not be taken.
        weights = build.node("Unsqueeze", ["mask/float", build.ints(1)], "pooling/weights")
        total = build.node("MatMul", [weights, hidden], "pooling/total")
        pooled = build.node("Squeeze", [total, build.ints(1)], "pooling/sum")
    length = build.node("ReduceL2", [pooled, build.ints(1)], "pooling/length", keepdims=1)
    safe = build.node("Max", [length, build.floats("tiny", np.array(TINY))], "pooling/safe_length")
    build.node("Div", [pooled, safe], "embedding")


def _classify(build: _Builder, head: Head, neighbours: Neighbours | None, *, n_hidden: int) -> onnx.ValueInfoProto:
    weight, bias = head
    if weight.ndim != 2 or weight.shape[1] != n_hidden or bias.shape != weight.shape[:1]:
        raise UnsupportedModel(
            where="head", found=f"shapes {weight.shape} and {bias.shape}", expected=f"(n, {n_hidden}) and (n,)"
        )
    product = build.node("MatMul", ["embedding", build.floats("head.weight", weight.T)], "head/logits")
    bias_name = build.floats("head.bias", bias)
    if neighbours is None:
        build.node("Add", [product, bias_name], "logits")
    else:
        alone = build.node("Add", [product, bias_name], "head/alone")
        build.node("Add", [alone, _ask_neighbours(build, neighbours)], "logits")
    return helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", weight.shape[0]])


def _ask_neighbours(build: _Builder, neighbours: Neighbours) -> str:
    """`Neighbours.logits` of the embedding."""
    n_classes = neighbours.votes.shape[1]

    def number(name: str, value: float) -> str:
        return build.floats(f"neighbours.{name}", np.array(value))

    away = build.node("Sub", ["embedding", build.floats("neighbours.centre", neighbours.centre)], "neighbours/away")
    length = build.node("ReduceL2", [away, build.ints(1)], "neighbours/length", keepdims=1)
    safe = build.node("Max", [length, number("tiny", TINY_LENGTH)], "neighbours/safe_length")
    direction = build.node("Div", [away, safe], "neighbours/direction")
    points = build.floats("neighbours.points", neighbours.points.T)
    near = build.node("MatMul", [direction, points], "neighbours/near")
    build.nodes.append(
        helper.make_node(
            "TopK",
            [near, build.ints(neighbours.n_nearest)],
            ["neighbours/nearest", "neighbours/places"],
            name="neighbours/nearest",
        )
    )
    close = build.node("Relu", ["neighbours/nearest"], "neighbours/close")
    weight = build.node("Pow", [close, number("sharpness", SHARPNESS)], "neighbours/weight")
    table = build.constant("neighbours.votes", neighbours.votes)
    steps = build.node("Gather", [table, "neighbours/places"], "neighbours/steps", axis=0)
    votes = build.node("Cast", [steps], "neighbours/votes", to=TensorProto.FLOAT)
    row = build.node("Unsqueeze", [weight, build.ints(1)], "neighbours/row")
    weighted = build.node("MatMul", [row, votes], "neighbours/weighted")
    summed = build.node("Squeeze", [weighted, build.ints(1)], "neighbours/sum")
    share = build.node("Mul", [summed, number("step", 1 / VOTE_STEPS)], "neighbours/share")
    with_prior = build.node("Add", [share, number("even", PRIOR / n_classes)], "neighbours/with_prior")
    total = build.node("ReduceSum", [weight, build.ints(1)], "neighbours/total", keepdims=1)
    whole = build.node("Add", [total, number("prior", PRIOR)], "neighbours/whole")
    likely = build.node("Div", [with_prior, whole], "neighbours/likely")
    floored = build.node("Add", [likely, number("floor", FLOOR / n_classes)], "neighbours/floored")
    logarithm = build.node("Log", [floored], "neighbours/log")
    return build.node("Mul", [logarithm, number("strength", STRENGTH)], "neighbours/logits")


def _finish(build: _Builder, outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"])
        for name in ("input_ids", "attention_mask")
    ]
    graph = helper.make_graph(build.nodes, "feilun_encoder", inputs, outputs)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="feilun"
    )
    # Weights go in last and are let go one by one: each of these protobuf calls copies all it is given.
    for tensor in build.initializers:
        model.graph.initializer.append(tensor)
        tensor.Clear()
    return model

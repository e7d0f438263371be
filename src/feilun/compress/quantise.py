"""Eight bits: the weights of dense layers and the word table as int8, dense layers computed in integers.

Why not `onnxruntime.quantization.quantize_dynamic`: it scales activations by the largest value of the whole batch, so
an answer depends on the messages that share the batch (measured: embeddings move by 0.03), and has one scale for the
whole word table. Both methods here give a message the same answer alone and in any batch:

token   each token's activations have a scale, each output unit's weights have one. Standard operators; the faster.
block   each 64 activations and each 64 weights have a scale (onnxruntime's MatMulNBits). A half slower, half the error.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Weights stay within 7 bits: on CPUs without VNNI the kernels add two products of an unsigned and a signed byte in 16
# bits, and 2 * 255 * 63 is the most that fits. So every CPU computes the same integers.
WEIGHT_MAX = 63
TABLE_MAX = 127  # the word table is only looked up, never multiplied in integers
ACTIVATION_MAX = 127
ZERO_POINT = 128  # of activations, kept as unsigned bytes
TINY = 1e-9  # the least scale of a token whose activations are all zero
BLOCK = 64
BLOCK_MAX = 127
ROWS_AT_ONCE = 8192
HEAD_NODE = "head/logits"  # stays float: a thousandth of the weights, and the last word
WORD_TABLE, WORD_NODE = "word_embeddings", "embeddings/word"


Method = Literal["token", "block"]
METHODS: tuple[Method, ...] = ("token", "block")  # the fast one first


def quantise(model: onnx.ModelProto, *, method: Method) -> None:
    """Turn a graph of `feilun.models.graph` into eight bits, in place.

    Float weights are let go one by one as they are replaced, so the peak is the float graph and one layer.
    """
    weights = {tensor.name: i for i, tensor in enumerate(model.graph.initializer)}
    rewriter = _Rewriter(model, weights)
    dense = rewriter.by_token if method == "token" else rewriter.by_block
    for node in model.graph.node:
        if node.name == WORD_NODE and node.input[0] == WORD_TABLE:
            rewriter.table(node)
        elif node.op_type == "MatMul" and node.input[1] in weights and node.name != HEAD_NODE:
            dense(node)
        else:
            rewriter.nodes.append(node)
    rewriter.finish()
    if method == "block":
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def to_bytes(weight: np.ndarray, *, axis: int, top: int) -> tuple[np.ndarray, np.ndarray]:
    """A matrix as int8 in [-top, top], and float32 scales (1 along `axis`) that multiply it back.

    A long table (axis 1: each row by itself) goes piece by piece: its temporaries would be larger than the model.
    """
    if axis == 1 and len(weight) > ROWS_AT_ONCE:
        values, scale = np.empty(weight.shape, np.int8), np.empty((len(weight), 1), np.float32)
        for start in range(0, len(weight), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            values[part], scale[part] = to_bytes(weight[part], axis=1, top=top)
        return values, scale
    scale = (np.abs(weight).max(axis=axis, keepdims=True) / top).astype(np.float32)
    scale[scale == 0] = 1
    return np.rint(weight / scale).astype(np.int8), scale


class _Rewriter:
    """Collects the nodes of the new graph; replaces weights as it meets them."""

    def __init__(self, model: onnx.ModelProto, weights: dict[str, int]) -> None:
        self.graph, self.weights = model.graph, weights
        self.nodes: list[onnx.NodeProto] = []
        self.scaled: set[str] = set()  # activations that are in bytes already: query, key and value share theirs

    def constant(self, name: str, array: np.ndarray | np.generic) -> str:
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def replace(self, name: str, *, axis: int, top: int) -> tuple[str, str]:
        """The weight `name` as int8 with a scale for each slice along the other axis; the names of both."""
        tensor = self.graph.initializer[self.weights[name]]
        weight = numpy_helper.to_array(tensor)
        values, scale = to_bytes(weight, axis=axis, top=top)
        del weight
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}/int8"))
        return f"{name}/int8", self.constant(f"{name}/scale", scale if axis == 1 else scale.reshape(-1))

    def table(self, node: onnx.NodeProto) -> None:
        """Look words up as bytes; each word has its scale."""
        values, scales = self.replace(node.input[0], axis=1, top=TABLE_MAX)
        out, ids = node.output[0], node.input[1]
        words = self.node("Gather", [values, ids], f"{out}/int8", axis=0)
        floats = self.node("Cast", [words], f"{out}/float", to=TensorProto.FLOAT)
        scale = self.node("Gather", [scales, ids], f"{out}/scale", axis=0)
        self.node("Mul", [floats, scale], out)

    def by_token(self, node: onnx.NodeProto) -> None:
        """(bytes - zero point)·weights in integers, scaled back by token and by output unit."""
        values, scales = self.replace(node.input[1], axis=0, top=WEIGHT_MAX)
        rows, out = node.input[0], node.output[0]
        if rows not in self.scaled:
            self._to_bytes(rows)
            self.scaled.add(rows)
        product = self.node("MatMulInteger", [f"{rows}/uint8", values, "int8/zero"], f"{out}/int32")
        floats = self.node("Cast", [product], f"{out}/float", to=TensorProto.FLOAT)
        by_token = self.node("Mul", [floats, f"{rows}/scale"], f"{out}/by_token")
        self.node("Mul", [by_token, scales], out)

    def by_block(self, node: onnx.NodeProto) -> None:
        """One operator that takes float activations and cuts them into bytes itself."""
        tensor = self.graph.initializer[self.weights[node.input[1]]]
        weight = numpy_helper.to_array(tensor)
        n_in, n_out = weight.shape
        n_blocks = -(-n_in // BLOCK)
        padded = np.zeros((n_out, n_blocks * BLOCK), dtype=np.float32)
        padded[:, :n_in] = weight.T
        blocks = padded.reshape(n_out, n_blocks, BLOCK)
        scale = np.abs(blocks).max(axis=2) / np.float32(BLOCK_MAX)
        scale[scale == 0] = 1
        values = np.rint(blocks / scale[:, :, None]) + ZERO_POINT
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.uint8), f"{node.input[1]}/int8"))
        scales = self.constant(f"{node.input[1]}/scale", scale.reshape(-1))
        sizes = {"K": n_in, "N": n_out, "bits": 8, "block_size": BLOCK}
        # Level 4: activations too are cut into bytes, and multiplied in integers.
        inputs, out = [node.input[0], tensor.name, scales], node.output[0]
        self.node("MatMulNBits", inputs, out, domain="com.microsoft", accuracy_level=4, **sizes)

    def _to_bytes(self, rows: str) -> None:
        if not self.scaled:
            self.constant("int8/max", np.float32(1 / ACTIVATION_MAX))
            self.constant("int8/tiny", np.float32(TINY))
            self.constant(
                "int8/shift", np.float32(ZERO_POINT + 0.5)
            )  # the cast cuts off, so half a step makes it round
            self.constant("int8/zero", np.uint8(ZERO_POINT))
            self.constant("int8/last", np.array([-1], dtype=np.int64))
        size = self.node("Abs", [rows], f"{rows}/size")
        top = self.node("ReduceMax", [size, "int8/last"], f"{rows}/top", keepdims=1)
        safe = self.node("Max", [top, "int8/tiny"], f"{rows}/safe")
        scale = self.node("Mul", [safe, "int8/max"], f"{rows}/scale")
        steps = self.node("Div", [rows, scale], f"{rows}/steps")
        shifted = self.node("Add", [steps, "int8/shift"], f"{rows}/shifted")
        self.node("Cast", [shifted], f"{rows}/uint8", to=TensorProto.UINT8)

    def finish(self) -> None:
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self.nodes]  # del would empty them
        del self.graph.node[:]
        self.graph.node.extend(nodes)

"""A BERT-family encoder as a torch module, on packed rows, with the Hugging Face names of its parameters.

Rows are packed: the tokens of a batch lie one after the other in one (n_tokens, n_hidden) matrix, sequences of equal
length side by side, so that nothing is ever computed for padding and attention is a few plain matrix products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feilun.train.attention import Group, packed_attention
from feilun.train.errors import UnsupportedBackbone

ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_fast": "tanh"}
ROBERTA_LIKE = ("roberta", "xlm-roberta", "camembert")


@dataclass(frozen=True)
class EncoderShape:
    """What config.json says about the network."""

    n_layers: int
    n_hidden: int
    n_heads: int
    n_intermediate: int
    epsilon: float
    activation: str
    first_position: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> EncoderShape:
        """Read a Hugging Face config.json.

        Raises:
            UnsupportedBackbone: it is not an encoder of the BERT family that we know how to train.
        """
        kind = str(config.get("model_type", "?"))
        if kind != "bert" and kind not in ROBERTA_LIKE:
            raise UnsupportedBackbone(what="model_type", found=kind)
        if config.get("position_embedding_type", "absolute") != "absolute":
            raise UnsupportedBackbone(what="position_embedding_type", found=config["position_embedding_type"])
        activation = str(config.get("hidden_act", "gelu"))
        if activation not in ACTIVATIONS and activation != "relu":
            raise UnsupportedBackbone(what="hidden_act", found=activation)
        return cls(
            n_layers=int(config["num_hidden_layers"]),
            n_hidden=int(config["hidden_size"]),
            n_heads=int(config["num_attention_heads"]),
            n_intermediate=int(config["intermediate_size"]),
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
            activation=activation,
            # RoBERTa counts positions from the padding index on.
            first_position=int(config["pad_token_id"]) + 1 if kind in ROBERTA_LIKE else 0,
        )


class Linear(nn.Linear):
    """A linear map whose float32 weights are used in the precision of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


class SelfAttention(nn.Module):
    """encoder.layer.N.attention.self"""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.n_heads = shape.n_heads
        self.query = Linear(shape.n_hidden, shape.n_hidden)
        self.key = Linear(shape.n_hidden, shape.n_hidden)
        self.value = Linear(shape.n_hidden, shape.n_hidden)

    def forward(self, x: Tensor, groups: Sequence[Group]) -> Tensor:
        parts = (self.query, self.key, self.value)
        weight = torch.cat([part.weight for part in parts]).to(x.dtype)
        bias = torch.cat([part.bias for part in parts]).to(x.dtype)
        return packed_attention(F.linear(x, weight, bias), groups, n_heads=self.n_heads)


class AddNorm(nn.Module):
    """The `output` block behind attention and behind the feed-forward: project, add the residual, normalise."""

    def __init__(self, n_in: int, shape: EncoderShape) -> None:
        super().__init__()
        self.dense = Linear(n_in, shape.n_hidden)
        self.LayerNorm = nn.LayerNorm(shape.n_hidden, eps=shape.epsilon)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)


class Layer(nn.Module):
    """encoder.layer.N: the residual stream and the norms in float32, the matrix products in `precision`."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(shape), "output": AddNorm(shape.n_hidden, shape)})
        self.intermediate = nn.ModuleDict({"dense": Linear(shape.n_hidden, shape.n_intermediate)})
        self.output = AddNorm(shape.n_intermediate, shape)
        self.activation = shape.activation

    def forward(self, x: Tensor, groups: Sequence[Group], *, precision: torch.dtype) -> Tensor:
        mixed = self.attention["self"](x.to(precision), groups)
        x = self.attention["output"](mixed, x)
        inner = self.intermediate["dense"](x.to(precision))
        inner = F.relu(inner) if self.activation == "relu" else F.gelu(inner, approximate=ACTIVATIONS[self.activation])
        out: Tensor = self.output(inner, x)
        return out


class LayerStack(nn.Module):
    """Layers [first, last) of the network, under their Hugging Face names: `encoder.layer.{first}...`."""

    def __init__(self, shape: EncoderShape, *, first: int, last: int) -> None:
        super().__init__()
        layers = nn.ModuleDict({str(n): Layer(shape) for n in range(first, last)})
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(self, x: Tensor, groups: Sequence[Group], *, precision: torch.dtype) -> Tensor:
        """(n_tokens, n_hidden) float32 -> the same shape."""
        for layer in self.encoder["layer"].values():
            x = layer(x, groups, precision=precision)
        return x

    def load(self, tensors: Mapping[str, np.ndarray]) -> LayerStack:
        """Copy the weights in; names may carry a leading 'bert.' or 'roberta.'."""
        state = {name: torch.from_numpy(np.array(find(tensors, name), dtype=np.float32)) for name in self.state_dict()}
        self.load_state_dict(state)
        return self

    def tensors(self) -> dict[str, np.ndarray]:
        """The weights as float32 arrays by their Hugging Face names."""
        return {name: value.detach().cpu().float().numpy().copy() for name, value in self.state_dict().items()}


def find(tensors: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The tensor called `name`, with or without the prefix of the family."""
    for prefix in ("", "bert.", "roberta."):
        if prefix + name in tensors:
            return tensors[prefix + name]
    raise UnsupportedBackbone(what="tensor", found=name)


def embed_tokens(
    tensors: Mapping[str, np.ndarray], ids: np.ndarray, positions: np.ndarray, shape: EncoderShape
) -> np.ndarray:
    """The embedding layer on packed tokens, in NumPy: its table is never trained, so torch need not hold it.

    Args:
        ids, positions: (n_tokens,) int; positions count from 0 in each row.
    Returns:
        (n_tokens, n_hidden) float32.
    """
    x = find(tensors, "embeddings.word_embeddings.weight")[ids].astype(np.float32)
    x += find(tensors, "embeddings.position_embeddings.weight")[positions + shape.first_position]
    x += find(tensors, "embeddings.token_type_embeddings.weight")[0]
    x -= x.mean(axis=1, keepdims=True)
    x /= np.sqrt(np.square(x).mean(axis=1, keepdims=True) + shape.epsilon)
    x *= find(tensors, "embeddings.LayerNorm.weight")
    x += find(tensors, "embeddings.LayerNorm.bias")
    return np.ascontiguousarray(x, dtype=np.float32)


def pool(x: Tensor, groups: Sequence[Group], *, pooling: str) -> Tensor:
    """One vector of unit length for each packed row: (n_tokens, n_hidden) -> (n_rows, n_hidden)."""
    parts = x.split([group.n_rows * group.length for group in groups])
    pooled = []
    for group, part in zip(groups, parts, strict=True):
        rows = part.view(group.n_rows, group.length, -1)
        pooled.append(rows.mean(dim=1) if pooling == "mean" else rows[:, 0])
    return F.normalize(torch.cat(pooled), dim=-1)


def flops_per_token(shape: EncoderShape, *, n_layers: int, length: int) -> float:
    """Forward FLOPs of one token in rows of `length` tokens; training costs three times that."""
    dense = 2 * (4 * shape.n_hidden**2 + 2 * shape.n_hidden * shape.n_intermediate)
    return n_layers * (dense + 4 * length * shape.n_hidden)


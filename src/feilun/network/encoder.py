"""A BERT-family encoder as a torch module, on packed rows, with BERT's Hugging Face names of its parameters.

Rows are packed: the tokens of a batch lie one after the other in one (n_tokens, n_hidden) matrix, sequences of equal
length side by side, so that nothing is ever computed for padding and attention is a few plain matrix products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feilun.models import EncoderConfig
from feilun.network.attention import Group, packed_attention

ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}


class Linear(nn.Linear):
    """A linear map whose float32 weights are used in the precision of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


class SelfAttention(nn.Module):
    """encoder.layer.N.attention.self"""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.query = Linear(config.n_hidden, config.n_mixed)
        self.key = Linear(config.n_hidden, config.n_mixed)
        self.value = Linear(config.n_hidden, config.n_mixed)
        # Scores by distance stay as they are published: one number a head and bucket, which a few rows teach nothing.
        table = torch.zeros(config.n_buckets, config.n_heads) if config.n_buckets else None
        self.relative_bias: Tensor | None
        self.register_buffer("relative_bias", table)

    def forward(self, x: Tensor, groups: Sequence[Group]) -> Tensor:
        parts = (self.query, self.key, self.value)
        if any(type(part) is not Linear for part in parts):  # an adapter sits on one of them
            qkv = torch.cat([part(x) for part in parts], dim=-1)
        else:
            weight = torch.cat([part.weight for part in parts]).to(x.dtype)
            bias = torch.cat([part.bias for part in parts]).to(x.dtype)
            qkv = F.linear(x, weight, bias)
        return packed_attention(qkv, groups, n_heads=self.n_heads, relative_bias=self.relative_bias)


class AddNorm(nn.Module):
    """The `output` block behind attention and behind the feed-forward: project, add the residual, normalise."""

    def __init__(self, n_in: int, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = Linear(n_in, config.n_hidden)
        self.LayerNorm = nn.LayerNorm(config.n_hidden, eps=config.layer_norm_eps)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)


class Layer(nn.Module):
    """encoder.layer.N: the residual stream and the norms in float32, the matrix products in `precision`."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(config), "output": AddNorm(config.n_mixed, config)})
        self.intermediate = nn.ModuleDict({"dense": Linear(config.n_hidden, config.n_ffn)})
        self.output = AddNorm(config.n_ffn, config)
        self.activation = config.activation

    def forward(self, x: Tensor, groups: Sequence[Group], *, precision: torch.dtype) -> Tensor:
        mixed = self.attention["self"](x.to(precision), groups)
        x = self.attention["output"](mixed, x)
        inner = self.intermediate["dense"](x.to(precision))
        inner = F.relu(inner) if self.activation == "relu" else F.gelu(inner, approximate=ACTIVATIONS[self.activation])
        out: Tensor = self.output(inner, x)
        return out


class LayerStack(nn.Module):
    """Layers [first, last) of the network, under their Hugging Face names: `encoder.layer.{first}...`."""

    def __init__(self, config: EncoderConfig, *, first: int, last: int) -> None:
        super().__init__()
        self.family = config.model_type
        layers = nn.ModuleDict({str(n): Layer(config) for n in range(first, last)})
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(self, x: Tensor, groups: Sequence[Group], *, precision: torch.dtype) -> Tensor:
        """(n_tokens, n_hidden) float32 -> the same shape."""
        for layer in self.layers():
            x = layer(x, groups, precision=precision)
        return x

    def layers(self) -> list[Layer]:
        """The layers, lowest first."""
        return list(self.encoder["layer"].children())  # type: ignore[arg-type]

    def load(self, tensors: Mapping[str, np.ndarray]) -> LayerStack:
        """Copy the weights in, by the names that `feilun.models.read_tensors` gives."""
        state = {name: torch.from_numpy(np.array(tensors[name], dtype=np.float32)) for name in self.state_dict()}
        self.load_state_dict(state)
        return self

    def tensors(self) -> dict[str, np.ndarray]:
        """The weights as float32 arrays by their Hugging Face names."""
        return {name: value.detach().cpu().float().numpy().copy() for name, value in self.state_dict().items()}


def embed_tokens(
    tensors: Mapping[str, np.ndarray], ids: np.ndarray, positions: np.ndarray, config: EncoderConfig
) -> np.ndarray:
    """The embedding layer on packed tokens, in NumPy: its table is never trained, so torch need not hold it.

    Args:
        ids, positions: (n_tokens,) int; positions count from 0 in each row.
    Returns:
        (n_tokens, n_hidden) float32.
    """
    x = tensors["embeddings.word_embeddings.weight"][ids].astype(np.float32)
    x += tensors["embeddings.position_embeddings.weight"][positions + config.position_offset]
    x += tensors["embeddings.token_type_embeddings.weight"][0]
    x -= x.mean(axis=1, keepdims=True)
    x /= np.sqrt(np.square(x).mean(axis=1, keepdims=True) + config.layer_norm_eps)
    x *= tensors["embeddings.LayerNorm.weight"]
    x += tensors["embeddings.LayerNorm.bias"]
    return np.ascontiguousarray(x, dtype=np.float32)


def pool(x: Tensor, groups: Sequence[Group], *, pooling: str) -> Tensor:
    """One vector of unit length for each packed row: (n_tokens, n_hidden) -> (n_rows, n_hidden)."""
    sizes = [group.n_rows * group.length for group in groups]
    parts = x.split([*sizes, len(x) - sum(sizes)])  # the last part is padding
    pooled = []
    for group, part in zip(groups, parts[:-1], strict=True):
        rows = part.view(group.n_rows, group.length, -1)
        pooled.append(rows.mean(dim=1) if pooling == "mean" else rows[:, 0])
    return F.normalize(torch.cat(pooled), dim=-1)


def flops_per_token(config: EncoderConfig, *, n_layers: int, length: int) -> float:
    """Forward FLOPs of one token in rows of `length` tokens; training costs three times that."""
    dense = 2 * (4 * config.n_hidden * config.n_mixed + 2 * config.n_hidden * config.n_ffn)
    return n_layers * (dense + 4 * length * config.n_mixed)

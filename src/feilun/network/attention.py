"""Attention inside the borders of packed rows, forward and backward by hand.

Stock `scaled_dot_product_attention` is slow for short rows in bfloat16 on CPUs (its backward alone was half of an
update); matrix product, softmax, matrix product in float32 on rows of equal length is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from feilun.models.mpnet import distance_buckets

VECTOR = 16
"""Floats in a vector register. torch's softmax over rows shorter than that goes float by float, four times slower than
the same written out; over longer ones its single pass wins."""


class Group(NamedTuple):
    """`n_rows` packed rows of `length` tokens each, side by side."""

    n_rows: int
    length: int


def packed_attention(
    qkv: Tensor, groups: Sequence[Group], *, n_heads: int, relative_bias: Tensor | None = None
) -> Tensor:
    """Self-attention of every row with itself only.

    Args:
        qkv: (n_tokens, 3 * n_mixed): queries, keys and values side by side, any float type.
        groups: the rows, in the order in which their tokens lie in qkv; tokens behind them are padding.
        relative_bias: (n_buckets, n_heads), added to the scores by distance; it gets no gradient.
    Returns:
        (n_tokens, n_mixed) in the type of qkv; zeros for padding.
    Source:
        Vaswani et al. 2017, "Attention Is All You Need", arXiv 1706.03762, section 3.2.
    """
    biases = None if relative_bias is None else [_by_distance(relative_bias, group.length) for group in groups]
    out: Tensor = _PackedAttention.apply(qkv, tuple(groups), n_heads, biases)
    return out


def _by_distance(relative_bias: Tensor, length: int) -> Tensor:
    """(n_heads, length, length): what each token adds to its score of each other, as a view of one row a head."""
    buckets = torch.from_numpy(distance_buckets(length).copy()).to(relative_bias.device)
    by_distance = relative_bias.T[:, buckets]
    return by_distance.unfold(1, length, 1).flip(1)  # each token sees the row one place further on than the next does


def _split(packed: Tensor, group: Group, *, n_parts: int, n_heads: int) -> Tensor:
    """(n_rows * length, n_parts * n_mixed) -> (n_parts, n_rows, n_heads, length, width), float32."""
    view = packed.view(group.n_rows, group.length, n_parts, n_heads, -1)
    return view.permute(2, 0, 3, 1, 4).to(torch.float32, memory_format=torch.contiguous_format)


def _softmax_(scores: Tensor) -> Tensor:
    """Softmax over the last axis; `scores` is used up."""
    if scores.shape[-1] >= VECTOR:
        return scores.softmax(dim=-1)
    scores -= scores.amax(dim=-1, keepdim=True)
    scores.exp_()
    scores /= scores.sum(dim=-1, keepdim=True)
    return scores


def _softmax_backward_(d_p: Tensor, p: Tensor) -> Tensor:
    """The gradient of what softmax read, from that of what it gave; `d_p` is used up."""
    if p.shape[-1] >= VECTOR:
        return torch.ops.aten._softmax_backward_data(d_p, p, -1, torch.float32)  # type: ignore[no-any-return]
    d_p *= p
    return d_p.addcmul_(p, d_p.sum(dim=-1, keepdim=True), value=-1)


class _PackedAttention(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, qkv: Tensor, groups: tuple[Group, ...], n_heads: int, biases: list[Tensor] | None
    ) -> Tensor:
        n_mixed = qkv.shape[1] // 3
        scale = 1 / math.sqrt(n_mixed // n_heads)
        out = torch.empty(qkv.shape[0], n_mixed, dtype=qkv.dtype, device=qkv.device)
        kept, start = [], 0
        for number, group in enumerate(groups):
            end = start + group.n_rows * group.length
            q, k, v = _split(qkv[start:end], group, n_parts=3, n_heads=n_heads)
            scores = torch.matmul(q * scale, k.transpose(-1, -2))
            p = _softmax_(scores if biases is None else scores.add_(biases[number]))
            mixed = torch.matmul(p, v).transpose(1, 2)
            out[start:end].view(group.n_rows, group.length, n_heads, -1).copy_(mixed)
            kept += [q, k, v, p]
            start = end
        out[start:] = 0
        ctx.save_for_backward(*kept)
        ctx.groups, ctx.n_heads, ctx.scale, ctx.dtype = groups, n_heads, scale, qkv.dtype
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (d_out,) = grads
        n_tokens, n_mixed = d_out.shape
        d_qkv = torch.empty(n_tokens, 3 * n_mixed, dtype=ctx.dtype, device=d_out.device)
        kept, start = ctx.saved_tensors, 0
        for number, group in enumerate(ctx.groups):
            end = start + group.n_rows * group.length
            q, k, v, p = kept[4 * number : 4 * number + 4]
            d_mixed = _split(d_out[start:end].contiguous(), group, n_parts=1, n_heads=ctx.n_heads)[0]
            d_scores = _softmax_backward_(torch.matmul(d_mixed, v.transpose(-1, -2)), p)
            d_scores *= ctx.scale
            target = d_qkv[start:end].view(group.n_rows, group.length, 3, ctx.n_heads, -1).permute(2, 0, 3, 1, 4)
            target[0].copy_(torch.matmul(d_scores, k))
            target[1].copy_(torch.matmul(d_scores.transpose(-1, -2), q))
            target[2].copy_(torch.matmul(p.transpose(-1, -2), d_mixed))
            start = end
        d_qkv[start:] = 0
        return d_qkv, None, None, None

"""Which students there can be of a network: a matter of its shape alone, settled before any work is done."""

from __future__ import annotations

from dataclasses import dataclass, replace

from feilun.errors import FeilunError
from feilun.models.layout import EncoderConfig, read_config
from feilun.records import Backbone, TrainResult

UNIT_STEP = 16
"""Feed-forward units are kept in sixteens: what a vector register and the integer kernels take at a time."""


class TooManyLayers(FeilunError):
    """A student was asked for that is no smaller than its teacher."""

    code, kind = "compress.too_many_layers", "invalid"
    en = "A student of {asked} layers is no smaller than the model, which has {n_layers}. Ask for 1 to {most} layers."
    zh = "模型共有 {n_layers} 层，{asked} 层的学生并不更小。请指定 1 到 {most} 层。"


class WidthNotSmaller(FeilunError):
    """A student was asked for that is as wide as its teacher, or has no width at all."""

    code, kind = "compress.width_not_smaller", "invalid"
    en = (
        "A student of width {asked:g} is no smaller than the model, or is nothing. Ask for a share above 0 and below 1 "
        "of the {n_heads} heads and {n_ffn} feed-forward units of each layer, such as 0.5."
    )
    zh = (
        "宽度为 {asked:g} 的学生并不比模型更小，或者什么也不剩。"
        "请指定大于 0、小于 1 的比例（如 0.5），即每层 {n_heads} 个注意力头和 {n_ffn} 个前馈单元中保留多少。"
    )


class TorchMissing(FeilunError):
    """A student was asked for, and torch, which distilling needs, is not installed."""

    code, kind = "compress.torch_missing", "missing"
    en = "A student has to learn, which needs torch: pip install 'feilun[train]'"
    zh = "学生模型需要学习，因此需要 torch：pip install 'feilun[train]'"


@dataclass(frozen=True)
class Students:
    """Which students to make: of fewer layers, and of all layers but only a share of each layer's heads and units."""

    n_layers: tuple[int, ...] = ()
    widths: tuple[float, ...] = ()

    def check(self, of: EncoderConfig) -> None:
        """Refuse students that are no smaller than a network of this shape.

        Raises:
            TooManyLayers, WidthNotSmaller: names the first of them.
        """
        for asked in self.n_layers:
            if not 0 < asked < of.n_layers:
                raise TooManyLayers(asked=asked, n_layers=of.n_layers, most=of.n_layers - 1)
        for width in self.widths:
            if not 0 < width < 1 or narrowed(of, width=width) == of:
                raise WidthNotSmaller(asked=width, n_heads=of.n_heads, n_ffn=of.n_ffn)


def shape_of(result: TrainResult, backbone: Backbone) -> EncoderConfig:
    """The shape of the network that training left behind: the backbone's, but for the sizes in `result.meta["shape"]`.

    Raises:
        UnsupportedModel: the backbone itself cannot be read.
    """
    return replace(read_config(backbone.folder), **result.meta.get("shape", {}))


def narrowed(config: EncoderConfig, *, width: float) -> EncoderConfig:
    """The shape with a share `width` in (0, 1) of the heads and units of each layer, at least one head."""
    n_heads = max(1, round(width * config.n_heads))
    n_ffn = min(config.n_ffn, max(1, round(width * config.n_ffn / UNIT_STEP)) * UNIT_STEP)
    return replace(config, n_heads=n_heads, n_ffn=n_ffn)

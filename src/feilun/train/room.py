"""Whether memory and disk are enough for a rung, from a model of what it holds; known before anything is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from feilun.config import FeilunSettings
from feilun.errors import FeilunError
from feilun.models import EncoderConfig, read_config
from feilun.models.layout import TOKENIZER
from feilun.network.machine import MB, disk_left_mb, memory_left_mb
from feilun.records import Backbone, Need
from feilun.tasks import Task
from feilun.train.rows import TrainingRows
from feilun.train.session import learning_rungs

BASE_MB, TORCH_MB = 250.0, 350.0
"""A process of ours with its libraries, and what torch adds (measured)."""
SHIPPING_COPIES = 4.2
"""While the graph that ships is made and compared, the backbone is in memory so often: file, graph, bytes, session
(measured on networks of 90 to 470 MB)."""
TOKENIZER_COPIES = 12.0
"""A tokenizer takes so many times the size of its file (measured; it counts where that lists 250,000 pieces)."""
MAX_BATCH_TOKENS = 4096
ACTIVATIONS_MB = 512.0
"""The bounds that `network.batches` and `network.activations` keep; they need torch and so are not asked here."""
FULL_FROM = 0.7
"""From this share of what there is on, it is tight."""
CHARS_A_TOKEN = 2.0
"""Fewer characters make a token in Chinese, more in English: an estimate on the safe side."""


class NotEnoughRoom(FeilunError):
    """Memory or disk would run out in the middle of a turn."""

    code, kind = "train.not_enough_room", "unavailable"
    en = (
        "Training needs about {needs_mb} MB of {what}; {has_mb} MB are left. Free some, lower [backbone] max_tokens, "
        "or take a smaller [backbone] model."
    )
    zh = (
        "训练大约需要 {needs_mb} MB {what}，目前只剩 {has_mb} MB。请释放一些空间，或调低 [backbone] max_tokens，"
        "或换用更小的 [backbone] model。"
    )

    def message(self, lang: str | None = None) -> str:
        from feilun.errors import language

        chinese = (lang or language()) == "zh"
        words = {"memory": ("memory", "内存"), "disk": ("disk space", "磁盘空间")}
        template = self.zh if chinese else self.en
        return template.format(**{**self.fields, "what": words[self.fields["what"]][chinese]})


class Extent(NamedTuple):
    """How much there is to learn from, as far as memory and disk depend on it."""

    n_rows: int
    n_tokens: float


def extent_of(rows: TrainingRows, *, max_tokens: int) -> Extent:
    """Rows and about how many tokens they have, without tokenising them."""
    tokens = sum(min(max_tokens, 2 + len(text) / CHARS_A_TOKEN) for text in rows.texts)
    return Extent(len(rows.texts), tokens)


def verdict(needs: float, has: float) -> Literal["AMPLE", "TIGHT", "OVER"]:
    """OVER when it is not enough, TIGHT when little would be left, else AMPLE."""
    return "OVER" if needs > has else "TIGHT" if needs > FULL_FROM * has else "AMPLE"


def room_for(method: str, extent: Extent, backbone: Backbone, settings: FeilunSettings, *, folder: Path) -> list[Need]:
    """Memory and disk that a rung needs, beside what there is."""
    memory, disk = _needs_mb(method, extent, backbone, settings)
    left = {"memory": (memory, memory_left_mb()), "disk": (disk, disk_left_mb(folder))}
    return [
        Need(what=what, needs=round(needs, 1), has=round(has, 1), unit="MB", verdict=verdict(needs, has))
        for what, (needs, has) in left.items()
        if np.isfinite(has)
    ]


def check_room(
    rows: TrainingRows, backbone: Backbone, settings: FeilunSettings, *, task: Task, folder: Path
) -> dict[str, list[Need]]:
    """The needs of every rung that is switched on.

    Raises:
        NotEnoughRoom: not even the probe has room, or the disk would run full.
    """
    extent = extent_of(rows, max_tokens=settings.backbone.max_tokens)
    methods = ["probe", *learning_rungs(settings.train)]
    found = {method: room_for(method, extent, backbone, settings, folder=folder) for method in methods}
    for method, needs in found.items():
        for need in needs:
            if need.verdict == "OVER" and (method == "probe" or need.what == "disk"):
                raise NotEnoughRoom(what=need.what, needs_mb=round(need.needs), has_mb=round(need.has))
    return found


def _needs_mb(method: str, extent: Extent, backbone: Backbone, settings: FeilunSettings) -> tuple[float, float]:
    """Memory and disk in MB."""
    config = read_config(backbone.folder)
    backbone_mb = sum(path.stat().st_size for path in backbone.folder.glob("*.safetensors")) / MB
    embeddings_mb = 4 * extent.n_rows * config.n_hidden / MB
    bundle_mb = 1.5 * backbone_mb  # the float graph while the small one is made, and the small one
    packed_mb = 4 * config.n_layers * _layer_parameters(config) / MB  # onnxruntime lays dense weights out once more
    always_mb = BASE_MB + packed_mb + TOKENIZER_COPIES * (backbone.folder / TOKENIZER).stat().st_size / MB
    shipping = always_mb + SHIPPING_COPIES * backbone_mb
    memory = always_mb + 2 * backbone_mb + 3 * embeddings_mb
    if method == "probe":
        return max(memory, shipping), embeddings_mb + bundle_mb
    rung = getattr(settings.train, method)
    n_learning = config.n_layers - round(getattr(rung, "frozen_fraction", 0.0) * config.n_layers)
    layers_mb = 4 * n_learning * _layer_parameters(config) / MB
    stored_mb = 2 * extent.n_tokens * config.n_hidden / MB if n_learning < config.n_layers else 0.0
    batch_tokens = min(MAX_BATCH_TOKENS, rung.batch_size * extent.n_tokens / max(extent.n_rows, 1))
    batch_mb = 4 * batch_tokens * n_learning * (30 * config.n_hidden + 4 * config.n_ffn) / MB
    fits_mb = settings.train.n_folds * layers_mb
    memory += TORCH_MB + 4 * layers_mb + fits_mb + batch_mb + min(stored_mb, ACTIVATIONS_MB)
    checkpoints_mb = fits_mb + 2 * 3 * layers_mb  # the running fit, and its successor beside it
    return max(memory, shipping + TORCH_MB), embeddings_mb + bundle_mb + checkpoints_mb + 2 * stored_mb


def _layer_parameters(config: EncoderConfig) -> int:
    return 4 * config.n_hidden**2 + 2 * config.n_hidden * config.n_ffn + 9 * config.n_hidden + config.n_ffn

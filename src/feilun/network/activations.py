"""The output of the frozen lower layers, computed once for every token of a corpus.

In memory when it is small, in a scratch file when it is not, recomputed batch by batch when even that is too much:
memory stays bounded whatever the number of rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from feilun.models import EncoderConfig
from feilun.network.batches import Corpus, Packed
from feilun.network.encoder import LayerStack, embed_tokens
from feilun.network.shards import Shards, key_of

IN_MEMORY_BYTES = 512 * 2**20
ON_DISK_BYTES = 16 * 2**30
DISK_SHARE = 0.25
"""A scratch file may take this share of the free disk at most."""
KEPT_BYTES = 256 * 2**20
"""Activations of so many bytes at most are kept for later turns: beyond, learning takes far longer than they do."""
BATCH_ROWS = 64


class Activations:
    """What the trained layers read: (n_tokens, n_hidden) for any batch, on the device, in float32.

    Stored in float16: the layers end in a norm, so values are of order one, and half precision keeps eleven bits,
    more than the bfloat16 products behind it use.
    """

    def __init__(
        self,
        corpus: Corpus,
        tensors: Mapping[str, np.ndarray],
        config: EncoderConfig,
        *,
        n_frozen: int,
        precision: torch.dtype,
        device: torch.device,
        scratch: Path,
        cache: Shards | None = None,
    ) -> None:
        self.corpus, self.tensors, self.config = corpus, tensors, config
        self.precision, self.device = precision, device
        self.frozen = LayerStack(config, first=0, last=n_frozen).load(tensors).to(device).requires_grad_(False)
        self.scratch, self.n_frozen, self.cache = scratch, n_frozen, cache
        self.store: np.ndarray | None = None
        self.path: Path | None = None

    def build(self, *, check: Callable[[], None] = lambda: None) -> Activations:
        """Compute and keep them all, if there is room; until then every batch is computed when it is taken.

        Args:
            check: called between batches; raises to stop.
        """
        shape = (len(self.corpus.ids), self.config.n_hidden)
        n_bytes = 2 * shape[0] * shape[1]
        if self.n_frozen > 0 and n_bytes <= IN_MEMORY_BYTES:
            self.store = np.empty(shape, dtype=np.float16)
        elif self.n_frozen > 0 and n_bytes <= min(ON_DISK_BYTES, DISK_SHARE * shutil.disk_usage(self.scratch).free):
            self.path = self.scratch / "activations.f16"
            self.store = np.memmap(self.path, dtype=np.float16, mode="w+", shape=shape)
        if self.store is not None:
            keys = self._keys() if self.cache is not None and n_bytes <= KEPT_BYTES else []
            known = self._recall(keys)
            missing = np.flatnonzero([key not in known for key in keys]) if keys else np.arange(len(self.corpus))
            for batch in self.corpus.in_order(missing, batch_size=BATCH_ROWS):
                check()
                self.store[batch.token_index] = self._compute(batch)[: len(batch.token_index)].cpu().numpy()
            if keys and self.cache is not None:
                fresh = {keys[row]: row for row in missing}
                starts = self.corpus.starts
                self.cache.save(list(fresh), [self.store[starts[r] : starts[r + 1]] for r in fresh.values()])
        return self

    def _keys(self) -> list[bytes]:
        starts, ids = self.corpus.starts, self.corpus.ids
        return [key_of(ids[starts[row] : starts[row + 1]].tobytes()) for row in range(len(self.corpus))]

    def _recall(self, keys: list[bytes]) -> set[bytes]:
        """Take what earlier turns kept; the keys of those rows."""
        if not keys or self.cache is None or self.store is None:
            return set()
        found = self.cache.load(set(keys))
        for row, key in enumerate(keys):
            if key in found:
                self.store[self.corpus.starts[row] : self.corpus.starts[row + 1]] = found[key]
        return set(found)

    def take(self, batch: Packed) -> Tensor:
        """(batch.n_padded, n_hidden): the activations of the batch's tokens, in packing order, then padding."""
        if self.store is None:
            return self._compute(batch)
        return self._padded(torch.from_numpy(self.store[batch.token_index]).to(self.device).float(), batch)

    def close(self) -> None:
        """Give memory and scratch file back."""
        self.store = None
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    @torch.no_grad()
    def _compute(self, batch: Packed) -> Tensor:
        index = batch.token_index
        x = torch.from_numpy(
            embed_tokens(self.tensors, self.corpus.ids[index], self.corpus.positions(index), self.config)
        )
        out: Tensor = self.frozen(self._padded(x.to(self.device), batch), batch.groups, precision=self.precision)
        return out

    @staticmethod
    def _padded(x: Tensor, batch: Packed) -> Tensor:
        return torch.nn.functional.pad(x, (0, 0, 0, batch.n_padded - len(x)))

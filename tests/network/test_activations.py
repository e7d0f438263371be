"""Activations of frozen layers are computed once over all turns."""

from __future__ import annotations

import numpy as np
import torch

from feilun.models import read_config, read_tensors
from feilun.network.activations import Activations
from feilun.network.batches import Corpus
from feilun.network.shards import Shards


class Counting(Activations):
    """Counts the rows whose frozen layers it runs."""

    n_computed = 0

    def _compute(self, batch):
        self.n_computed += len(batch.rows)
        return super()._compute(batch)


def _built(backbone, folder, rows: list[list[int]], *, space: str = "tiny") -> Counting:
    return Counting(
        Corpus(rows),
        read_tensors(backbone.folder),
        read_config(backbone.folder),
        n_frozen=1,
        precision=torch.float32,
        device=torch.device("cpu"),
        scratch=folder,
        cache=Shards(folder / "cache", (space,)),
    ).build()


def test_a_later_turn_computes_only_rows_it_has_not_seen(tmp_path, tiny_backbone):
    rows = [[2, 9, 3], [2, 11, 12, 3], [2, 9, 3]]
    first = _built(tiny_backbone, tmp_path, rows)
    assert first.n_computed == 3
    second = _built(tiny_backbone, tmp_path, [[2, 77, 78, 3], *rows])
    assert second.n_computed == 1
    np.testing.assert_array_equal(second.store[4:], first.store)
    assert _built(tiny_backbone, tmp_path, rows, space="another network").n_computed == 3

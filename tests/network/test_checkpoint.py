"""Checkpoints: whole or not at all, of one work only; a fit that goes on ends where it would have ended."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feilun.network.batches import Corpus
from feilun.network.checkpoint import Checkpoints
from feilun.network.loop import Bookmark, LoopSettings, optimise


def test_what_is_kept_is_found_again_and_other_work_throws_it_away(tmp_path):
    first = Checkpoints(tmp_path / "c", key="one")
    first.save("fold-1", {"logits": np.arange(3.0)}, {"epochs": 2})
    arrays, facts = Checkpoints(tmp_path / "c", key="one").find("fold-1")
    assert arrays["logits"].tolist() == [0, 1, 2]
    assert facts == {"epochs": 2}
    assert Checkpoints(tmp_path / "c", key="two").find("fold-1") is None
    assert Checkpoints(tmp_path / "c", key="two").names() == []


def test_a_damaged_checkpoint_is_as_good_as_none(tmp_path):
    kept = Checkpoints(tmp_path, key="one")
    kept.save("fold-1", {}, {"epochs": 2})
    (tmp_path / "fold-1.safetensors").write_bytes(b"rubbish")
    assert kept.find("fold-1") is None


class Killed(Exception):
    pass


@pytest.mark.parametrize("stop_at", [1, 4, 5, 9])
def test_a_fit_killed_anywhere_ends_with_the_same_weights(tmp_path, stop_at):
    def run(folder, *, stop: int | None) -> torch.Tensor:
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 2)
        optimiser = torch.optim.AdamW([{"params": list(network.parameters()), "lr": 0.1, "peak": 0.1}], fused=True)
        rng, corpus, seen = np.random.default_rng(1), Corpus([[1, 2]] * 10), []

        def loss(batch):
            seen.append(1)
            if len(seen) == stop:
                raise Killed
            x = torch.nn.functional.dropout(torch.ones(2, 3) * float(batch.rows.sum()), 0.5)
            return network(x).square().mean()

        optimise(
            loss,
            lambda: corpus.shuffled(np.arange(10), batch_size=2, rng=rng),
            optimiser,
            LoopSettings(epochs=2),
            n_batches=5,
            time_limit_s=1e9,
            bookmark=Bookmark(Checkpoints(folder, key="k"), "running", network=network, rng=rng, every_s=0),
        )
        return network.weight.detach()

    undisturbed = run(tmp_path / "a", stop=None)
    with pytest.raises(Killed):
        run(tmp_path / "b", stop=stop_at)
    assert torch.equal(run(tmp_path / "b", stop=None), undisturbed)

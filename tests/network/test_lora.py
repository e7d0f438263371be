"""Adapters: what peft makes of ours, and what ours makes of peft's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feilun.models import read_config, read_tensors
from feilun.network.batches import Corpus
from feilun.network.encoder import LayerStack, embed_tokens, pool
from feilun.network.lora import LoraShape, adapter_files, add_lora, merge_lora

SHAPE = LoraShape(rank=2, alpha=4, dropout=0.0, targets=("query", "key", "value", "dense"))
ROWS = [[2, 9, 40, 3], [2, 11, 12, 13, 14, 3], [2, 77, 3]]


def _layers(backbone, *, first: int) -> LayerStack:
    config = read_config(backbone.folder)
    return LayerStack(config, first=first, last=config.n_layers).load(read_tensors(backbone.folder))


def _shaken(layers: LayerStack) -> LayerStack:
    """Adapters that do something: both factors away from zero, as after training."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in layers.named_parameters():
            if ".lora_" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return layers


@torch.no_grad()
def _embeddings(backbone, layers: LayerStack, *, first: int) -> np.ndarray:
    config, tensors = read_config(backbone.folder), read_tensors(backbone.folder)
    corpus = Corpus(ROWS)
    below = LayerStack(config, first=0, last=first).load(tensors)
    out = np.empty((len(ROWS), config.n_hidden), dtype=np.float32)
    for batch in corpus.in_order(np.arange(len(ROWS)), batch_size=8):
        x = embed_tokens(tensors, corpus.ids[batch.token_index], corpus.positions(batch.token_index), config)
        x = torch.nn.functional.pad(torch.from_numpy(x), (0, 0, 0, batch.n_padded - len(x)))
        y = layers(below(x, batch.groups, precision=torch.float32), batch.groups, precision=torch.float32)
        out[batch.rows] = pool(y, batch.groups, pooling="mean").numpy()
    return out


def test_a_new_adapter_changes_nothing_and_only_adapters_learn(tiny_backbone):
    plain = _embeddings(tiny_backbone, _layers(tiny_backbone, first=1), first=1)
    layers = _layers(tiny_backbone, first=1)
    state = torch.random.get_rng_state()
    add_lora(layers, SHAPE, backbone="tiny", seed=0)
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_allclose(_embeddings(tiny_backbone, layers, first=1), plain, atol=1e-6)
    assert {name for name, p in layers.named_parameters() if p.requires_grad} == {
        name for name, _ in layers.named_parameters() if ".lora_" in name
    }


def test_merged_layers_are_plain_ones_that_compute_the_same(tiny_backbone):
    layers = _layers(tiny_backbone, first=0)
    add_lora(layers, SHAPE, backbone="tiny", seed=0)
    before = _embeddings(tiny_backbone, _shaken(layers), first=0)
    merge_lora(layers)
    assert set(layers.tensors()) == set(_layers(tiny_backbone, first=0).tensors())
    np.testing.assert_allclose(_embeddings(tiny_backbone, layers, first=0), before, atol=1e-5)
    assert np.abs(before - _embeddings(tiny_backbone, _layers(tiny_backbone, first=0), first=0)).max() > 0.01


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks transformers for it
@pytest.mark.parametrize(
    ("family", "first"), [("tiny_backbone", 0), ("tiny_backbone", 1), ("tiny_mpnet", 1)], ids=["0", "1", "mpnet"]
)
def test_anyone_can_load_the_adapter_with_transformers_and_peft(tmp_path, request, family, first):
    from peft import PeftModel
    from transformers import AutoModel

    backbone = request.getfixturevalue(family)
    layers = _layers(backbone, first=first)
    config = add_lora(layers, SHAPE, backbone="tiny", seed=0)
    _shaken(layers)
    for name, content in adapter_files(layers, config).items():
        (tmp_path / name).write_bytes(content)
    merge_lora(layers)
    ours = _embeddings(backbone, layers, first=first)

    base = AutoModel.from_pretrained(backbone.folder, add_pooling_layer=False)
    model = PeftModel.from_pretrained(base, tmp_path).eval()
    theirs = []
    with torch.no_grad():
        for row in ROWS:
            hidden = model(input_ids=torch.tensor([row])).last_hidden_state
            theirs.append(torch.nn.functional.normalize(hidden.mean(dim=1), dim=-1)[0].numpy())
    np.testing.assert_allclose(ours, np.stack(theirs), atol=1e-5)

"""Our encoder against the reference implementation, and its packed attention against plain attention."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from feilun.models import read_config, read_tensors
from feilun.models.mpnet import N_BUCKETS
from feilun.network.activations import Activations
from feilun.network.attention import VECTOR, Group, packed_attention
from feilun.network.batches import Corpus
from feilun.network.encoder import LayerStack, embed_tokens, pool
from feilun.records import Backbone
from tests.conftest import write_tiny_bert

ROWS = [[2, 30, 31, 3], [2, 40, 3], [2, 30, 31, 3], [2, 50, 51, 52, 53, 54, 3], [2, 3], [*range(5, 195)]]


def _reference(folder, family: str, rows: list[list[int]]) -> np.ndarray:
    """Mean-pooled unit vectors of transformers' own model, one row at a time."""
    from transformers import BertModel, MPNetModel, XLMRobertaModel

    kinds = {"bert": BertModel, "mpnet": MPNetModel, "xlm-roberta": XLMRobertaModel}
    model = kinds[family].from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager").eval()
    with torch.no_grad():
        means = [model(torch.tensor([row])).last_hidden_state[0].mean(0) for row in rows]
    return torch.nn.functional.normalize(torch.stack(means), dim=-1).numpy()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", ["bert", "mpnet", "xlm-roberta"])
def test_packed_rows_give_what_the_reference_gives_row_by_row(tmp_path, family):
    write_tiny_bert(tmp_path, vocab_size=200, seed=3, family=family)
    config, tensors = read_config(tmp_path), read_tensors(tmp_path)
    corpus = Corpus(ROWS)
    batch = corpus.pack(np.arange(len(ROWS)))
    layers = LayerStack(config, first=0, last=config.n_layers).load(tensors)
    x = embed_tokens(tensors, corpus.ids[batch.token_index], corpus.positions(batch.token_index), config)
    with torch.no_grad():
        ours = pool(layers(torch.from_numpy(x), batch.groups, precision=torch.float32), batch.groups, pooling="mean")
    assert sorted(batch.rows) == list(range(len(ROWS)))
    np.testing.assert_allclose(ours.numpy(), _reference(tmp_path, family, [ROWS[r] for r in batch.rows]), atol=2e-6)


@pytest.mark.parametrize("by_distance", [False, True], ids=["without distances", "scores by distance"])
@pytest.mark.parametrize("long", [VECTOR - 1, VECTOR, 40], ids=["short rows", "rows of a vector", "long rows"])
def test_gradients_of_packed_attention_are_those_of_plain_attention(long, by_distance):
    torch.manual_seed(0)
    groups, n_heads, width = (Group(2, 3), Group(1, long)), 2, 4
    end = 6 + long
    qkv = torch.randn(end + 2, 3 * n_heads * width, requires_grad=True)  # two tokens of padding at the end
    upstream = torch.randn(end + 2, n_heads * width)
    upstream[end:] = 0
    table = torch.randn(N_BUCKETS, n_heads) if by_distance else torch.zeros(N_BUCKETS, n_heads)
    ours = packed_attention(qkv, groups, n_heads=n_heads, relative_bias=table if by_distance else None)
    (mine,) = torch.autograd.grad((ours * upstream).sum(), qkv)

    plain = []
    for start, stop in [(0, 3), (3, 6), (6, end)]:
        q, k, v = qkv[start:stop].view(stop - start, 3, n_heads, width).permute(1, 2, 0, 3)
        places = torch.arange(stop - start)
        bias = table[MPNetEncoder.relative_position_bucket(places[None] - places[:, None])].permute(2, 0, 1)
        mixed = torch.softmax(q @ k.transpose(-1, -2) / width**0.5 + bias, dim=-1) @ v
        plain.append(mixed.transpose(0, 1).reshape(stop - start, -1))
    theirs = torch.cat([*plain, torch.zeros(2, n_heads * width)])
    (expected,) = torch.autograd.grad((theirs * upstream).sum(), qkv)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(mine, expected)


def test_changed_tensors_carry_the_names_of_the_file_they_came_from(tiny_backbone: Backbone):
    config, tensors = read_config(tiny_backbone.folder), read_tensors(tiny_backbone.folder)
    upper = LayerStack(config, first=1, last=config.n_layers).load(tensors).tensors()
    assert set(upper) == {name for name in tensors if name.startswith("encoder.layer.1.")}
    for name, value in upper.items():
        np.testing.assert_array_equal(value, tensors[name])


@pytest.mark.parametrize("where", ["memory", "disk", "nowhere"])
def test_activations_are_the_same_wherever_they_are_kept(tmp_path, tiny_backbone: Backbone, monkeypatch, where):
    config, tensors = read_config(tiny_backbone.folder), read_tensors(tiny_backbone.folder)
    corpus = Corpus(ROWS)
    if where != "memory":
        monkeypatch.setattr("feilun.network.activations.IN_MEMORY_BYTES", 0)
    if where == "nowhere":
        monkeypatch.setattr("feilun.network.activations.ON_DISK_BYTES", 0)
    kept = Activations(
        corpus, tensors, config, n_frozen=1, precision=torch.float32, device=torch.device("cpu"), scratch=tmp_path
    ).build()
    assert (tmp_path / "activations.f16").exists() == (where == "disk")
    batch = corpus.pack(np.array([3, 0]))
    x = embed_tokens(tensors, corpus.ids[batch.token_index], corpus.positions(batch.token_index), config)
    with torch.no_grad():
        fresh = LayerStack(config, first=0, last=1).load(tensors)(
            torch.from_numpy(x), batch.groups, precision=torch.float32
        )
    taken = kept.take(batch)
    assert taken.shape[0] == batch.n_padded
    torch.testing.assert_close(taken[: len(fresh)], fresh, atol=4e-3, rtol=2e-3)  # float16 keeps eleven bits
    kept.close()
    assert not (tmp_path / "activations.f16").exists()


def test_a_tokenizer_that_gives_nothing_still_makes_a_row():
    corpus = Corpus([[], [5, 6]])
    batch = corpus.pack(np.array([0, 1]))
    assert sum(group.n_rows * group.length for group in batch.groups) == len(batch.token_index) == 3


def test_every_row_is_in_one_batch_of_an_epoch_and_long_rows_make_small_batches():
    rng = np.random.default_rng(0)
    corpus = Corpus([list(range(n)) for n in rng.integers(1, 40, 300)] + [list(range(500)) for _ in range(20)])
    batches = list(corpus.shuffled(np.arange(320), batch_size=32, rng=rng))
    assert sorted(np.concatenate([b.rows for b in batches])) == list(range(320))
    assert max(len(b.rows) for b in batches) <= 32
    assert max(len(b.token_index) for b in batches) <= 4096
    for b in batches:  # tokens lie where the groups say
        lengths = [g.length for g in b.groups for _ in range(g.n_rows)]
        assert lengths == corpus.lengths[b.rows].tolist()


def test_thinned_rows_keep_their_ends_and_their_tokens_keep_their_places():
    corpus = Corpus([list(range(10 * r, 10 * r + 10)) for r in range(50)])
    thin = corpus.thinned(0.3, rng=np.random.default_rng(0))
    batch = thin.pack(np.arange(50))
    assert 0.6 < len(batch.token_index) / 500 < 0.85
    tokens = iter(corpus.ids[batch.token_index])
    for row, length in zip(batch.rows, [g.length for g in batch.groups for _ in range(g.n_rows)], strict=True):
        seen = [int(next(tokens)) for _ in range(length)]
        assert (seen[0], seen[-1]) == (10 * row, 10 * row + 9)
        assert seen == sorted(set(seen))
        assert set(seen) <= set(range(10 * row, 10 * row + 10))
    positions = corpus.positions(batch.token_index)
    np.testing.assert_array_equal(positions, corpus.ids[batch.token_index] % 10)
    assert corpus.thinned(0.0, rng=np.random.default_rng(0)).ids.tolist() == corpus.ids.tolist()


def test_the_shape_comes_from_the_config_of_the_backbone(tmp_path):
    write_tiny_bert(tmp_path, vocab_size=50, seed=0)
    raw = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert len(LayerStack(read_config(tmp_path), first=0, last=raw["num_hidden_layers"]).layers()) == 2

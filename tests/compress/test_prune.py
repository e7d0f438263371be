"""A narrower network keeps the heads and units that do most, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feilun.compress.distil import cut_layers
from feilun.compress.export import export_float, read_network
from feilun.compress.prune import Importance, cut_width, weigh
from feilun.compress.quantise import METHODS, quantise
from feilun.compress.students import narrowed
from feilun.models import Encoder
from feilun.models.mpnet import RELATIVE
from tests.bundles import MESSAGES, network_of

TEXTS = [text for texts in MESSAGES.values() for text in texts]
QUERY, MIXED, INNER, OUT = (
    f"encoder.layer.{{}}.{part}.weight"
    for part in ("attention.self.query", "attention.output.dense", "intermediate.dense", "output.dense")
)


@pytest.fixture(params=["tiny_backbone", "tiny_mpnet"], ids=["bert", "mpnet"])
def backbone(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def teacher(tmp_path, backbone):
    return read_network(network_of(tmp_path / "train", backbone), backbone)


@pytest.fixture
def reader(backbone):
    def run(model):
        return Encoder(model.SerializeToString(), backbone.folder / "tokenizer.json", max_tokens=32)

    return run


def silenced(network, *, heads: list[int], units: list[int]):
    """The network with these heads and units of every layer computing, but unheard."""
    tensors = dict(network.tensors)
    for layer in range(network.config.n_layers):
        for name, columns in (
            (MIXED, [head * network.config.head_width + i for head in heads for i in range(network.config.head_width)]),
            (OUT, units),
        ):
            tensors[name.format(layer)] = tensors[name.format(layer)].copy()
            tensors[name.format(layer)][:, columns] = 0
    return replace(network, tensors=tensors)


HEADS, UNITS = [1, 2], list(range(0, 64, 4))


def ones_but(n_layers: int, n: int, low: list[int]) -> np.ndarray:
    scores = np.ones((n_layers, n))
    scores[:, low] = 0.5
    return scores


@pytest.mark.parametrize("method", [None, *METHODS])
def test_a_network_without_its_silent_heads_and_units_says_the_same(teacher, reader, method):
    quiet, config = silenced(teacher, heads=HEADS, units=UNITS), teacher.config
    importance = Importance(heads=ones_but(2, config.n_heads, HEADS), units=ones_but(2, config.n_ffn, UNITS))
    slim = cut_width(quiet, importance, n_heads=config.n_heads - len(HEADS), n_ffn=config.n_ffn - len(UNITS))
    assert (slim.config.n_heads, slim.config.n_ffn, slim.config.n_mixed, slim.config.n_hidden) == (2, 48, 16, 32)
    whole, small = (export_float(network) for network in (quiet, slim))
    if method is not None:
        quantise(whole, method=method)
        quantise(small, method=method)
    assert small.ByteSize() < whole.ByteSize()
    expected, got = (reader(model).run(TEXTS) for model in (whole, small))
    # In eight bits the silent parts have a say in the scales, so the two round differently.
    np.testing.assert_allclose(got[0], expected[0], atol=1e-5 if method is None else 0.03)
    if method is None:
        np.testing.assert_allclose(got[1], expected[1], atol=1e-4)


def test_torch_reads_a_narrow_network_as_its_graph_does(teacher, reader):
    torch = pytest.importorskip("torch")
    from feilun.compress.bare import BareNetwork

    importance = Importance(heads=ones_but(2, 4, HEADS), units=ones_but(2, 64, UNITS))
    slim = cut_width(teacher, importance, n_heads=2, n_ffn=48)
    encoder = reader(export_float(slim))
    bare = BareNetwork(slim, [encoder.tokenise(text) for text in TEXTS])
    batch = bare.corpus.pack(np.arange(len(TEXTS)))
    bare.precision = torch.float32
    with torch.no_grad():
        got = bare.embed(batch).numpy()
    np.testing.assert_allclose(got, encoder.run(TEXTS)[0][batch.rows], atol=2e-5)


def test_what_is_never_heard_weighs_nothing_and_goes_first(teacher, reader):
    pytest.importorskip("torch")
    quiet, encoder = silenced(teacher, heads=HEADS, units=UNITS), reader(export_float(teacher))
    token_ids = [encoder.tokenise(text) for text in TEXTS]
    importance = weigh(quiet, token_ids, seed=0)
    assert (importance.heads[:, HEADS] == 0).all() and (importance.units[:, UNITS] == 0).all()
    loud_heads, loud_units = np.delete(importance.heads, HEADS, axis=1), np.delete(importance.units, UNITS, axis=1)
    assert (loud_heads > 0).all() and (loud_units > 0).mean() > 0.99
    slim = cut_width(quiet, importance, n_heads=2, n_ffn=48)
    expected, got = (reader(export_float(network)).run(TEXTS)[0] for network in (quiet, slim))
    np.testing.assert_allclose(got, expected, atol=1e-5)
    again = weigh(quiet, token_ids, seed=0)
    np.testing.assert_array_equal(again.heads, importance.heads)
    np.testing.assert_array_equal(again.units, importance.units)


def test_kept_heads_stay_whole_and_in_order(teacher):
    importance = Importance(heads=np.array([[3, 1, 2, 4], [1, 2, 3, 4.0]]), units=np.tile(np.arange(64.0), (2, 1)))
    slim = cut_width(teacher, importance, n_heads=2, n_ffn=16)
    rows = [*range(8), *range(24, 32)]  # heads 0 and 3 of the lowest layer
    np.testing.assert_array_equal(slim.tensors[QUERY.format(0)], teacher.tensors[QUERY.format(0)][rows])
    np.testing.assert_array_equal(slim.tensors[MIXED.format(1)], teacher.tensors[MIXED.format(1)][:, 16:])
    np.testing.assert_array_equal(slim.tensors[INNER.format(0)], teacher.tensors[INNER.format(0)][48:])
    np.testing.assert_array_equal(slim.tensors[OUT.format(1)], teacher.tensors[OUT.format(1)][:, 48:])
    for layer, heads in ((0, [0, 3]), (1, [2, 3])) if teacher.config.n_buckets else ():
        kept = slim.tensors[f"encoder.layer.{layer}.{RELATIVE}"]
        np.testing.assert_array_equal(kept, teacher.tensors[f"encoder.layer.{layer}.{RELATIVE}"][:, heads])
    changed = {name for name in slim.tensors if slim.tensors[name] is not teacher.tensors[name]}
    assert not any("LayerNorm" in name or name.startswith("embeddings") for name in changed)


@pytest.mark.parametrize(
    ("width", "n_heads", "n_ffn"), [(0.5, 2, 32), (0.25, 1, 16), (0.01, 1, 16), (0.8, 3, 48), (0.999, 4, 64)]
)
def test_a_width_is_a_share_of_heads_and_of_units_in_sixteens(teacher, width, n_heads, n_ffn):
    slim = narrowed(teacher.config, width=width)
    assert (slim.n_heads, slim.n_ffn) == (n_heads, n_ffn)
    assert replace(slim, n_heads=4, n_ffn=64) == teacher.config


def test_fewer_layers_and_narrower_ones_go_together(teacher, reader):
    importance = Importance(heads=ones_but(2, 4, HEADS), units=ones_but(2, 64, UNITS))
    both = cut_layers(cut_width(teacher, importance, n_heads=2, n_ffn=48), n_layers=1)
    assert both.shape == {"n_layers": 1, "n_heads": 2, "n_ffn": 48}
    assert np.isfinite(reader(export_float(both)).run(TEXTS)[1]).all()

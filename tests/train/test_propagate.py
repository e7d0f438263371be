"""Messages without labels: labels reach them, they vote, and the graph that ships says the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from feilun.compress.export import export_float, read_network
from feilun.models import Encoder
from feilun.models.neighbours import Neighbours, neighbours_in
from feilun.records import Example
from feilun.train.spread import neighbours_from, spread
from tests.train.conftest import MANY, dataset_of, examples_of

ENDINGS = ("today", "now", "again", "soon", "please help", "in the shop", "at home", "for me", "by card", "this week")
QUICK = {"n_folds": 3, "probe": {"c": [10.0]}}


def _pool(n: int = 120):
    """Messages like those of MANY, without their labels."""
    words = {label: texts[0].split()[-1] for label, texts in MANY.items()}
    texts = [f"{text} {words[label]} {ending}" for ending in ENDINGS for label, many in MANY.items() for text in many]
    return tuple(Example(f"u{i}", {"text": text}, None, "pool.csv", row=i) for i, text in enumerate(texts[:n]))


def _line(result, method: str = "propagate"):
    return next(line for line in result.leaderboard if line.method == method)


def _circle(*degrees: float) -> np.ndarray:
    return np.array([[np.cos(np.radians(d)), np.sin(np.radians(d))] for d in degrees], dtype=np.float32)


def test_a_label_walks_along_a_chain_but_not_over_a_gap():
    chain = [*range(0, 90, 6), *range(180, 270, 6)]
    points = _circle(0, 180, *chain[1:])
    votes = spread(points, np.eye(2, dtype=np.float32))
    assert votes[:2].tolist() == [[1, 0], [0, 1]]
    assert (votes[2:16].argmax(axis=1) == 0).all()
    assert (votes[16:].argmax(axis=1) == 1).all()
    np.testing.assert_allclose(votes.sum(axis=1), 1, atol=1e-5)


def test_messages_out_of_scope_vote_for_nothing_and_so_do_those_around_them():
    known, unknown = _circle(0, 120, 240), _circle(2, 4, 122, 124, 242, 244)
    targets = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32)
    votes = neighbours_from(known, targets, unknown).votes
    assert votes[2].tolist() == [0, 0]
    assert votes[[7, 8]].max() < votes[3].max() / 2


def test_far_from_every_point_the_head_decides_alone():
    neighbours = Neighbours.of(_circle(0, 10), np.eye(2), centre=np.zeros(2))
    near, far = neighbours.logits(_circle(1, 180))
    assert near[0] > near[1]
    assert far[0] == pytest.approx(far[1])


def test_unlabelled_messages_are_used_and_the_graph_that_ships_asks_them_too(run_train, tiny_backbone):
    data = replace(dataset_of(examples_of(MANY)), unlabelled=_pool())
    result = run_train(data, train={**QUICK, "tune": {"epochs": 2, "min_updates": 0, "learning_rate": 1e-3}})
    line = _line(result)
    assert line.status == "done"
    assert line.params["n_unlabelled"] == 120
    network = read_network(result, tiny_backbone)
    texts = [example.inputs["text"] for example in _pool()]
    graph = export_float(network).SerializeToString()
    encoder = Encoder(graph, tiny_backbone.folder / "tokenizer.json", max_tokens=32, prefix="")
    embeddings, logits = encoder.run(texts)
    expected = embeddings @ network.head[0].T + network.head[1]
    if line.chosen:
        assert network.neighbours is not None
        assert len(network.neighbours.points) == 120 + 30 + 3
        expected += network.neighbours.logits(embeddings)
    else:
        assert network.neighbours is None
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_the_graph_of_any_neighbours_gives_what_they_say(run_train, tiny_backbone):
    result = run_train(train={**QUICK, "tune": {"enabled": False}})
    network = read_network(result, tiny_backbone)
    rng = np.random.default_rng(0)
    votes = rng.dirichlet(np.ones(3), size=40)
    points = rng.normal(size=(40, network.head[0].shape[1])).astype(np.float32)
    neighbours = Neighbours.of(points, votes, centre=points.mean(axis=0))
    assert neighbours_in(neighbours.arrays()) is not None
    graph = export_float(replace(network, neighbours=neighbours)).SerializeToString()
    encoder = Encoder(graph, tiny_backbone.folder / "tokenizer.json", max_tokens=32, prefix="")
    embeddings, logits = encoder.run(["refund my order", "parcel", "我要退款"])
    expected = embeddings @ network.head[0].T + network.head[1] + neighbours.logits(embeddings)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_the_same_seed_gives_the_same_neighbours(run_train):
    data = replace(dataset_of(examples_of(MANY)), unlabelled=_pool())
    first, again = (
        load_file(
            run_train(data, folder=name, train={**QUICK, "tune": {"enabled": False}}).folder / "network.safetensors"
        )
        for name in ("first", "again")
    )
    assert first.keys() == again.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])


def test_held_out_and_labelled_messages_are_never_in_the_pool(run_train):
    pool = _pool(110)
    judged = tuple(replace(example, target=("refund",), example_id=f"h{i}") for i, example in enumerate(pool[:20]))
    data = replace(dataset_of(examples_of(MANY)), unlabelled=pool, holdout=judged)
    line = _line(run_train(data, train={**QUICK, "tune": {"enabled": False}}))
    assert line.status == "skipped"
    assert "there are 90" in line.note_en
    assert "现有 90 条" in line.note_zh


def test_messages_with_several_labels_are_left_out_with_a_reason(run_train):
    data = replace(dataset_of(examples_of(MANY)), unlabelled=_pool())
    result = run_train(data, task={"multi_label": True}, train={**QUICK, "tune": {"enabled": False}})
    assert _line(result).status == "skipped"
    assert "one of them" in _line(result).note_en


def test_it_can_be_switched_off_and_is_not_spoken_of_without_messages(run_train):
    data = dataset_of(examples_of(MANY))
    off = {**QUICK, "tune": {"enabled": False}, "propagate": {"enabled": False}}
    for given, settings in ((replace(data, unlabelled=_pool()), off), (data, {**QUICK, "tune": {"enabled": False}})):
        methods = [line.method for line in run_train(given, train=settings).leaderboard]
        assert "propagate" not in methods

"""A batch asks about what the model does not know, once each; every strategy keeps its own promise."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.feedback import STRATEGIES, Pool, choose, explain
from feilun.feedback.choosing import _greedy_cover, doubt, spread
from feilun.feedback.errors import UnknownStrategy


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def made(sizes: dict[int, int], *, sure: set[int] = frozenset(), labelled: tuple[int, ...] = (), seed: int = 0) -> Pool:
    """Topics as corners of a cube: `sizes` messages around each, answered surely for the topics in `sure`."""
    rng = np.random.default_rng(seed)
    topics = np.repeat(list(sizes), list(sizes.values()))
    around = unit(np.eye(16)[topics] + 0.15 * rng.standard_normal((len(topics), 16)))
    probs = np.where(np.isin(topics, list(sure))[:, None], [0.97, 0.02, 0.01], [0.36, 0.33, 0.31]).astype(np.float32)
    corners = unit(np.eye(16)[list(labelled)]) if labelled else np.zeros((0, 16), np.float32)
    return Pool(around, probs, corners, np.eye(3, dtype=np.float32)[[0] * len(labelled)].reshape(-1, 3))


def topics_of(pool: Pool, picked: np.ndarray) -> list[int]:
    return [int(row) for row in pool.embeddings[picked].argmax(axis=1)]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("labelled", [(), (0, 1)], ids=["nothing-labelled", "some-labelled"])
def test_every_strategy_gives_as_many_different_rows_as_asked_and_the_same_again(strategy, labelled):
    pool = made({0: 20, 1: 15, 2: 9}, labelled=labelled)
    for n in (0, 1, 7, 44, 60):
        picked = choose(pool, n, strategy=strategy, seed=3)
        assert len(set(picked.tolist())) == len(picked) == min(n, 44)
        assert picked.tolist() == choose(pool, n, strategy=strategy, seed=3).tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_messages_and_a_single_message_are_no_trouble(strategy):
    same = np.repeat(unit(np.ones((1, 4))), 6, axis=0)
    pool = Pool(same, np.full((6, 2), 0.5, np.float32), same[:2], np.eye(2, dtype=np.float32))
    assert sorted(choose(pool, 6, strategy=strategy)) == list(range(6))
    one = Pool(same[:1], pool.probs[:1], same[:0], pool.targets[:0])
    assert choose(one, 3, strategy=strategy).tolist() == [0]


def test_auto_asks_once_about_each_thing_in_doubt_and_the_largest_first():
    pool = made({0: 40, 1: 25, 2: 12, 3: 60}, sure={3})
    assert topics_of(pool, choose(pool, 3, strategy="auto")) == [0, 1, 2]


def test_auto_passes_over_what_is_labelled_already():
    pool = made({0: 40, 1: 25, 2: 12}, labelled=(0,))
    assert topics_of(pool, choose(pool, 2, strategy="auto")) == [1, 2]


def test_auto_asks_the_middle_of_a_thing_not_its_fringe():
    pool = made({0: 60})
    picked = choose(pool, 1, strategy="auto")[0]
    middle = pool.embeddings.mean(axis=0)
    assert (pool.embeddings @ middle).argsort().argsort()[picked] >= 50  # among the sixth nearest to the middle


def test_margin_and_entropy_ask_what_the_model_is_torn_about():
    probs = np.array([[0.9, 0.1, 0.0], [0.5, 0.49, 0.01], [0.4, 0.31, 0.29]], np.float32)
    pool = Pool(unit(np.eye(3)), probs, np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32))
    assert choose(pool, 3, strategy="margin").tolist() == [1, 2, 0]
    assert choose(pool, 3, strategy="entropy").tolist() == [2, 1, 0]


def test_typical_takes_one_from_each_large_group_without_a_label():
    pool = made({0: 40, 1: 25, 2: 12}, labelled=(0,))
    assert topics_of(pool, choose(pool, 2, strategy="typical")) == [1, 2]


def test_diverse_takes_the_farthest_from_all_that_is_labelled():
    pool = made({0: 5, 1: 5, 2: 5}, labelled=(0,))
    assert set(topics_of(pool, choose(pool, 2, strategy="diverse"))) == {1, 2}


def test_disagreement_asks_where_the_neighbours_say_otherwise():
    pool = made({0: 4, 1: 4}, sure={0, 1}, labelled=(0, 1))
    said = Pool(pool.embeddings, pool.probs, pool.labelled, np.eye(3, dtype=np.float32)[[0, 2]])
    assert set(topics_of(said, choose(said, 4, strategy="disagreement"))) == {1}


def test_gradient_spreads_over_directions():
    pool = made({0: 30, 1: 30, 2: 30})
    assert len(set(topics_of(pool, choose(pool, 6, strategy="gradient", seed=1)))) == 3


def test_an_unknown_strategy_is_refused_with_those_that_exist():
    with pytest.raises(UnknownStrategy) as caught:
        choose(made({0: 3}), 1, strategy="magic")
    assert caught.value.fields == {"strategy": "magic", "known": ", ".join(STRATEGIES)}


def test_doubt_and_entropy_against_hand_computed_values():
    probs = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])
    assert doubt(probs) == pytest.approx([0.5, 1.0])
    assert doubt(np.array([[0.9, 0.4], [0.99, 0.05]]), exclusive=False) == pytest.approx([0.8, 0.1])
    assert spread(np.array([[0.5, 0.5]])) == pytest.approx([np.log(2)], abs=1e-9)
    assert spread(np.array([[0.5, 0.5]]), exclusive=False) == pytest.approx([2 * np.log(2)], abs=1e-9)


def test_the_lazy_cover_is_the_greedy_one():
    rng = np.random.default_rng(0)
    near, worth = rng.random((30, 50)).astype(np.float32) ** 3, rng.random(50).astype(np.float32)
    covered, plain = np.zeros(50, np.float32), []
    for _ in range(10):
        gains = np.maximum(near - covered, 0) @ worth
        gains[plain] = -1
        plain.append(int(gains.argmax()))
        covered = np.maximum(covered, near[plain[-1]])
    assert _greedy_cover(near, np.zeros(50, np.float32), worth, 10) == plain


# reasons


def reasons(pool: Pool, picked: list[int], **changed: object) -> list[list[str]]:
    told = {"labels": ("refund", "delivery", "thanks"), "similar_from": 0.7, "strategy": "auto"} | changed
    return [[why.code for why in one.why] for one in explain(pool, picked, **told)]


def test_a_reason_names_the_two_labels_and_how_many_messages_it_stands_for():
    pool = made({0: 3}, labelled=(0,) * 5)
    [said] = explain(pool, [0], labels=("退款", "物流", "谢谢"), similar_from=0.5, strategy="auto")
    assert said.n_similar == 2
    assert [why.code for why in said.why] == ["unsure", "typical"]
    assert said.why[0].en == "The model is unsure between '退款' (36%) and '物流' (33%)."
    assert said.why[0].zh == "模型在“退款”（36%）与“物流”（33%）之间拿不准。"
    assert said.why[1].zh == "它代表另外 2 条意思相近的消息。"


def test_what_is_unlike_anything_labelled_is_called_so():
    near = made({0: 30}, sure={0}, seed=1).embeddings
    pool = made({0: 1, 5: 1}, sure={0, 5})
    pool = Pool(pool.embeddings, pool.probs, near, np.eye(3, dtype=np.float32)[[0] * 30])
    assert reasons(pool, [0, 1]) == [["useful"], ["novel"]]


def test_neighbours_of_another_label_are_a_reason():
    pool = made({0: 1}, sure={0}, labelled=(0,) * 4)
    pool = Pool(pool.embeddings, pool.probs, pool.labelled, np.eye(3, dtype=np.float32)[[1] * 4])
    assert reasons(pool, [0]) == [["disagreement", "few_labels"]]


def test_what_was_drawn_by_lot_says_so_first():
    assert reasons(made({0: 2}), [0], strategy="random")[0][0] == "by_lot"


def test_a_label_that_may_or_may_not_apply_is_named_where_labels_do_not_compete():
    pool = Pool(
        unit(np.ones((1, 3))), np.array([[0.9, 0.45, 0.1]], np.float32), np.zeros((0, 3)), np.zeros((0, 3)), False
    )
    [said] = explain(pool, [0], labels=("a", "b", "c"), similar_from=0.9, strategy="auto")
    assert said.why[0].en == "The model is undecided whether 'b' applies (45%)."

from __future__ import annotations

import random

import pytest

from feilun.data.near import find_near, jaccard


def texts(n: int, *, seed: int) -> list[str]:
    """Messages in families: each a base with a few characters changed, in both languages."""
    rng = random.Random(seed)
    alphabet = "abcdefghij 我要退款物流发货订单"
    made: list[str] = []
    while len(made) < n:
        base = [rng.choice(alphabet) for _ in range(rng.randint(4, 60))]
        for _ in range(rng.randint(1, 3)):
            copy = list(base)
            for _ in range(rng.randint(0, 2)):
                copy[rng.randrange(len(copy))] = rng.choice(alphabet)
            made.append("".join(copy))
    return made[:n]


@pytest.mark.parametrize("threshold", [0.6, 0.9, 1.0])
def test_every_message_with_a_near_duplicate_is_found_as_by_comparing_all_pairs(threshold):
    messages = texts(150, seed=3)
    groups = [i % 2 for i in range(len(messages))]
    near = [
        (i, j)
        for i in range(len(messages))
        for j in range(i + 1, len(messages))
        if jaccard(messages[i], messages[j]) >= threshold
    ]
    found = find_near(messages, groups=groups, threshold=threshold)
    assert all(jaccard(messages[i], messages[j]) >= threshold for i, j in found.within + found.across)
    assert {i for pair in near if groups[pair[0]] != groups[pair[1]] for i in pair} == {
        i for pair in found.across for i in pair
    }
    within = [pair for pair in near if groups[pair[0]] == groups[pair[1]]]
    assert {i for pair in within for i in pair} == {i for pair in found.within for i in pair}


def test_punctuation_case_and_width_make_no_difference():
    assert jaccard("Where is my order?", "where is my ORDER!!") == 1.0
    assert jaccard("我要退款。", "我要退款！") == 1.0
    assert jaccard("！！", "？？") < 1.0


@pytest.mark.parametrize("messages", [[], ["alone"], ["a", "b"], ["👍", "👍👍"], ["", "a"]])
def test_tiny_inputs_are_no_trouble(messages):
    found = find_near(messages, groups=[0] * len(messages), threshold=0.9)
    assert (found.within, found.across) == ([], [])

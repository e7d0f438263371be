"""Which strength of regularisation the probe keeps."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.train.probe import _choose

RNG = np.random.default_rng(0)
BLOCKS = RNG.normal(0.5, 0.2, size=(3, 50))
NOISE = RNG.normal(0, 0.1, size=(3, 50))
NOISE -= NOISE.mean()


@pytest.mark.parametrize(
    ("strengths", "losses", "chosen"),
    [
        pytest.param([30, 10, 1], [BLOCKS, BLOCKS + 0.001 + NOISE, BLOCKS + 0.2], 10, id="a tie goes to the smaller"),
        pytest.param([30, 10, 1], [BLOCKS, BLOCKS + 0.1 + NOISE, BLOCKS + 0.2], 30, id="a lead beyond noise counts"),
        pytest.param([1, 30], [BLOCKS + 0.05 + NOISE, BLOCKS], 30, id="the order of trying does not matter"),
        pytest.param([30, 10], [BLOCKS, None], 30, id="what was not judged is not chosen"),
        pytest.param([30, 10], [None, None], 30, id="nothing judged: the first"),
        pytest.param([30, 10], [BLOCKS[:, :1], BLOCKS[:, :1]], 10, id="a single block, a plain tie"),
    ],
)
def test_the_smallest_strength_within_a_standard_error_of_the_best_is_kept(strengths, losses, chosen):
    assert strengths[_choose(strengths, losses)] == chosen

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from feilun.evaluate.paired import compare, mcnemar_exact, paired_difference


@pytest.mark.parametrize(("n_fixed", "n_broken"), [(0, 0), (0, 4), (5, 0), (8, 2), (71, 23), (300, 280)])
def test_the_exact_test_is_the_one_sided_binomial_test(n_fixed, n_broken):
    n = n_fixed + n_broken
    reference = binomtest(n_fixed, n, 0.5, alternative="greater").pvalue if n else 1.0
    assert mcnemar_exact(n_fixed, n_broken) == pytest.approx(reference)


@pytest.mark.parametrize(
    ("n_fixed", "n_broken", "n", "low", "high"),
    [(1, 7, 21, -0.517, -0.026), (6, 16, 161, -0.124, -0.005)],
    ids=["airway reactivity", "complete response"],
)
def test_tango_s_interval_gives_the_published_values(n_fixed, n_broken, n, low, high):
    """The two examples of Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33."""
    interval = paired_difference(n_fixed, n_broken, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-4)


triples = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300)).filter(lambda t: sum(t) > 0)


@given(triples)
def test_the_difference_lies_within_its_interval_and_mirrors_when_the_models_swap(triple):
    n_fixed, n_broken, n_same = triple
    n = n_fixed + n_broken + n_same
    forth, back = paired_difference(n_fixed, n_broken, n), paired_difference(n_broken, n_fixed, n)
    assert -1 <= forth.low <= forth.value <= forth.high <= 1
    assert forth.low < forth.high
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-6)


@given(st.integers(0, 80), st.integers(0, 80))
def test_one_more_fixed_row_never_makes_the_challenger_look_worse(n_fixed, n_broken):
    assert mcnemar_exact(n_fixed + 1, n_broken) <= mcnemar_exact(n_fixed, n_broken)
    assert paired_difference(n_fixed + 1, n_broken, 200).low >= paired_difference(n_fixed, n_broken, 200).low


def test_a_comparison_counts_what_was_fixed_and_broken():
    champion = np.array([1, 1, 0, 0, 0, 1], dtype=bool)
    challenger = np.array([1, 0, 1, 1, 0, 1], dtype=bool)
    found = compare(champion, challenger, champion_id="m1", metric="accuracy", level=0.95)
    assert (found.n_fixed, found.n_broken, found.n_rows) == (2, 1, 6)
    assert (found.champion, found.challenger) == (0.5, pytest.approx(4 / 6))
    assert found.difference.value == pytest.approx(1 / 6)
    assert found.p_value == pytest.approx(0.5)  # P(at least 2 heads of 3)

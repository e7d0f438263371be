"""The guard ends what is worse, and of what is not worse it ends no more than it says, however often it looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from feilun.release import Outcomes, evidence
from feilun.release.guard import PRIOR_SPREAD, has_enough

LEVEL = 0.05
N_RUNS = 1000
LOOKS = range(100, 1501, 100)  # messages after which the guard looks


def outcomes(n, bad) -> Outcomes:
    return Outcomes(np.asarray(n, float), np.asarray(bad, float))


def alarms(rng, *, share: float, before: float, worse: float, n_users: int = 0, alike: float = 0.0) -> tuple[int, int]:
    """How many of N_RUNS canaries were ended, and the messages after which half of those were.

    Every message comes from somebody else; or from one of n_users, some of whom write far more than others, whose
    messages have the intraclass correlation `alike`. The guard looks after every 100 messages.
    """
    n_all = LOOKS[-1]
    weight = 1 / np.arange(1, n_users + 1) ** 0.5
    ended = []
    for _ in range(N_RUNS):
        is_challenged = rng.random(n_users or n_all) < share
        rate = np.where(is_challenged, worse, before)
        if alike:
            rate = rng.beta(rate * (1 / alike - 1), (1 - rate) * (1 / alike - 1))
        who = rng.choice(n_users, n_all, p=weight / weight.sum()) if n_users else np.arange(n_all)
        bad = rng.random(n_all) < rate[who]
        for seen in LOOKS:
            n = np.bincount(who[:seen], minlength=len(rate))
            went_wrong = np.bincount(who[:seen], weights=bad[:seen], minlength=len(rate))
            parts = (is_challenged & (n > 0), ~is_challenged & (n > 0))
            ours, theirs = (outcomes(n[part], went_wrong[part]) for part in parts)
            is_enough = all(has_enough(one, min_messages=50) for one in (ours, theirs))
            if is_enough and evidence(ours, theirs, tolerance=0.0) >= 1 / LEVEL:
                ended.append(seen)
                break
    return len(ended), int(np.median(ended)) if ended else 0


@pytest.mark.parametrize(
    ("share", "rate", "n_users", "alike"),
    [(0.5, 0.2, 0, 0.0), (0.1, 0.03, 0, 0.0), (0.3, 0.2, 300, 0.2)],
    ids=["strangers", "a small canary and a rare mistake", "few users, each alike"],
)
def test_of_canaries_that_are_no_worse_no_more_are_ended_than_the_level_says(share, rate, n_users, alike):
    rng = np.random.default_rng(7)
    n_ended, _ = alarms(rng, share=share, before=rate, worse=rate, n_users=n_users, alike=alike)
    assert n_ended <= LEVEL * N_RUNS


def test_a_test_that_is_made_for_one_look_would_end_far_more():
    """What the guard is there for: the same data, looked at with a t-test, would raise the alarm too often."""
    rng = np.random.default_rng(7)
    n_ended, n_runs = 0, 300
    for _ in range(n_runs):
        bad, is_challenged = rng.random(LOOKS[-1]) < 0.2, rng.random(LOOKS[-1]) < 0.5
        for seen in LOOKS:
            ours, theirs = bad[:seen][is_challenged[:seen]], bad[:seen][~is_challenged[:seen]]
            variance = ours.var() / len(ours) + theirs.var() / len(theirs)
            if (ours.mean() - theirs.mean()) / math.sqrt(variance) > 1.645:
                n_ended += 1
                break
    assert n_ended > 2 * LEVEL * n_runs


def test_worse_canaries_are_ended_and_the_worse_the_sooner():
    rng = np.random.default_rng(7)
    some, soon = alarms(rng, share=0.2, before=0.2, worse=0.35)
    all_, sooner = alarms(rng, share=0.2, before=0.2, worse=0.6)
    assert some > 0.9 * N_RUNS and all_ == N_RUNS
    assert sooner < soon


def test_the_evidence_is_the_likelihood_ratio_that_it_says_it_is():
    """Against a numerical integral over the mixture: half a normal distribution of differences above the tolerance."""
    ours, theirs = outcomes([1] * 200, [1] * 70 + [0] * 130), outcomes([2] * 150, [1] * 80 + [0] * 70)
    share, variance = [], 0.0
    for one in (ours, theirs):
        n, bad = np.append(one.n, 2), np.append(one.bad, 1)
        share.append(bad.sum() / n.sum())
        variance += ((bad - share[-1] * n) ** 2).sum() * len(n) / (len(n) - 1) / n.sum() ** 2
    seen = share[0] - share[1] - 0.02
    beyond = np.linspace(0, 8 * PRIOR_SPREAD, 200_001)
    prior = 2 * np.exp(-((beyond / PRIOR_SPREAD) ** 2) / 2) / (PRIOR_SPREAD * math.sqrt(2 * math.pi))
    ratio = np.exp((seen**2 - (seen - beyond) ** 2) / (2 * variance))
    assert evidence(ours, theirs, tolerance=0.02) == pytest.approx(float(np.trapezoid(prior * ratio, beyond)), rel=1e-4)


def test_what_never_went_wrong_is_no_certainty_and_nothing_overflows():
    assert evidence(outcomes([1] * 30, [0] * 30), outcomes([1] * 300, [0] * 300), tolerance=0.0) < 1 / LEVEL
    assert evidence(outcomes([1], [1]), outcomes([1], [0]), tolerance=0.0) < 1 / LEVEL
    huge = evidence(outcomes([1] * 10**6, [1] * 10**6), outcomes([1] * 10**6, [0] * 10**6), tolerance=0.0)
    assert math.isfinite(huge) and huge > 1e100


def test_one_user_who_writes_a_lot_is_one_witness():
    """A hundred users each with the same share gone wrong say more than one who wrote it all."""
    many = evidence(outcomes([10] * 100, [4] * 100), outcomes([10] * 400, [2] * 400), tolerance=0.0)
    few = evidence(outcomes([10] * 99 + [400], [2] * 99 + [400]), outcomes([10] * 400, [2] * 400), tolerance=0.0)
    assert few < 1 / LEVEL < many

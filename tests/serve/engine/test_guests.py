"""Models that are asked by name now and then stay few, and do not stay for ever."""

from __future__ import annotations

from feilun.serve.engine import Guests


def test_one_too_many_sends_the_one_away_that_was_not_asked_for_the_longest(bundles):
    guests, (first, second) = Guests(most=1), bundles.items()
    loaded = guests.get(*first)
    assert guests.get(*first) is loaded and loaded.model_id == first[0]
    assert guests.get(*second).model_id == second[0]
    assert len(guests) == 1 and guests.get(*first) is not loaded


def test_those_that_nobody_asks_any_more_are_let_go(bundles):
    patient, hasty = Guests(idle_s=3600), Guests(idle_s=-1)
    for guests in (patient, hasty):
        guests.get(*next(iter(bundles.items())))
        guests.let_go()
    assert (len(patient), len(hasty)) == (1, 0)

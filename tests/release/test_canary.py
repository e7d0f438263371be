"""Lots are kept, shares are what was asked for, and a verdict says its numbers in both languages."""

from __future__ import annotations

import string
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from scipy.stats import binom

from feilun.config import ReleaseSettings
from feilun.records import Challenge
from feilun.release import draw, judge
from feilun.release.canary import TEXTS
from feilun.release.draw import N_BUCKETS

USERS = [f"user {n}" for n in range(5000)]


def challenge(share: float = 0.1, *, release_id: str = "rel_1", action: str = "canary") -> Challenge:
    return Challenge(
        release_id=release_id,
        action=action,
        model_id="m_2",
        champion_id="m_1",
        share=share,
        actor="ann",
        created_at=datetime(2026, 11, 27, tzinfo=UTC),
    )


def drawn(one: Challenge) -> set[str]:
    return {user for user in USERS if draw(one, user=user).is_challenged}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_within_the_bounds_of_chance_with_and_without_users(share):
    low, high = binom.interval(0.9999, len(USERS), share)
    assert low <= len(drawn(challenge(share))) <= high
    assert low <= sum(draw(challenge(share), user=None).is_challenged for _ in USERS) <= high


def test_at_the_ends_everybody_is_drawn_and_hardly_anybody_is():
    assert drawn(challenge(1.0)) == set(USERS)
    assert sum(draw(challenge(1e-9), user=user).bucket == 0 for user in USERS) == len(drawn(challenge(1e-9)))


def test_a_users_lot_is_the_same_in_every_process_and_another_in_the_next_release():
    here = [draw(challenge(), user=user).bucket for user in USERS[:50]]
    code = (
        "from feilun.records import Challenge\nfrom feilun.release import draw\n"
        f"one = Challenge.model_validate_json({challenge().model_dump_json()!r})\n"
        "print([draw(one, user=f'user {n}').bucket for n in range(50)])"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert str(here) == there.strip()
    first, second = drawn(challenge(0.5)), drawn(challenge(0.5, release_id="rel_2"))
    low, high = binom.interval(0.9999, len(first), 0.5)
    assert low <= len(first & second) <= high  # as if by another coin


def test_a_larger_share_of_the_same_release_would_keep_who_was_drawn():
    assert drawn(challenge(0.1)) < drawn(challenge(0.3))


def test_only_a_canary_answers_and_only_those_it_drew():
    for user in USERS[:200]:
        one = draw(challenge(0.3), user=user)
        assert one.answers_with == ("m_2" if one.is_challenged else None)
        assert draw(challenge(0.3, action="shadow"), user=user).answers_with is None


# ---------------------------------------------------------------------------------------------- verdicts


def rows(n_users: int, *, model_id: str, first_bucket: int, handed_over: float = 0.2, contradicted: float = 0.0):
    """Ten messages of each user."""
    counts = {"n_messages": 10, "n_handed_over": round(10 * handed_over), "n_contradicted": round(10 * contradicted)}
    # not all alike, or there would be no variance between users
    shifts = [(0, 1, -1, 0)[n % 4] for n in range(n_users)]
    return [
        {"bucket": first_bucket + n, "model_id": model_id, **counts}
        | {name: min(max(counts[name] + shifts[n], 0), 10) for name in ("n_handed_over", "n_contradicted")}
        for n in range(n_users)
    ]


def verdict(ours, theirs, **settings):
    return judge([*ours, *theirs], challenge(), settings=ReleaseSettings(**settings))


CHAMPION = rows(180, model_id="m_1", first_bucket=1000)


def test_a_canary_that_hands_over_more_is_worse_with_the_numbers():
    found = verdict(rows(40, model_id="m_2", first_bucket=0, handed_over=0.6), CHAMPION)
    assert found.state == "worse"
    assert "handed over 60.0 % of 400 messages, the champion 20.0 % of 1,800" in found.en
    assert "在 400 条消息中转人工 60.0%，冠军在 1,800 条中为 20.0%" in found.zh
    assert [arm.model_dump() for arm in found.arms] == [
        {
            "role": role,
            "model_id": model_id,
            "n_messages": n,
            "n_handed_over": handed,
            "n_contradicted": contradicted,
            "n_failed": 0,
        }
        for role, model_id, n, handed, contradicted in (
            ("champion", "m_1", 1800, 360, 45),
            ("challenger", "m_2", 400, 240, 10),
        )
    ]


def test_a_canary_that_people_contradict_more_is_worse():
    found = verdict(rows(40, model_id="m_2", first_bucket=0, contradicted=0.4), CHAMPION)
    assert found.state == "worse" and "was contradicted on" in found.en and "被人否定" in found.zh


def test_what_the_champion_had_to_answer_for_the_canary_counts_as_failed():
    fell_back = rows(20, model_id="m_1", first_bucket=0)
    found = verdict([*rows(20, model_id="m_2", first_bucket=20), *fell_back], CHAMPION)
    assert found.state == "worse" and "failed on 50.0 % of 400" in found.en
    assert found.arms[1].n_failed == 200


def test_a_canary_like_the_champion_goes_on_and_is_promoted_only_where_that_is_asked_for():
    ours = rows(40, model_id="m_2", first_bucket=0)
    assert verdict(ours, CHAMPION).state == "watching"
    assert verdict(ours, CHAMPION, promote_after=400).state == "proven"
    assert verdict(ours, CHAMPION, promote_after=401).state == "watching"
    somewhat_worse = rows(40, model_id="m_2", first_bucket=0, handed_over=0.3)
    assert verdict(somewhat_worse, CHAMPION, promote_after=400, guard_level=1e-300).state == "watching"
    assert verdict(ours, CHAMPION, promote_after=400, guards=[]).state == "watching"


def test_nothing_is_said_before_there_are_messages_of_enough_users_on_both_sides():
    bad = {"handed_over": 0.9, "model_id": "m_2", "first_bucket": 0}
    assert verdict([], []).state == "too_few"
    assert verdict(rows(9, **bad), CHAMPION).state == "too_few"  # 90 messages
    assert verdict(rows(19, **bad), CHAMPION).state == "too_few"  # of 19 users
    assert verdict(rows(40, **bad), CHAMPION[:9]).state == "too_few"
    assert verdict(rows(20, **bad), CHAMPION).state == "worse"


def test_a_canary_that_answers_everything_has_nothing_beside_it():
    seen = rows(40, model_id="m_2", first_bucket=0, handed_over=0.9)
    assert judge(seen, challenge(1.0), settings=ReleaseSettings()).state == "alone"


def test_every_bucket_belongs_to_one_of_the_two():
    ours = [draw(challenge(0.25), user=None).bucket for _ in range(1000)]
    assert all(0 <= bucket < N_BUCKETS for bucket in ours)


def test_both_languages_say_the_same():
    def figures(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert all(figures(en) == figures(zh) for en, zh in TEXTS.values())

"""What lies on one desk is on no other; what nobody came back for is for everybody again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from feilun.store import Store, claims


@pytest.fixture
def store(tmp_path: Path, database_url: str):
    with Store(tmp_path / ".feilun", url=database_url) as opened:
        yield opened


def test_two_desks_never_hold_the_same_message(store: Store):
    messages = [f"e{n}" for n in range(40)]
    with Store(store.workspace, url=store.url) as other, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit((store, other)[n % 2].claim, "support", messages, desk=f"desk{n}") for n in range(8)]
        held = [one.result() for one in asked]
    assert sorted(message for one in held for message in one) == sorted(messages)
    assert store.list_claimed("support", besides="nobody's") == set(messages)
    assert store.list_claimed("elsewhere", besides="nobody's") == set()


def test_a_desk_keeps_what_it_has_as_long_as_it_asks_and_loses_it_when_it_does_not(store: Store, monkeypatch):
    assert store.claim("support", ["e1", "e2"], desk="ann's") == {"e1", "e2"}
    assert store.claim("support", ["e2", "e3"], desk="bo's") == {"e3"}
    assert store.claim("support", ["e2"], desk="ann's") == {"e2"}
    assert store.list_claimed("support", besides="ann's") == {"e3"}
    monkeypatch.setattr(claims, "HELD_FOR", timedelta(0))
    store.claim("support", [], desk="ann's")  # until now, and no longer
    assert store.claim("support", ["e1", "e2", "e3"], desk="bo's") == {"e1", "e2", "e3"}


def test_a_desk_that_is_cleared_leaves_its_messages_to_others(store: Store):
    store.claim("support", ["e1"], desk="ann's")
    store.release_claims("support", desk="ann's")
    assert store.list_claimed("support", besides="bo's") == set()

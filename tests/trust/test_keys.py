"""Keys open what they were made for, and nothing after they were revoked."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from feilun.store import EVERYWHERE, Store, utc_now
from feilun.trust import (
    KeyInvalid,
    KeyMissing,
    KeyRequestInvalid,
    KeyRing,
    ScopeMissing,
    check_key,
    create_key,
    revoke_key,
)
from feilun.trust.keys import CACHE_S, hash_secret


@pytest.fixture
def store(tmp_path, database_url):
    with Store(tmp_path / ".feilun", url=database_url) as opened:
        opened.add_project("support", folder=tmp_path)
        yield opened


def test_a_key_is_shown_once_and_only_its_hash_is_kept(store, tmp_path):
    row, secret = create_key(store, name="website", scopes=["feedback", "predict"])
    assert row["scopes"] == ["predict", "feedback"]
    assert len(secret) == 35
    assert row["secret_hash"] == hash_secret(secret)
    store.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".feilun").rglob("*") if path.is_file())
    if store.engine.dialect.name == "sqlite":
        assert row["secret_hash"].encode() in kept
    assert secret.encode() not in kept


def test_a_key_does_what_its_scopes_say_and_admin_does_all_but_keys(store):
    _, secret = create_key(store, name="website", scopes=["predict"])
    assert check_key(store, secret, scope="predict", project="support")["name"] == "website"
    with pytest.raises(ScopeMissing):
        check_key(store, secret, scope="feedback", project="support")
    _, boss = create_key(store, name="boss", scopes=["admin"])
    assert [check_key(store, boss, scope=s, project="x")["name"] for s in ("predict", "read", "admin")] == ["boss"] * 3
    with pytest.raises(ScopeMissing):
        check_key(store, boss, scope="keys")  # whoever may turn the wheel cannot let others in


def test_a_key_of_one_project_is_a_stranger_in_the_next(store):
    _, secret = create_key(store, name="website", scopes=["admin"], project="support")
    check_key(store, secret, scope="predict", project="support")
    with pytest.raises(ScopeMissing):
        check_key(store, secret, scope="predict", project="other")


@pytest.mark.parametrize("secret", [None, ""], ids=["none", "empty"])
def test_without_a_key_one_is_asked_for(store, secret):
    with pytest.raises(KeyMissing):
        check_key(store, secret, scope="read")


@pytest.mark.parametrize("secret", ["fl_unknown", "x" * 10_000, "\ud800", "' OR 1=1 --", "密钥"])
def test_a_key_we_never_made_opens_nothing(store, secret):
    create_key(store, name="website", scopes=["admin"])
    with pytest.raises(KeyInvalid):
        check_key(store, secret, scope="read")


def test_an_expired_key_opens_nothing(store):
    secret = "fl_old"
    past = utc_now() - timedelta(seconds=1)
    old = {"name": "old", "scopes": ["admin"], "tenant": None, "project": None, "actor": "ann"}
    store.add_key(secret_hash=hash_secret(secret), expires_at=past, **old)
    with pytest.raises(KeyInvalid):
        check_key(store, secret, scope="read")


def test_a_revoked_key_opens_nothing_within_a_second_even_for_a_server_that_knew_it(store):
    row, secret = create_key(store, name="website", scopes=["read"])
    ring = KeyRing(store)
    assert ring.identify(secret)["key_id"] == row["key_id"]
    revoke_key(store, row["key_id"])
    with pytest.raises(KeyInvalid):
        check_key(store, secret, scope="read")
    time.sleep(CACHE_S + 0.05)
    with pytest.raises(KeyInvalid):
        ring.identify(secret)
    assert CACHE_S < 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "n" * 65},
        {"scopes": []},
        {"scopes": ["predict", "root"]},
        {"expires_in_days": 0},
        {"expires_in_days": float("nan")},
        {"expires_in_days": float("inf")},
    ],
    ids=str,
)
def test_a_key_that_makes_no_sense_is_not_made(store, wrong):
    with pytest.raises(KeyRequestInvalid):
        create_key(store, **{"name": "website", "scopes": ["read"], **wrong})
    assert store.list_keys(EVERYWHERE) == []

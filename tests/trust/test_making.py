"""Nobody hands out more than they have, whatever they ask for."""

from __future__ import annotations

import itertools
import math
import time
from datetime import timedelta
from typing import Any

import pytest

from feilun.store import EVERYWHERE, KeyUnknown, ProjectUnknown, Reach, Store, TenantUnknown, utc_now
from feilun.store.chain import Unaudited
from feilun.trust import (
    ROLES,
    SCOPES,
    KeyBeyondMaker,
    KeyClosed,
    KeyInvalid,
    KeyRequestInvalid,
    KeyRing,
    ScopeMissing,
    TenantDisabled,
    TenantInvalid,
    check_key,
    create_key,
    create_tenant,
    describe_key,
    get_key,
    list_keys,
    opened_by,
    reach_of,
    revoke_key,
    role_of,
    rotate_key,
    update_tenant,
)
from feilun.trust import keys as at_the_door
from feilun.trust.keys import CACHE_S, hash_secret
from feilun.trust.making import ALPHABET, N_CHARS

SETS = [list(chosen) for n in range(1, 6) for chosen in itertools.combinations(SCOPES, n)]
WHOSE = {"a1": "a", "a2": "a", "b1": "b"}


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / ".feilun") as opened:
        for tenant in ("a", "b"):
            create_tenant(opened, tenant, name=tenant.upper())
        for project, tenant in WHOSE.items():
            opened.add_project(project, folder=tmp_path / project, tenant=tenant)
        yield opened


def made(store: Store, **wanted: Any) -> dict[str, Any]:
    return create_key(store, **{"name": "k", **wanted})[0]


def test_nobody_makes_or_rotates_a_key_with_more_scopes_than_their_own(store):
    makers = [made(store, scopes=scopes, tenant="a") for scopes in SETS]
    targets = {tuple(scopes): made(store, scopes=scopes, tenant="a") for scopes in SETS}
    for maker, scopes in itertools.product(makers, SETS):
        may = "keys" in maker["scopes"] and opened_by(scopes) <= opened_by(maker["scopes"])
        target = targets[tuple(scopes)]["key_id"]
        if may and len(scopes) > 1:
            continue  # what is allowed is tried on the single scopes, and for all sets by their makers below
        for attempt in (
            lambda maker=maker, scopes=scopes: create_key(store, name="n", scopes=scopes, by=maker),
            lambda maker=maker, target=target: rotate_key(store, target, by=maker),
        ):
            if may:
                assert opened_by(attempt()[0]["scopes"]) <= opened_by(maker["scopes"])
            else:
                with pytest.raises(KeyBeyondMaker if "keys" in maker["scopes"] else ScopeMissing):
                    attempt()
    for maker in makers:
        if "keys" in maker["scopes"]:
            twin = made(store, scopes=maker["scopes"], by=maker)
            assert (twin["scopes"], twin["tenant"]) == (maker["scopes"], "a")


MAKERS = {"operator": Reach(), "tenant": Reach("a"), "project": Reach("a", "a1")}


@pytest.mark.parametrize("whose", MAKERS)
def test_nobody_makes_a_key_that_sees_further_than_their_own(store, whose):
    own = MAKERS[whose]
    maker = made(store, role="owner", tenant=own.tenant, project=own.project)
    assert reach_of(maker) == own
    for tenant, project in itertools.product((None, "a", "b", "never"), (None, "a1", "a2", "b1", "never")):
        wanted = Reach(tenant or own.tenant, project or own.project)
        in_reach = own.tenant in (None, wanted.tenant) and own.project in (None, wanted.project)
        sound = wanted.tenant in (None, "a", "b") and (
            wanted.project is None or WHOSE.get(wanted.project) in ((wanted.tenant,) if wanted.tenant else ("a", "b"))
        )
        asked = {"name": "n", "role": "viewer", "tenant": tenant, "project": project, "by": maker}
        if in_reach and sound:
            row, _ = create_key(store, **asked)
            tenant_of = wanted.tenant or WHOSE.get(str(wanted.project))
            assert reach_of(row) == Reach(tenant_of, wanted.project)
        else:
            n_before = len(store.list_keys(EVERYWHERE))
            with pytest.raises((TenantUnknown, ProjectUnknown)):
                create_key(store, **asked)
            assert len(store.list_keys(EVERYWHERE)) == n_before


@pytest.mark.parametrize("whose", MAKERS)
def test_keys_out_of_reach_are_unknown(store, whose):
    rows = {
        name: made(store, role="viewer", tenant=reach.tenant, project=reach.project) for name, reach in MAKERS.items()
    }
    rows["other project"] = made(store, role="viewer", project="a2")
    rows["other tenant"] = made(store, role="viewer", tenant="b")
    maker = made(store, role="owner", tenant=MAKERS[whose].tenant, project=MAKERS[whose].project)
    seen = {
        "operator": set(rows),
        "tenant": {"tenant", "project", "other project"},
        "project": {"project"},
    }[whose]
    listed = {row["key_id"] for row in list_keys(store, by=maker)} - {maker["key_id"]}
    assert listed == {rows[name]["key_id"] for name in seen}
    for name, row in rows.items():
        if name in seen:
            assert get_key(store, row["key_id"], by=maker) == row
            continue
        for verb in (get_key, rotate_key, revoke_key):
            with pytest.raises(KeyUnknown):
                verb(store, row["key_id"], by=maker)
        assert store.get_key(EVERYWHERE, row["key_id"]) == row


def test_nobody_makes_a_key_that_outlives_their_own(store):
    maker = made(store, role="owner", tenant="a", expires_in_days=2)
    forever = made(store, role="viewer", tenant="a")
    for days in (None, 3):
        with pytest.raises(KeyBeyondMaker):
            create_key(store, name="n", role="viewer", expires_in_days=days, by=maker)
    with pytest.raises(KeyBeyondMaker):
        rotate_key(store, forever["key_id"], by=maker)
    with pytest.raises(KeyBeyondMaker):
        rotate_key(store, maker["key_id"], expires_in_days=3, by=maker)
    assert made(store, role="viewer", expires_in_days=1, by=maker)["expires_at"] < maker["expires_at"]
    assert rotate_key(store, maker["key_id"], by=maker)[0]["expires_at"] == maker["expires_at"]


def test_a_rotated_key_keeps_its_id_and_its_old_secret_for_the_grace_alone(store):
    row, first = create_key(store, name="website", scopes=["predict"], project="a1")
    rotated, second = rotate_key(store, row["key_id"], grace_s=0.5)
    assert (rotated["key_id"], rotated["scopes"], rotated["project"]) == (row["key_id"], ["predict"], "a1")
    ring = KeyRing(store)
    for secret in (first, second):
        assert ring.identify(secret)["key_id"] == row["key_id"]
    time.sleep(0.6)
    for look in (ring.identify, lambda secret: check_key(store, secret, scope="predict")):
        with pytest.raises(KeyInvalid):
            look(first)
        assert look(second)["key_id"] == row["key_id"]


def test_rotating_twice_or_without_grace_ends_the_older_secret_at_once(store):
    row, first = create_key(store, name="website", scopes=["predict"])
    _, second = rotate_key(store, row["key_id"])
    _, third = rotate_key(store, row["key_id"])
    with pytest.raises(KeyInvalid):
        check_key(store, first, scope="predict")
    assert check_key(store, second, scope="predict")["key_id"] == row["key_id"]
    _, fourth = rotate_key(store, row["key_id"], grace_s=0)
    for secret in (second, third):
        with pytest.raises(KeyInvalid):
            check_key(store, secret, scope="predict")
    assert check_key(store, fourth, scope="predict")["key_id"] == row["key_id"]


def test_a_closed_key_gets_no_new_secret(store):
    row = made(store, scopes=["read"])
    revoke_key(store, row["key_id"])
    past = {"tenant": None, "project": None, "actor": "ann", "expires_at": utc_now() - timedelta(seconds=1)}
    old = store.add_key(name="old", secret_hash="x", scopes=["read"], **past)
    for key_id in (row["key_id"], old["key_id"]):
        with pytest.raises(KeyClosed):
            rotate_key(store, key_id)
    for grace_s in (-1, float("nan"), 1e9):
        with pytest.raises(KeyRequestInvalid):
            rotate_key(store, made(store, scopes=["read"])["key_id"], grace_s=grace_s)


def test_a_disabled_tenant_is_out_within_a_second_and_comes_back_as_it_was(store):
    ring = KeyRing(store)
    _, of_tenant = create_key(store, name="t", role="owner", tenant="a")
    _, of_project = create_key(store, name="p", role="owner", project="a1")
    _, of_other = create_key(store, name="o", role="owner", tenant="b")
    _, of_operator = create_key(store, name="op", role="owner")
    secrets = (of_tenant, of_project, of_other, of_operator)
    assert all(ring.identify(secret) for secret in secrets)
    update_tenant(store, "a", is_disabled=True)
    time.sleep(CACHE_S + 0.05)
    for secret in (of_tenant, of_project):
        with pytest.raises(TenantDisabled):
            ring.identify(secret)
    assert all(ring.identify(secret) for secret in (of_other, of_operator))
    assert check_key(store, of_operator, scope="read", project="a1")["name"] == "op"
    update_tenant(store, "a", is_disabled=False)
    assert all(ring.identify(secret) for secret in secrets)


def test_a_key_of_a_tenant_opens_the_tenant_s_projects_alone(store):
    _, secret = create_key(store, name="t", role="owner", tenant="a")
    for project in ("a1", "a2"):
        assert check_key(store, secret, scope="admin", project=project)["tenant"] == "a"
    for project in ("b1", "never"):
        with pytest.raises(ScopeMissing):
            check_key(store, secret, scope="read", project=project)


def test_secrets_have_128_random_bits_and_none_comes_twice(store):
    assert N_CHARS * math.log2(len(set(ALPHABET))) >= 128
    secrets = [create_key(store, name="n", scopes=["read"])[1] for _ in range(50)]
    assert len(set(secrets)) == 50
    assert {len(secret) for secret in secrets} == {len("fl_") + N_CHARS}


def test_hashes_are_compared_in_constant_time_and_never_shown(store, monkeypatch):
    compared = []
    real = at_the_door.hmac.compare_digest
    monkeypatch.setattr(at_the_door.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    row, secret = create_key(store, name="n", scopes=["read"])
    check_key(store, secret, scope="read")
    assert (hash_secret(secret), hash_secret(secret)) in compared
    shown = describe_key(row)
    assert not [name for name, value in shown.items() if value == row["secret_hash"] or "hash" in name]


def test_a_new_workspace_has_no_key_and_one_tenant(store):
    assert store.list_keys(EVERYWHERE) == []
    assert [row["tenant"] for row in store.list_tenants(EVERYWHERE)] == ["a", "b", "house"]


def test_the_last_use_of_a_key_is_kept_and_written_once_a_minute(store, monkeypatch):
    row, secret = create_key(store, name="n", scopes=["read"])
    ring, noted = KeyRing(store), []
    real = store.note_key_used
    monkeypatch.setattr(store, "note_key_used", lambda key_id: noted.append(key_id) or real(key_id))
    ring.identify(secret)
    store.writer.write(lambda c: None, audit=Unaudited("nothing"))
    time.sleep(CACHE_S + 0.05)
    ring.identify(secret)
    assert noted == [row["key_id"]]
    assert abs(store.get_key(EVERYWHERE, row["key_id"])["last_used_at"] - utc_now()) < timedelta(minutes=1)


def test_roles_are_the_published_ones_and_known_by_what_they_open():
    assert ROLES == {
        "viewer": ("read",),
        "labeller": ("predict", "feedback", "read"),
        "maintainer": ("predict", "feedback", "read", "admin"),
        "owner": ("predict", "feedback", "read", "admin", "keys"),
    }
    assert [role_of(scopes) for scopes in (["admin"], ["admin", "keys"], ["read"], ["keys"])] == [
        "maintainer",
        "owner",
        "viewer",
        None,
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"role": "king"}, {"role": "viewer", "scopes": ["read"]}, {"role": None, "scopes": []}, {"scopes": ["tenants"]}],
    ids=str,
)
def test_a_role_or_scope_that_makes_no_sense_makes_no_key(store, wrong):
    with pytest.raises(KeyRequestInvalid):
        create_key(store, name="n", **wrong)
    assert store.list_keys(EVERYWHERE) == []


@pytest.mark.parametrize(("tenant", "name"), [("", ""), ("a b", ""), ("-a", ""), ("x" * 65, ""), ("ok", "n" * 65)])
def test_a_tenant_that_makes_no_sense_is_not_made(store, tenant, name):
    with pytest.raises(TenantInvalid):
        create_tenant(store, tenant, name=name)
    with pytest.raises(TenantInvalid):
        update_tenant(store, "a", name=" ")
    assert len(store.list_tenants(EVERYWHERE)) == 3

"""People, sessions and tries on either kind of database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feilun.store import EVERYWHERE, CodeInvalid, Knock, PersonExists, Reach, Store, utc_now
from feilun.trust import (
    CODE_FOR,
    PersonDisabled,
    SessionEnded,
    add_person,
    begin_session,
    person_behind,
    reset_person,
    rights_of,
    update_person,
)
from feilun.trust.keys import hash_secret


@pytest.fixture
def store(tmp_path: Path, database_url: str):
    with Store(tmp_path / ".feilun", url=database_url) as opened:
        opened.add_tenant("Acme", name="Acme", actor="ann")
        yield opened


def test_the_same_name_in_two_tenants_is_two_people_and_case_does_not_matter_within_one(store: Store):
    ours, _ = add_person(store, sign_in_name="Desk1", role="viewer")
    theirs, _ = add_person(store, sign_in_name="ＤＥＳＫ１", role="viewer", tenant="Acme")
    assert (ours["sign_in_name"], theirs["sign_in_name"]) == ("desk1", "desk1@Acme")
    with pytest.raises(PersonExists):
        add_person(store, sign_in_name="DESK1", role="owner", tenant="Acme")
    assert [row["sign_in_name"] for row in store.list_people(Reach("Acme"))] == ["desk1@Acme"]
    assert store.find_person("desk1@Acme")["person_id"] == theirs["person_id"]


def test_a_code_is_used_once_even_by_two_at_the_same_moment(store: Store):
    _, code = add_person(store, sign_in_name="desk1", role="viewer")

    def accept(n: int) -> str:
        try:
            return str(store.accept_invitation(hash_secret(code), password_hash=f"hash {n}")["password_hash"])
        except CodeInvalid:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(accept, range(8)))
    assert outcomes.count("refused") == 7
    assert store.list_people(EVERYWHERE)[0]["password_hash"] in outcomes


def test_a_code_that_is_too_old_or_of_somebody_shut_out_is_good_for_nothing(store: Store):
    person, code = add_person(store, sign_in_name="desk1", role="viewer", tenant="Acme")
    update_person(store, person["person_id"], is_disabled=True)
    assert store.find_invited(hash_secret(code)) is None
    with pytest.raises(PersonDisabled):
        reset_person(store, person["person_id"])
    update_person(store, person["person_id"], is_disabled=False)
    assert store.find_invited(hash_secret(code)) is not None
    store.update_tenant("Acme", is_disabled=True, actor="ann")
    assert store.find_invited(hash_secret(code)) is None
    store.update_tenant("Acme", is_disabled=False, actor="ann")
    over = utc_now() - CODE_FOR
    store.reset_person(EVERYWHERE, person["person_id"], code_hash="old", code_until=over, actor="ann")
    assert store.find_invited("old") is None


def test_a_session_has_the_rights_of_the_role_of_now(store: Store):
    person, _ = add_person(store, sign_in_name="desk1", role="viewer")
    token = begin_session(store, person)
    assert rights_of(person_behind([store], token)[1])["scopes"] == ["read"]
    update_person(store, person["person_id"], role="maintainer")
    assert "admin" in rights_of(person_behind([store], token)[1])["scopes"]
    store.end_session(hash_secret(token))
    for nobodys in (token, "", "never", "\x00"):
        with pytest.raises(SessionEnded):
            person_behind([store], nobodys)


def test_tries_run_out_come_back_and_are_given_back(store: Store):
    narrow, wide = Knock("a" * 64, 1, 3), Knock("b" * 64, 60, 100)
    assert [store.take_knocks([narrow, wide]) for _ in range(3)] == [0, 0, 0]
    assert 50 < store.take_knocks([narrow, wide]) <= 60
    assert store.take_knocks([wide]) == 0  # the refused one took none of the other
    store.put_back_knocks([narrow])
    assert store.take_knocks([narrow]) == 0
    assert store.take_knocks([narrow]) > 0

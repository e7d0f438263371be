"""Whose device it is, told by what it keeps."""

from __future__ import annotations

import time

import pytest

from feilun.trust import KNOWN_FOR, MAX_PROOFS, known_device, remember_device
from feilun.trust.tries import network_of

DESK = {"person_id": "person_1", "password_hash": "scrypt$1"}


def test_a_device_knows_those_who_signed_in_there_last_and_nobody_else():
    people = [{"person_id": f"person_{n}", "password_hash": f"scrypt${n}"} for n in range(MAX_PROOFS + 1)]
    proofs: list[str] = []
    for person in [people[0], *people]:  # the first one twice
        proofs = remember_device(person, proofs)
    assert len(proofs) == MAX_PROOFS
    assert [known_device([person], proofs) is not None for person in people] == [False] + [True] * MAX_PROOFS
    assert known_device([{"person_id": "person_9", "password_hash": "scrypt$9"}, people[2]], proofs) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda person, proof: (person | {"password_hash": "scrypt$2"}, proof),
        lambda person, proof: (person | {"password_hash": None}, proof),
        lambda person, proof: (person | {"person_id": "person_2"}, proof),
        lambda person, proof: (person, "x" + proof),
        lambda person, proof: (person, proof.replace(".", ".9", 1)),
        lambda person, proof: (person, ""),
        lambda person, proof: (person, ".."),
    ],
    ids=["another password", "a reset", "somebody else", "another name", "another time", "nothing", "dots"],
)
def test_what_was_not_sealed_for_this_person_and_this_password_is_worth_nothing(change):
    [proof] = remember_device(DESK, [])
    assert known_device([DESK], [proof]) is not None
    person, shown = change(DESK, proof)
    assert known_device([person], [shown]) is None
    assert known_device([], [shown]) is None


def test_a_reset_person_s_seal_is_not_nobody_s():
    nobody = {"person_id": "person_1", "password_hash": None}
    assert known_device([nobody], remember_device(nobody, [])) is None


def test_a_device_is_forgotten_after_a_while(monkeypatch):
    proofs = remember_device(DESK, [])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + KNOWN_FOR.total_seconds() + 1)
    assert known_device([DESK], proofs) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_an_address_is_counted_as_its_household(address, network):
    assert network_of(address) == network

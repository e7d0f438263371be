"""Passwords: what is refused, what is kept, and that nobody's takes as long as somebody's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from feilun.project import Workspace
from feilun.trust import PasswordWeak, PersonRequestInvalid
from feilun.trust import passwords as under_test
from feilun.trust.passwords import hash_password, is_password, must_be_strong

NAMES = ("desk1", "Front desk", "Front", "desk")
WEAK = {
    "short": "elevenchars",
    "one letter": "a" * 40,
    "four letters": "abcdabcdabcd",
    "the name": "my-DESK1-password",
    "a part of the name": "front and back door",
    "the name in wide letters": "ｄｅｓｋ１ and more",
    "too long": "correct horse " * 30,
}


@pytest.mark.parametrize("password", WEAK.values(), ids=list(WEAK))
def test_what_can_be_guessed_is_refused(password):
    with pytest.raises(PasswordWeak):
        must_be_strong(password, names=NAMES)


@pytest.mark.parametrize("password", ["correct horse battery", "这是一个足够长的口令句子吧", "🐎🔋✂️🧷 and more"])
def test_long_ones_of_any_script_are_taken(password):
    must_be_strong(password, names=NAMES)


def test_what_is_kept_is_scrypt_with_a_salt_of_its_own_and_its_parameters(monkeypatch):
    """The parameters of a release are hashed with once, against the standard library by hand."""
    kept = hash_password("correct horse battery")
    name, cost, block, parallel, _, _ = kept.split("$")
    assert (name, cost, block, parallel) == ("scrypt", "17", "8", "1")
    assert is_password("correct horse battery", kept)
    monkeypatch.setattr(under_test, "COST", 10)  # a later release's; what was kept before still opens
    cheap = hash_password("correct horse battery")
    assert is_password("correct horse battery", kept) and is_password("correct horse battery", cheap)
    assert cheap != hash_password("correct horse battery")
    assert not is_password("Correct horse battery", cheap)


def test_nobody_s_password_is_hashed_with_the_same_parameters_and_never_right(monkeypatch):
    asked = []

    def scrypt(password: bytes, **parameters: int) -> bytes:
        asked.append({name: parameters[name] for name in ("n", "r", "p")})
        return bytes(32)  # what the hash of nobody says

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    assert not is_password("anything at all", None)
    assert asked == [{"n": 2**17, "r": 8, "p": 1}]


@pytest.mark.parametrize("name", ["", " ", "a b", "a@b", "-a", "x" * 33, "a\x00b", "../a", "\ud800"])
def test_a_name_to_sign_in_with_is_one_plain_word(name: str, tmp_path: Path):
    with Workspace(tmp_path, make=True) as workspace:
        with pytest.raises(PersonRequestInvalid):
            workspace.add_person(name, role="viewer")
        assert workspace.list_people() == []
        assert workspace.add_person("客服.1", role="viewer")["sign_in_name"] == "客服.1"

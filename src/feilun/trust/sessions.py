"""Signing in and out, and whose session a token is of."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from feilun.store import CodeInvalid, Knock, PersonUnknown, Reach, Store, utc_now
from feilun.trust.devices import known_device
from feilun.trust.errors import SessionEnded, SignInRefused
from feilun.trust.keys import MAX_SECRET, hash_secret
from feilun.trust.passwords import hash_password, is_password, must_be_strong
from feilun.trust.people import fold, is_sign_in_name
from feilun.trust.tries import must_have_tries, take_tries, tries_of_device, tries_of_person, tries_of_stranger

TOKEN_BYTES = 32
NOTE_EVERY = timedelta(minutes=1)

Person = dict[str, Any]


@dataclass(frozen=True)
class Approach:
    """Somebody who has said their name and not yet their password, and still has a try.

    is_known: on a device on which they have signed in before; no stranger is in their way.
    """

    name: str
    tries: list[Knock]
    is_known: bool


def approach(stores: Sequence[Store], *, sign_in_name: str, address: str, proofs: Sequence[str]) -> Approach:
    """Whose tries a request uses up; hashes nothing, so that a flood is turned away before it costs anything.

    Args:
        stores: the workspaces of a server, at least one; tries are counted in the first.
        address: where the request comes from.
        proofs: those that the device keeps.
    Raises:
        SignInTooOften: too many tries; the same for names that nobody has.
    """
    name = fold(sign_in_name)[:MAX_SECRET]
    device = known_device([row for _, row in _find(stores, name)], proofs)
    tries = tries_of_stranger(name, address) if device is None else tries_of_device(device)
    must_have_tries(stores[0], tries)
    return Approach(name, tries, is_known=device is not None)


def sign_in(stores: Sequence[Store], who: Approach, *, password: str) -> tuple[Store, Person, str]:
    """Where somebody belongs, their row, and the token of their new session. Takes half a second of a core.

    Raises:
        SignInTooOften: others who came at the same time took the tries; the password was not looked at.
        SignInRefused: name and password do not match, or the person is shut out.
    """
    take_tries(stores[0], who.tries)
    kept = [(store, row, row["password_hash"]) for store, row in _find(stores, who.name)] or [(stores[0], {}, None)]
    for store, row, password_hash in kept:
        if is_password(password, password_hash):
            stores[0].put_back_knocks(who.tries)
            return store, row, begin_session(store, row)
    raise SignInRefused()


def must_be_invited(stores: Sequence[Store], *, code: str) -> None:
    """Tries are not counted: a code has 186 random bits, and a wrong one costs a look-up, as a wrong key does.

    Raises:
        CodeInvalid: the code is good for nothing.
    """
    _invited(stores, code)


def accept_invitation(stores: Sequence[Store], *, code: str, password: str) -> tuple[Store, Person, str]:
    """As `sign_in`, for somebody who chooses a password with the code that an owner gave them.

    Raises:
        CodeInvalid: the code is good for nothing.
        PasswordWeak: the password could be guessed; the code stays good.
    """
    store, row = _invited(stores, code)
    must_be_strong(password, names=_names(row))
    row = store.accept_invitation(_digest_of(code), password_hash=hash_password(password))
    return store, row, begin_session(store, row)


def change_password(store: Store, person: Person, *, old: str, new: str) -> tuple[Person, str]:
    """Another password for somebody who is signed in; every session ends, every device is forgotten.

    Returns:
        Their row, and the token of a new session.
    Raises:
        SignInTooOften: too many tries.
        SignInRefused: the old password is not theirs.
        PasswordWeak: the new one could be guessed.
    """
    tries = tries_of_person(person["person_id"])
    take_tries(store, tries)
    if not is_password(old, person["password_hash"]):
        raise SignInRefused()
    store.put_back_knocks(tries)
    must_be_strong(new, names=_names(person))
    within, actor = Reach(person["tenant"]), person["sign_in_name"]
    row = store.set_password(within, person["person_id"], password_hash=hash_password(new), actor=actor)
    return row, begin_session(store, row)


def begin_session(store: Store, person: Person) -> str:
    """A token of 256 random bits for somebody whose password was right a moment ago.

    Raises:
        SignInRefused: they were removed meanwhile.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        store.add_session(Reach(person["tenant"]), person["person_id"], token_hash=hash_secret(token))
    except PersonUnknown as error:
        raise SignInRefused() from error
    return token


def person_behind(stores: Sequence[Store], token: str) -> tuple[Store, Person]:
    """Whose living session it is. Asked at every request, so that it ends everywhere at once.

    Raises:
        SessionEnded: nobody's.
    """
    digest = hash_secret(token[:MAX_SECRET])
    for store in stores:
        row = store.find_session(digest)
        if row is not None:
            if row["last_used_at"] < utc_now() - NOTE_EVERY:
                store.note_session_used(digest)
            return store, row
    raise SessionEnded()


def _find(stores: Sequence[Store], name: str) -> list[tuple[Store, Person]]:
    """Everybody of that name, at most one a workspace; what can be nobody's name is not looked for."""
    asked = stores if is_sign_in_name(name) else ()
    return [(store, row) for store in asked if (row := store.find_person(name)) is not None]


def _invited(stores: Sequence[Store], code: str) -> tuple[Store, Person]:
    for store in stores:
        row = store.find_invited(_digest_of(code))
        if row is not None:
            return store, row
    raise CodeInvalid()


def _digest_of(code: str) -> str:
    return hash_secret(code.strip()[:MAX_SECRET])


def _names(person: Person) -> tuple[str, ...]:
    plain = str(person["sign_in_name"]).partition("@")[0]
    return plain, person["name"], *str(person["name"]).split()

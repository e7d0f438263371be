"""Signing in and out, and whose session a token is of."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from feilun.store import CodeInvalid, Knock, PersonUnknown, Reach, Store, utc_now
from feilun.trust.errors import SessionEnded, SignInRefused, SignInTooOften
from feilun.trust.keys import MAX_SECRET, hash_secret
from feilun.trust.passwords import hash_password, is_password, must_be_strong
from feilun.trust.people import fold, is_sign_in_name

TOKEN_BYTES = 32
NOTE_EVERY = timedelta(minutes=1)
# Tries a minute, and at once after a pause. Somebody who mistypes has enough; whoever guesses at one name gets 14,400
# a day from all addresses together, of passwords of at least twelve characters.
BY_BOTH, BY_ADDRESS, BY_NAME = (1, 5), (6, 20), (10, 100)

Person = dict[str, Any]


def sign_in(stores: Sequence[Store], *, sign_in_name: str, password: str, address: str) -> tuple[Store, Person, str]:
    """Where somebody belongs, their row, and the token of their new session. Takes half a second of a core.

    Args:
        stores: the workspaces of a server, at least one; tries are counted in the first.
        address: where the request comes from.
    Raises:
        SignInTooOften: too many tries by that name or from that address; the password was not looked at.
        SignInRefused: name and password do not match, or the person is shut out.
    """
    name = fold(sign_in_name)[:MAX_SECRET]
    knocks = _knocks(name, address)
    _take(stores[0], knocks)
    asked = stores if is_sign_in_name(name) else ()  # what can be nobody's is not looked for
    found = [(store, row) for store in asked if (row := store.find_person(name)) is not None]
    kept = [(store, row, row["password_hash"]) for store, row in found] or [(stores[0], {}, None)]
    for store, row, password_hash in kept:
        if is_password(password, password_hash):
            stores[0].put_back_knocks(knocks)
            return store, row, begin_session(store, row)
    raise SignInRefused()


def accept_invitation(stores: Sequence[Store], *, code: str, password: str, address: str) -> tuple[Store, Person, str]:
    """As `sign_in`, for somebody who chooses a password with the code that an owner gave them.

    Raises:
        SignInTooOften: too many tries from that address.
        CodeInvalid: the code is good for nothing.
        PasswordWeak: the password could be guessed; the code stays good.
    """
    knocks = [_knock("address", address, *BY_ADDRESS)]
    _take(stores[0], knocks)
    digest = hash_secret(code.strip()[:MAX_SECRET])
    for store in stores:
        row = store.find_invited(digest)
        if row is not None:
            stores[0].put_back_knocks(knocks)
            must_be_strong(password, names=_names(row))
            row = store.accept_invitation(digest, password_hash=hash_password(password))
            return store, row, begin_session(store, row)
    raise CodeInvalid()


def change_password(store: Store, person: Person, *, old: str, new: str, address: str) -> str:
    """Another password for somebody who is signed in; every session ends, and the token of a new one is given.

    Raises:
        SignInTooOften: too many tries.
        SignInRefused: the old password is not theirs.
        PasswordWeak: the new one could be guessed.
    """
    knocks = _knocks(person["sign_in_name"], address)
    _take(store, knocks)
    if not is_password(old, person["password_hash"]):
        raise SignInRefused()
    store.put_back_knocks(knocks)
    must_be_strong(new, names=_names(person))
    within = Reach(person["tenant"])
    store.set_password(within, person["person_id"], password_hash=hash_password(new), actor=person["sign_in_name"])
    return begin_session(store, person)


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


def _take(store: Store, knocks: Sequence[Knock]) -> None:
    wait_s = store.take_knocks(knocks)
    if wait_s > 0:
        raise SignInTooOften(retry_after_s=math.ceil(wait_s))


def _knocks(name: str, address: str) -> list[Knock]:
    return [
        _knock("both", f"{name} {address}", *BY_BOTH),
        _knock("address", address, *BY_ADDRESS),
        _knock("name", name, *BY_NAME),
    ]


def _knock(kind: str, whose: str, per_minute: int, burst: int) -> Knock:
    """Hashed: people type passwords where names belong, and addresses are personal data."""
    digest = hashlib.sha256(f"{kind} {whose}".encode("utf-8", "surrogatepass")).hexdigest()
    return Knock(digest, per_minute, burst)


def _names(person: Person) -> tuple[str, ...]:
    plain = str(person["sign_in_name"]).partition("@")[0]
    return plain, person["name"], *str(person["name"]).split()

"""Devices on which somebody has signed in before.

A device keeps a proof: a random name of its own and the moment, sealed with what only the server and the person's row
know. The seal is made with the hash of the password, so that every server of a workspace knows every device without a
table that could be filled, and another password, or a reset, forgets all devices at once. A proof opens nothing: it
only says whose tries these are.

Source:
    OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

KNOWN_FOR = timedelta(days=90)  # since one last signed in there
MAX_PROOFS = 4  # people who share a device
NAME_BYTES = 16
NOBODYS = "nobody's"

Person = dict[str, Any]


def remember_device(person: Person, proofs: Sequence[str]) -> list[str]:
    """The proofs that a device keeps from now on, on which `person` has just signed in and which had `proofs`."""
    others = [one for one in proofs if known_device([person], [one]) is None]
    sealed = f"{secrets.token_urlsafe(NAME_BYTES)}.{int(time.time())}"
    return [f"{sealed}.{_seal(person, sealed)}", *others][:MAX_PROOFS]


def known_device(people: Sequence[Person], proofs: Sequence[str]) -> str | None:
    """The name of the device if one of `people` has signed in there; nobody at all costs as much as somebody."""
    known = None
    for person in people or ({"person_id": NOBODYS, "password_hash": None},):
        for proof in proofs[:MAX_PROOFS]:
            sealed, _, seal = proof.rpartition(".")
            is_sealed = hmac.compare_digest(seal.encode(), _seal(person, sealed).encode())
            if is_sealed and person["password_hash"] is not None and _is_young(sealed):
                known = sealed
    return known


def _seal(person: Person, sealed: str) -> str:
    key = (person["password_hash"] or NOBODYS).encode()
    digest = hmac.digest(key, f"device {person['person_id']} {sealed}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _is_young(sealed: str) -> bool:
    """Asked of what we sealed ourselves."""
    return time.time() - int(sealed.rpartition(".")[2]) < KNOWN_FOR.total_seconds()

"""Passwords: what is asked of one, and how it is kept.

scrypt takes memory from whoever guesses, not only time: 128 MiB and about a third of a second for each guess.

Source:
    RFC 7914; OWASP Password Storage Cheat Sheet (N = 2^17, r = 8, p = 1); NIST SP 800-63B-4, section 3.1.1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Iterable

from feilun.trust.errors import PasswordWeak

COST, BLOCK, PARALLEL = 17, 8, 1  # the cost is the exponent of N
SALT_BYTES, HASH_BYTES = 16, 32
LEAST, MOST = 12, 256
LEAST_DIFFERENT = 5
LEAST_NAME = 3  # a name of two letters is in half of all words


def hash_password(password: str) -> str:
    """What is kept: the parameters, a salt of its own and the hash, so that later releases can raise the parameters."""
    salt = secrets.token_bytes(SALT_BYTES)
    return _kept(COST, BLOCK, PARALLEL, salt, _scrypt(password, salt, cost=COST, block=BLOCK, parallel=PARALLEL))


def is_password(password: str, kept: str | None) -> bool:
    """Whether `kept` was made from `password`; takes as long for nobody's (None) as for somebody's."""
    _, cost, block, parallel, salt, digest = (kept or _NOBODYS).split("$")
    numbers = {"cost": int(cost), "block": int(block), "parallel": int(parallel)}
    found = _scrypt(password, base64.b64decode(salt), **numbers)
    return hmac.compare_digest(found, base64.b64decode(digest)) and kept is not None


def must_be_strong(password: str, *, names: Iterable[str]) -> None:
    """Raises:
    PasswordWeak: it is short, of few different characters, or has one of `names` in it.
    """
    plain = unicodedata.normalize("NFKC", password).casefold()
    has_name = any(len(name) >= LEAST_NAME and name.casefold() in plain for name in names)
    if not LEAST <= len(plain) <= MOST or len(set(plain)) < LEAST_DIFFERENT or has_name:
        raise PasswordWeak(least=LEAST, most=MOST)


def _scrypt(password: str, salt: bytes, *, cost: int, block: int, parallel: int) -> bytes:
    """Normalised, as one keyboard composes a letter that another one types whole."""
    given = unicodedata.normalize("NFKC", password[:MOST]).encode("utf-8", "surrogatepass")
    n_bytes = 128 * block * (1 << cost)
    return hashlib.scrypt(given, salt=salt, n=1 << cost, r=block, p=parallel, maxmem=2 * n_bytes, dklen=HASH_BYTES)


def _kept(cost: int, block: int, parallel: int, salt: bytes, digest: bytes) -> str:
    parts = (base64.b64encode(salt).decode(), base64.b64encode(digest).decode())
    return "$".join(("scrypt", str(cost), str(block), str(parallel), *parts))


_NOBODYS = _kept(COST, BLOCK, PARALLEL, bytes(SALT_BYTES), bytes(HASH_BYTES))

"""API keys: shown once, kept as hashes, bound to scopes and perhaps to one project, revoked within a second."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from threading import Lock
from typing import Any

from feilun.errors import FeilunError
from feilun.store import Store, utc_now

SCOPES = ("predict", "feedback", "read", "admin")  # admin includes the others
PREFIX = "fl_"
# Letters and digits without those that look alike (0 O, 1 I l): 57 of them, 5.8 bits each.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
N_CHARS = 32  # 186 random bits
MAX_NAME = 64
MAX_DAYS = 36_500
MAX_SECRET = 200  # what is longer was never ours and is not worth hashing
CACHE_S = 0.5  # how long a key may still open doors after it was revoked
MAX_CACHED = 1024


class KeyMissing(FeilunError):
    """A request that needs an API key came without one."""

    code, kind = "auth.key_missing", "forbidden"
    en = "An API key is needed. Send it as 'Authorization: Bearer fl_…'; make one with: feilun key create"
    zh = "需要 API 密钥。请以 'Authorization: Bearer fl_…' 发送；可用 feilun key create 创建。"


class KeyInvalid(FeilunError):
    """The key is unknown, revoked or expired; which of them is nobody's business who does not own it."""

    code, kind = "auth.key_invalid", "forbidden"
    en = "This API key is not valid (any more). See which are with: feilun key list"
    zh = "此 API 密钥无效或已失效。可用 feilun key list 查看有效的密钥。"


class ScopeMissing(FeilunError):
    """The key is good, but not for this action or not for this project."""

    code, kind = "auth.scope_missing", "forbidden"
    en = "This API key may not do this here: it needs the scope {scope!r} in this project."
    zh = "此 API 密钥无权在此执行该操作：需要本项目的 {scope!r} 权限。"


class KeyRequestInvalid(FeilunError):
    """A key cannot be made as asked."""

    code, kind = "auth.key_request_invalid", "invalid"
    en = (
        "A key needs a name of 1 to {max_name} characters, one or more scopes of {scopes}, "
        "and a lifetime of up to {max_days} days."
    )
    zh = "密钥需要 1 到 {max_name} 个字符的名称、{scopes} 中的一个或多个权限，以及不超过 {max_days} 天的有效期。"


def hash_secret(secret: str) -> str:
    """What is stored of a key. Its 186 random bits leave nothing to guess, so a fast hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def create_key(
    store: Store,
    *,
    name: str,
    scopes: Sequence[str],
    project: str | None = None,
    expires_in_days: float | None = None,
    actor: str = "python",
) -> tuple[dict[str, Any], str]:
    """A new key: its row, and the secret that is shown this once.

    Args:
        project: the only project it opens; None for every project of the workspace.
        expires_in_days: > 0; None never expires.
        actor: who makes it, for the audit log.
    Raises:
        KeyRequestInvalid: no name, an unknown scope, or a lifetime that is over already.
    """
    name, wanted = name.strip(), [scope for scope in SCOPES if scope in scopes]
    lifetime_is_bad = expires_in_days is not None and not 0 < expires_in_days <= MAX_DAYS
    if not 0 < len(name) <= MAX_NAME or not wanted or not set(scopes) <= set(SCOPES) or lifetime_is_bad:
        raise KeyRequestInvalid(max_name=MAX_NAME, scopes=list(SCOPES), max_days=MAX_DAYS)
    secret = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(N_CHARS))
    expires_at = None if expires_in_days is None else utc_now() + timedelta(days=expires_in_days)
    row = store.add_key(
        name=name,
        secret_hash=hash_secret(secret),
        scopes=wanted,
        project=project or None,
        expires_at=expires_at,
        actor=actor,
    )
    return row, secret


def check_key(store: Store, secret: str | None, *, scope: str, project: str | None = None) -> dict[str, Any]:
    """The key's row, when it may do `scope` in `project` (None: in the workspace as a whole).

    Raises:
        KeyMissing: there is no secret.
        KeyInvalid: unknown, revoked or expired.
        ScopeMissing: it may not do this here.
    """
    return allow(identify(store, secret), scope=scope, project=project)


def identify(store: Store, secret: str | None) -> dict[str, Any]:
    """The row of a living key.

    Raises:
        KeyMissing: there is no secret.
        KeyInvalid: unknown, revoked or expired.
    """
    if not secret:
        raise KeyMissing()
    digest = hash_secret(secret[:MAX_SECRET])
    row = store.find_key(digest)
    if row is None or not hmac.compare_digest(row["secret_hash"], digest):
        raise KeyInvalid()
    return _living(row)


def allow(row: dict[str, Any], *, scope: str, project: str | None) -> dict[str, Any]:
    """`row` again, when that key may do `scope` in `project`.

    With `project` None only the scope is asked; a caller that lists projects shows a bound key its own one alone.

    Raises:
        ScopeMissing: it may not.
    """
    in_scope = scope in row["scopes"] or "admin" in row["scopes"]
    in_project = project is None or row["project"] in (None, project)
    if not (in_scope and in_project):
        raise ScopeMissing(scope=scope)
    return row


def _living(row: dict[str, Any]) -> dict[str, Any]:
    if row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= utc_now()):
        raise KeyInvalid()
    return row


class KeyRing:
    """`identify` for a server: remembers living keys for CACHE_S. May be used from any thread."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, Lock()
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def remembered(self, secret: str) -> dict[str, Any] | None:
        """The row of a key that was looked up a moment ago; never touches the disk.

        Raises:
            KeyInvalid: it has expired meanwhile.
        """
        entry = self._known.get(hash_secret(secret[:MAX_SECRET]))
        if entry is None or entry[0] < time.monotonic():
            return None
        return _living(entry[1])

    def identify(self, secret: str | None) -> dict[str, Any]:
        """As the function `identify`."""
        known = self.remembered(secret) if secret else None
        if known is not None:
            return known
        row = identify(self._store, secret)
        with self._lock:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known[row["secret_hash"]] = (time.monotonic() + CACHE_S, row)
        return row

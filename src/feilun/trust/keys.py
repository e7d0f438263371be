"""API keys at the door: kept as hashes, bound to scopes, a tenant and perhaps one project, revoked within a second."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import timedelta
from threading import Lock
from typing import Any

from feilun.store import EVERYWHERE, ProjectUnknown, Reach, Store, utc_now
from feilun.trust.errors import KeyInvalid, KeyMissing, OperatorOnly, ScopeMissing, TenantDisabled
from feilun.trust.roles import opened_by

PREFIX = "fl_"
MAX_NAME = 64
MAX_SECRET = 200  # what is longer was never ours and is not worth hashing
CACHE_S = 0.5  # how long a key may still open doors after it was revoked
MAX_CACHED = 1024
NOTE_EVERY = timedelta(minutes=1)  # the last use of a key is kept to the minute: a write a minute, not a request


def hash_secret(secret: str) -> str:
    """What is stored of a key. Its 186 random bits leave nothing to guess, so a fast hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_key(store: Store, secret: str | None, *, scope: str, project: str | None = None) -> dict[str, Any]:
    """The key's row, when it may do `scope` in `project` (None: somewhere in the workspace).

    Raises:
        KeyMissing: there is no secret.
        KeyInvalid: unknown, revoked or expired.
        TenantDisabled: its tenant was shut out.
        ScopeMissing: it may not do this here.
    """
    row = allow(identify(store, secret), scope=scope, project=project)
    if project is not None and not reach_of(row).is_operators:
        try:
            store.get_project(reach_of(row), project)
        except ProjectUnknown as error:
            raise ScopeMissing(scope=scope) from error
    return row


def identify(store: Store, secret: str | None) -> dict[str, Any]:
    """The row of a living key.

    Raises:
        KeyMissing: there is no secret.
        KeyInvalid: unknown, revoked or expired.
        TenantDisabled: its tenant was shut out.
    """
    if not secret:
        raise KeyMissing()
    digest = hash_secret(secret[:MAX_SECRET])
    row = store.find_key(digest)
    if row is None or not (_same(row["secret_hash"], digest) or _same(row["previous_hash"], digest)):
        raise KeyInvalid()
    return _living(row, digest)


def allow(row: dict[str, Any], *, scope: str, project: str | None) -> dict[str, Any]:
    """`row` again, when that key may do `scope` and is not bound to another project than `project`.

    Which projects are its tenant's is not asked here: whoever lists projects, or finds one by name, shows a key those
    in its reach alone, so that one of another tenant is as unknown as one that never existed.

    Raises:
        ScopeMissing: it may not.
    """
    in_project = project is None or row["project"] in (None, project)
    if scope not in opened_by(row["scopes"]) or not in_project:
        raise ScopeMissing(scope=scope)
    return row


def reach_of(row: dict[str, Any] | None) -> Reach:
    """How far a key sees; None is the operator at the machine."""
    return EVERYWHERE if row is None else Reach(row["tenant"], row["project"])


def must_be_operator(row: dict[str, Any] | None) -> None:
    """Raises:
    OperatorOnly: the key is a tenant's, or one project's.
    """
    if not reach_of(row).is_operators:
        raise OperatorOnly()


def is_over(row: dict[str, Any]) -> bool:
    """Whether a key was revoked or has expired."""
    return row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= utc_now())


def _same(kept: str | None, digest: str) -> bool:
    return kept is not None and hmac.compare_digest(kept, digest)


def _living(row: dict[str, Any], digest: str) -> dict[str, Any]:
    """`row` again, when the secret with this digest still opens it."""
    is_old = not _same(row["secret_hash"], digest)
    if is_over(row) or (is_old and row["previous_until"] <= utc_now()):
        raise KeyInvalid()
    if row["tenant_disabled_at"] is not None:
        raise TenantDisabled()
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
        digest = hash_secret(secret[:MAX_SECRET])
        entry = self._known.get(digest)
        if entry is None or entry[0] < time.monotonic():
            return None
        return _living(entry[1], digest)

    def identify(self, secret: str | None) -> dict[str, Any]:
        """As the function `identify`; leaves in the store, to the minute, when the key was used."""
        known = self.remembered(secret) if secret else None
        if known is not None:
            return known
        row = identify(self._store, secret)
        with self._lock:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known[hash_secret((secret or "")[:MAX_SECRET])] = (time.monotonic() + CACHE_S, row)
        if row["last_used_at"] is None or row["last_used_at"] < utc_now() - NOTE_EVERY:
            self._store.note_key_used(row["key_id"])
        return row

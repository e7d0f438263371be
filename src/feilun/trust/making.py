"""Making, changing and closing API keys: nobody hands out more than they have."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from feilun.store import EVERYWHERE, Reach, Store, utc_now
from feilun.trust.errors import KeyBeyondMaker, KeyClosed, KeyRequestInvalid
from feilun.trust.keys import MAX_NAME, PREFIX, allow, hash_secret, is_over, reach_of
from feilun.trust.roles import ROLES, SCOPES, opened_by, role_of

# Letters and digits without those that look alike (0 O, 1 I l): 57 of them, 5.8 bits each.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
N_CHARS = 32  # 186 random bits
MAX_DAYS = 36_500
DAY_S = 86_400
GRACE_S = 1.0 * DAY_S
MAX_GRACE_DAYS = 90
SHOWN = (
    "key_id",
    "name",
    "scopes",
    "tenant",
    "project",
    "created_at",
    "expires_at",
    "revoked_at",
    "previous_until",
    "last_used_at",
)

Key = dict[str, Any]


def create_key(
    store: Store,
    *,
    name: str,
    scopes: Sequence[str] = (),
    role: str | None = None,
    tenant: str | None = None,
    project: str | None = None,
    expires_in_days: float | None = None,
    by: Key | None = None,
    actor: str = "python",
) -> tuple[Key, str]:
    """A new key: its row, and the secret that is shown this once.

    Args:
        role: a name of ROLES, instead of `scopes`.
        tenant: whose it is; None is the project's, or else the maker's own, the operator's for whoever is one.
        project: the only project it opens; None for every one of the tenant, or of the workspace.
        expires_in_days: > 0; None never expires.
        by: the key of whoever makes it; None is the operator at the machine.
        actor: the operator's name, for the audit log; a key's owner goes by the key's.
    Raises:
        KeyRequestInvalid: no name, an unknown scope or role, or a lifetime that is over already.
        TenantUnknown, ProjectUnknown: there is no such tenant or project, as far as the maker sees.
        KeyBeyondMaker: it would open more than the maker's, or for longer.
    """
    name, wanted = name.strip(), _scopes(scopes, role)
    if not 0 < len(name) <= MAX_NAME:
        raise _invalid()
    expires_at = _end_after(expires_in_days)
    _must_cover(by, wanted, expires_at=expires_at)
    owner = _owner(store, reach_of(by), tenant=tenant or None, project=project or None)
    secret = new_secret(PREFIX)
    row = store.add_key(
        name=name,
        secret_hash=hash_secret(secret),
        scopes=wanted,
        tenant=owner.tenant,
        project=owner.project,
        expires_at=expires_at,
        actor=who(by, actor),
    )
    return row, secret


def rotate_key(
    store: Store,
    key_id: str,
    *,
    grace_s: float = GRACE_S,
    expires_in_days: float | None = None,
    by: Key | None = None,
    actor: str = "python",
) -> tuple[Key, str]:
    """A new secret for a key: its row, and the secret that is shown this once. Id, rights and counts stay.

    Args:
        grace_s: how long the secret of now goes on; 0 ends it at once. The one before it ends in any case.
        expires_in_days: a new lifetime of the key; None keeps its end.
    Raises:
        KeyUnknown: there is no such key, as far as the caller sees.
        KeyClosed: it is revoked or has expired.
        KeyRequestInvalid: the grace or the lifetime makes no sense.
        KeyBeyondMaker: it opens more than the caller's, or for longer.
    """
    if not 0 <= grace_s <= MAX_GRACE_DAYS * DAY_S:
        raise _invalid()
    within = may_manage(by)
    row = store.get_key(within, key_id)
    if is_over(row):
        raise KeyClosed(key_id=key_id)
    expires_at = row["expires_at"] if expires_in_days is None else _end_after(expires_in_days)
    _must_cover(by, row["scopes"], expires_at=expires_at)
    secret = new_secret(PREFIX)
    row = store.rotate_key(
        within,
        key_id,
        secret_hash=hash_secret(secret),
        previous_until=utc_now() + timedelta(seconds=grace_s),
        expires_at=expires_at,
        actor=who(by, actor),
    )
    return row, secret


def revoke_key(store: Store, key_id: str, *, by: Key | None = None, actor: str = "python") -> Key:
    """Close a key for good; closing it again changes nothing.

    Raises:
        KeyUnknown: there is no such key, as far as the caller sees.
    """
    return store.revoke_key(may_manage(by), key_id, actor=who(by, actor))


def get_key(store: Store, key_id: str, *, by: Key | None = None) -> Key:
    """One key.

    Raises:
        KeyUnknown: there is no such key, as far as the caller sees.
    """
    return store.get_key(may_manage(by), key_id)


def list_keys(store: Store, *, by: Key | None = None) -> list[Key]:
    """The keys that the caller sees, oldest first."""
    return store.list_keys(may_manage(by))


def describe_key(row: Key) -> dict[str, Any]:
    """What may be shown of a key: never a hash, which is of no use to anyone."""
    return {name: row[name] for name in SHOWN} | {"role": role_of(row["scopes"])}


def who(by: Key | None, actor: str) -> str:
    """Who the audit log says it was: the key's owner or the signed-in person, else `actor`."""
    return actor if by is None else str(by["name"])


def _scopes(scopes: Sequence[str], role: str | None) -> list[str]:
    wanted = scopes if role is None else ROLES.get(role, ())
    if not wanted or (role is not None and scopes) or not set(wanted) <= set(SCOPES):
        raise _invalid()
    return [scope for scope in SCOPES if scope in wanted]


def _end_after(days: float | None) -> datetime | None:
    if days is None:
        return None
    if not 0 < days <= MAX_DAYS:
        raise _invalid()
    return utc_now() + timedelta(days=days)


def may_manage(by: Key | None) -> Reach:
    """How far somebody sees who may manage keys and people.

    Raises:
        ScopeMissing: they may not.
    """
    return EVERYWHERE if by is None else reach_of(allow(by, scope="keys", project=None))


def _must_cover(by: Key | None, scopes: Sequence[str], *, expires_at: datetime | None) -> None:
    if by is None:
        return
    opened, end = opened_by(allow(by, scope="keys", project=None)["scopes"]), by["expires_at"]
    if not opened_by(scopes) <= opened or (end is not None and (expires_at is None or expires_at > end)):
        own = ", ".join(scope for scope in SCOPES if scope in opened)
        raise KeyBeyondMaker(scopes=own, expires_at="-" if end is None else end.isoformat(timespec="seconds"))


def _owner(store: Store, maker: Reach, *, tenant: str | None, project: str | None) -> Reach:
    """Whose a new key is, and for which project."""
    if tenant is not None:
        store.get_tenant(maker, tenant)
    asked = Reach(tenant or maker.tenant, project or maker.project)
    if asked.project is None:
        return asked
    within = replace(maker, tenant=asked.tenant)
    return replace(asked, tenant=store.get_project(within, asked.project)["tenant"])


def new_secret(prefix: str) -> str:
    """A secret that nobody guesses and everybody can read out."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(N_CHARS))


def _invalid() -> KeyRequestInvalid:
    return KeyRequestInvalid(
        max_name=MAX_NAME,
        roles=", ".join(ROLES),
        scopes=", ".join(SCOPES),
        max_days=MAX_DAYS,
        max_grace_days=MAX_GRACE_DAYS,
    )

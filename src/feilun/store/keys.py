"""Verbs on API keys; only hashes are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import Change, Unaudited
from feilun.store.errors import KeyUnknown
from feilun.store.tenants import EVERYWHERE, Reach
from feilun.store.verbs import MAX_SHOWN, Verbs, new_id

USED = Unaudited("when a key was used last is traffic")


class KeyVerbs(Verbs):
    """Who may come in."""

    def add_key(
        self,
        *,
        name: str,
        secret_hash: str,
        scopes: Sequence[str],
        tenant: str | None,
        project: str | None,
        expires_at: datetime | None,
        actor: str,
    ) -> dict[str, Any]:
        """A new key of a tenant, or (None) of the operator."""
        key_id = new_id("key")
        row = {"name": name, "secret_hash": secret_hash, "scopes": list(scopes), "tenant": tenant, "project": project}
        query = t.api_keys.insert().values(key_id=key_id, created_at=t.utc_now(), expires_at=expires_at, **row)
        told = {"name": name, "scopes": list(scopes), "expires_at": expires_at and expires_at.isoformat()}
        made = _change("key.created", {"key_id": key_id, **row}, actor, told)
        self.writer.write(lambda c: c.execute(query), audit=lambda _: made)
        return self.get_key(EVERYWHERE, key_id)

    def get_key(self, within: Reach, key_id: str) -> dict[str, Any]:
        """A key that is in sight.

        Raises:
            KeyUnknown: it is not, or there is none.
        """
        row = self._find(sa.select(t.api_keys).where(*self._key(within, key_id)))
        if row is None:
            raise KeyUnknown(key_id=key_id[:MAX_SHOWN])
        return row

    def find_key(self, secret_hash: str) -> dict[str, Any] | None:
        """The key that has this secret, or had it and still takes it; with `tenant_disabled_at` of its tenant."""
        k, now = t.api_keys.c, t.utc_now()
        of_old = sa.and_(k.previous_hash == secret_hash, k.previous_until > now)
        disabled_at = t.tenants.c.disabled_at.label("tenant_disabled_at")
        whose = t.api_keys.outerjoin(t.tenants, t.tenants.c.tenant == k.tenant)
        query = sa.select(t.api_keys, disabled_at).select_from(whose)
        return self._find(query.where(sa.or_(k.secret_hash == secret_hash, of_old)))

    def list_keys(self, within: Reach) -> list[dict[str, Any]]:
        """Those in sight, oldest first."""
        return self._list(sa.select(t.api_keys).where(*within.rows_of(t.api_keys)).order_by(t.api_keys.c.seq))

    def rotate_key(
        self,
        within: Reach,
        key_id: str,
        *,
        secret_hash: str,
        previous_until: datetime,
        expires_at: datetime | None,
        actor: str,
    ) -> dict[str, Any]:
        """Give a key another secret; the present one opens until `previous_until`, the one before that no more.

        Raises:
            KeyUnknown: it is not in sight, or there is none.
        """
        row = self.get_key(within, key_id)
        values = {"secret_hash": secret_hash, "previous_hash": t.api_keys.c.secret_hash, "expires_at": expires_at}
        query = t.api_keys.update().where(*self._key(within, key_id))
        told = {"name": row["name"], "expires_at": expires_at and expires_at.isoformat()}
        rotated = _change("key.rotated", row, actor, told)
        self.writer.write(
            lambda c: c.execute(query.values(**values, previous_until=previous_until)), audit=lambda _: rotated
        )
        return self.get_key(within, key_id)

    def revoke_key(self, within: Reach, key_id: str, *, actor: str) -> dict[str, Any]:
        """Close a key for good; closing it again changes nothing.

        Raises:
            KeyUnknown: it is not in sight, or there is none.
        """
        row = self.get_key(within, key_id)
        query = t.api_keys.update().where(*self._key(within, key_id), t.api_keys.c.revoked_at.is_(None))
        closed = _change("key.revoked", row, actor, {"name": row["name"]})
        self.writer.write(
            lambda c: c.execute(query.values(revoked_at=t.utc_now())).rowcount,
            audit=lambda n_rows: closed if n_rows else None,
        )
        return self.get_key(within, key_id)

    def note_key_used(self, key_id: str) -> None:
        """Remember that a key opened something just now; may share a commit with others, nobody waits for it."""
        query = t.api_keys.update().where(t.api_keys.c.key_id == key_id).values(last_used_at=t.utc_now())
        self.writer.submit(lambda c: c.execute(query), audit=USED, may_linger=True)

    @staticmethod
    def _key(within: Reach, key_id: str) -> list[sa.ColumnElement[bool]]:
        return [t.api_keys.c.key_id == key_id, *within.rows_of(t.api_keys)]


def _change(action: str, row: dict[str, Any], actor: str, details: dict[str, Any]) -> Change:
    """What the audit log tells of a key; one of the operator's is no tenant's."""
    return Change(action, row["key_id"], actor, row["project"] or "", row["tenant"] or "", details)

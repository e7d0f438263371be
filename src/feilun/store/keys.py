"""Verbs on API keys; only hashes are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import Change
from feilun.store.verbs import Verbs, new_id


class KeyVerbs(Verbs):
    """Who may come in."""

    def add_key(
        self,
        *,
        name: str,
        secret_hash: str,
        scopes: Sequence[str],
        project: str | None,
        expires_at: datetime | None,
        actor: str,
    ) -> dict[str, Any]:
        key_id = new_id("key")
        row = {"name": name, "secret_hash": secret_hash, "scopes": list(scopes), "project": project}
        query = t.api_keys.insert().values(key_id=key_id, created_at=t.utc_now(), expires_at=expires_at, **row)
        told = {"name": name, "scopes": list(scopes), "expires_at": expires_at and expires_at.isoformat()}
        made = Change("key.created", key_id, actor, project or "", details=told)
        self.writer.write(lambda c: c.execute(query), audit=lambda _: made)
        return self.get_key(key_id)

    def get_key(self, key_id: str) -> dict[str, Any]:
        return self._get(sa.select(t.api_keys).where(t.api_keys.c.key_id == key_id), "key", key_id)

    def find_key(self, secret_hash: str) -> dict[str, Any] | None:
        return self._find(sa.select(t.api_keys).where(t.api_keys.c.secret_hash == secret_hash))

    def list_keys(self) -> list[dict[str, Any]]:
        return self._list(sa.select(t.api_keys).order_by(t.api_keys.c.seq))

    def revoke_key(self, key_id: str, *, actor: str) -> dict[str, Any]:
        """Close a key for good; closing it again changes nothing."""
        row = self.get_key(key_id)
        query = t.api_keys.update().where(t.api_keys.c.key_id == key_id, t.api_keys.c.revoked_at.is_(None))
        closed = Change("key.revoked", key_id, actor, row["project"] or "", details={"name": row["name"]})
        self.writer.write(
            lambda c: c.execute(query.values(revoked_at=t.utc_now())).rowcount,
            audit=lambda n_rows: closed if n_rows else None,
        )
        return self.get_key(key_id)

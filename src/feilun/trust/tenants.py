"""Tenants: made by whoever runs the workspace, never by a typo."""

from __future__ import annotations

import re
from typing import Any

from feilun.config import NAME_PATTERN
from feilun.store import Store
from feilun.trust.errors import TenantInvalid
from feilun.trust.keys import MAX_NAME


def create_tenant(store: Store, tenant: str, *, name: str = "", actor: str = "python") -> dict[str, Any]:
    """A new tenant, without projects or keys.

    Args:
        name: as people write it; empty takes the id.
        actor: who makes it, for the audit log.
    Raises:
        TenantInvalid: the id or the name cannot be used.
        TenantExists: there is one of that id already.
    """
    name = name.strip() or tenant
    if not re.fullmatch(NAME_PATTERN, tenant) or len(name) > MAX_NAME:
        raise TenantInvalid(max_name=MAX_NAME)
    return store.add_tenant(tenant, name=name, actor=actor)


def update_tenant(
    store: Store, tenant: str, *, name: str | None = None, is_disabled: bool | None = None, actor: str = "python"
) -> dict[str, Any]:
    """Rename a tenant, shut it out (its keys open nothing within a second), or let it in again.

    Raises:
        TenantInvalid: the name cannot be used.
        TenantUnknown: there is no such tenant.
    """
    name = None if name is None else name.strip()
    if name is not None and not 0 < len(name) <= MAX_NAME:
        raise TenantInvalid(max_name=MAX_NAME)
    return store.update_tenant(tenant, name=name, is_disabled=is_disabled, actor=actor)

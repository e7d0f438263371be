"""Rows, files and work: SQLite and a folder by default, PostgreSQL by URL."""

from feilun.store.errors import (
    IdempotencyConflict,
    KeyUnknown,
    NotFound,
    ProjectUnknown,
    StoreBroken,
    StoreFull,
    StoreTooNew,
    TenantExists,
    TenantUnknown,
)
from feilun.store.store import Store, find_workspace
from feilun.store.tables import utc_now
from feilun.store.tenants import EVERYWHERE, HOUSE, Reach
from feilun.store.verbs import new_id

__all__ = [
    "EVERYWHERE",
    "HOUSE",
    "IdempotencyConflict",
    "KeyUnknown",
    "NotFound",
    "ProjectUnknown",
    "Reach",
    "Store",
    "StoreBroken",
    "StoreFull",
    "StoreTooNew",
    "TenantExists",
    "TenantUnknown",
    "find_workspace",
    "new_id",
    "utc_now",
]

"""Rows, files and work: SQLite and a folder by default, PostgreSQL by URL."""

from feilun.store.errors import (
    HoldLost,
    IdempotencyConflict,
    KeyUnknown,
    NotFound,
    ProjectBusy,
    ProjectUnknown,
    StoreBroken,
    StoreFull,
    StoreTooNew,
    StoreUnavailable,
    StoreUrlInvalid,
    TenantExists,
    TenantUnknown,
)
from feilun.store.store import Store, find_workspace
from feilun.store.tables import MAX_ACTOR, utc_now
from feilun.store.tenants import EVERYWHERE, HOUSE, Reach
from feilun.store.verbs import new_id

__all__ = [
    "EVERYWHERE",
    "HOUSE",
    "MAX_ACTOR",
    "HoldLost",
    "IdempotencyConflict",
    "KeyUnknown",
    "NotFound",
    "ProjectBusy",
    "ProjectUnknown",
    "Reach",
    "Store",
    "StoreBroken",
    "StoreFull",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUrlInvalid",
    "TenantExists",
    "TenantUnknown",
    "find_workspace",
    "new_id",
    "utc_now",
]

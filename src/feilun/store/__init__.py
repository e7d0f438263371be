"""Rows, files and work: SQLite and a folder by default, PostgreSQL by URL."""

from feilun.store.errors import (
    HoldLost,
    IdempotencyConflict,
    NotFound,
    ProjectBusy,
    StoreBroken,
    StoreFull,
    StoreTooNew,
    StoreUnavailable,
    StoreUrlInvalid,
)
from feilun.store.store import Store, find_workspace
from feilun.store.tables import MAX_ACTOR, utc_now
from feilun.store.verbs import new_id

__all__ = [
    "MAX_ACTOR",
    "HoldLost",
    "IdempotencyConflict",
    "NotFound",
    "ProjectBusy",
    "Store",
    "StoreBroken",
    "StoreFull",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUrlInvalid",
    "find_workspace",
    "new_id",
    "utc_now",
]

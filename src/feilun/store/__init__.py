"""Rows, files and work: SQLite and a folder by default, PostgreSQL by URL."""

from feilun.store.errors import IdempotencyConflict, NotFound, StoreBroken, StoreFull, StoreTooNew
from feilun.store.limits import Lease, draw
from feilun.store.store import Store, find_workspace
from feilun.store.tables import utc_now
from feilun.store.usage import COUNTS, PARTS
from feilun.store.verbs import new_id

__all__ = [
    "COUNTS",
    "PARTS",
    "IdempotencyConflict",
    "Lease",
    "NotFound",
    "Store",
    "StoreBroken",
    "StoreFull",
    "StoreTooNew",
    "draw",
    "find_workspace",
    "new_id",
    "utc_now",
]

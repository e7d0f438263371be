"""Rows, files and work: SQLite and a folder by default, PostgreSQL by URL."""

from feilun.store.chain import HOUSE, MAX_ACTOR
from feilun.store.errors import (
    CodeInvalid,
    HoldLost,
    IdempotencyConflict,
    KeyUnknown,
    NotFound,
    PersonExists,
    PersonUnknown,
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
from feilun.store.limits import Permits, draw
from feilun.store.sessions import LONGEST, Knock
from feilun.store.store import Store, find_workspace
from feilun.store.tables import utc_now
from feilun.store.tallies import N_CONFIDENCE_BINS, latency_of
from feilun.store.tenants import EVERYWHERE, Reach
from feilun.store.turns import state_of
from feilun.store.usage import COUNTS, PARTS
from feilun.store.verbs import new_id

__all__ = [
    "COUNTS",
    "EVERYWHERE",
    "HOUSE",
    "LONGEST",
    "MAX_ACTOR",
    "N_CONFIDENCE_BINS",
    "PARTS",
    "CodeInvalid",
    "HoldLost",
    "IdempotencyConflict",
    "KeyUnknown",
    "Knock",
    "NotFound",
    "Permits",
    "PersonExists",
    "PersonUnknown",
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
    "draw",
    "find_workspace",
    "latency_of",
    "new_id",
    "state_of",
    "utc_now",
]

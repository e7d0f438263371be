"""What the verb files share: the reading helpers that `Store` provides."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa

from feilun.store.ledger import Ledger
from feilun.store.writer import Writer

MAX_PAGE = 1000
MAX_SHOWN = 64  # characters of an id that was asked for in vain


def new_id(prefix: str) -> str:
    """A fresh id made by us, 96 random bits: `prefix_…`."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Verbs:
    """Base of the mixins that make up `Store`."""

    writer: Writer
    ledger: Ledger
    engine: sa.Engine

    def _list(self, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[dict[str, Any]]:
        raise AssertionError("provided by Store")

    def _find(self, query: sa.Select[Any]) -> dict[str, Any] | None:
        raise AssertionError("provided by Store")

    def _get(self, query: sa.Select[Any], what: str, ref: str) -> dict[str, Any]:
        raise AssertionError("provided by Store")

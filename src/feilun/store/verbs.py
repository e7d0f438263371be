"""What the verb files share: the reading helpers that `Store` provides."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa

from feilun.store.chain import Audit
from feilun.store.ledger import Ledger
from feilun.store.writer import Writer

T = TypeVar("T")
MAX_PAGE = 1000
CHUNK = 1000  # rows of a large reading that are in memory at once
MAX_SHOWN = 64  # characters of an id that was asked for in vain


def new_id(prefix: str) -> str:
    """A fresh id made by us, 96 random bits: `prefix_…`."""
    return f"{prefix}_{secrets.token_hex(12)}"


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` may have come from `new_id(prefix)`."""
    return re.fullmatch(rf"{prefix}_[0-9a-f]{{24}}", text) is not None


class Verbs:
    """Base of the mixins that make up `Store`."""

    writer: Writer
    ledger: Ledger
    engine: sa.Engine

    @property
    def is_postgres(self) -> bool:
        """Whether the rows are on PostgreSQL, where other machines may work too."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def one_moment(self) -> Iterator[sa.Connection]:
        """A connection that sees the state of one moment, and hands rows over part by part."""
        options: dict[str, Any] = {"feilun_readonly": True, "yield_per": CHUNK}
        if self.is_postgres:
            options["isolation_level"] = "REPEATABLE READ"
        with self.engine.connect().execution_options(**options) as connection:
            yield connection

    def _list(self, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[dict[str, Any]]:
        raise AssertionError("provided by Store")

    def _find(self, query: sa.Select[Any]) -> dict[str, Any] | None:
        raise AssertionError("provided by Store")

    def _get(self, query: sa.Select[Any], what: str, ref: str) -> dict[str, Any]:
        raise AssertionError("provided by Store")

    def _write_alone(self, work: Callable[[sa.Connection], T], *, audit: Audit[T]) -> T:
        raise AssertionError("provided by HoldVerbs")

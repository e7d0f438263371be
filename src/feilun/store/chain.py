"""The audit chain: an entry for each change of state, bound to the one before it by a hash. Pure; no I/O.

What is hashed is what is stored, letter by letter: `at` and `details` are texts in the table, so that no two spellings
of an entry have the same hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
HOUSE = "house"  # is always there, and owns what no other tenant owns
FEILUN = "feilun"  # the actor of what no person asked for
GENESIS = "0" * 64  # what the first entry has for the hash before it
HASHED = ("seq", "at", "tenant", "project", "actor", "action", "subject", "details", "prev_hash")
MAX_ACTOR, MAX_SUBJECT = 64, 128  # characters; PostgreSQL refuses longer ones than its columns hold
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class Change:
    """What the audit log tells of a change of state: ids, names and counts; never a message, never a secret.

    Args:
        action: what happened, `noun.participle`, such as `key.revoked`.
        subject: id of what it happened to.
        actor: the person or the part of Feilun that did it.
        project: empty for what concerns the workspace as a whole.
        tenant: whose it is; of a project's changes, whoever owns the project, found when the entry is written.
    """

    action: str
    subject: str
    actor: str
    project: str = ""
    tenant: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unaudited:
    """Said of a write that leaves no entry: why it needs none."""

    reason: str


TRAFFIC = Unaudited("traffic, not a change of state")

# What a write says of itself: the change, from what the work returned (None when it changed nothing), or why not.
Audit = Callable[[T], Change | None] | Unaudited


@dataclass(frozen=True)
class Head:
    """The last entry of a chain: its place, which is also how many there are, and its hash."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


def parse_head(text: str) -> Head | None:
    """A head as its text says it; None when it says none."""
    match = _HEAD.fullmatch(text.strip())
    return Head(int(match[1]), match[2]) if match else None


def canonical(value: Any) -> str:
    """`value` as the one JSON text that is stored and hashed for it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def link(change: Change, *, after: Head, at: str) -> dict[str, Any]:
    """The row of `change` behind the entry `after`."""
    row = {
        "seq": after.seq + 1,
        "at": at,
        "tenant": change.tenant,
        "project": change.project,
        "actor": change.actor[:MAX_ACTOR],
        "action": change.action,
        "subject": change.subject[:MAX_SUBJECT],
        "details": canonical(dict(change.details)),
        "prev_hash": after.hash,
    }
    return row | {"hash": entry_hash(row)}


def entry_hash(row: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a row's columns; empty for a row that holds what no entry of ours can (bytes, for one)."""
    try:
        return hashlib.sha256(canonical({name: row[name] for name in HASHED}).encode()).hexdigest()
    except (TypeError, ValueError):
        return ""


def sign(head: Head, key: bytes) -> str:
    """Hex HMAC-SHA256 of a head: who has no key cannot make one for a chain that was cut or written anew."""
    return hmac.new(key, f"feilun audit head {head}".encode(), hashlib.sha256).hexdigest()


def is_signed(head: Head, key: bytes, signature: object) -> bool:
    """Whether `signature` is that of `head`."""
    return hmac.compare_digest(sign(head, key).encode(), str(signature).encode("utf-8", "surrogatepass"))


def fingerprint(key: bytes) -> str:
    """What the log may say of a key."""
    return hashlib.sha256(b"feilun audit key " + key).hexdigest()[:16]

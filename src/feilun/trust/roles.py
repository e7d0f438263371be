"""Scopes, and roles: sets of them that have a name."""

from __future__ import annotations

from collections.abc import Iterable

SCOPES = ("predict", "feedback", "read", "admin", "keys")
# `keys` stands apart: whoever may turn the wheel cannot let others in, so a lost admin key makes no further ones.
_INCLUDED = {"admin": ("predict", "feedback", "read")}
ROLES: dict[str, tuple[str, ...]] = {
    "viewer": ("read",),
    "labeller": ("predict", "feedback", "read"),
    "maintainer": ("predict", "feedback", "read", "admin"),
    "owner": SCOPES,
}


def opened_by(scopes: Iterable[str]) -> frozenset[str]:
    """All scopes that come with `scopes`: admin brings predict, feedback and read."""
    given = frozenset(scopes)
    return given.union(*(_INCLUDED.get(scope, ()) for scope in given))


def role_of(scopes: Iterable[str]) -> str | None:
    """The role that opens just as much, if one does."""
    opened = opened_by(scopes)
    return next((role for role, its in ROLES.items() if opened_by(its) == opened), None)

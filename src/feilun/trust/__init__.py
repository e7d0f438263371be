"""Who may do what: API keys."""

from feilun.trust.keys import (
    SCOPES,
    KeyInvalid,
    KeyMissing,
    KeyRequestInvalid,
    KeyRing,
    ScopeMissing,
    allow,
    check_key,
    create_key,
    identify,
)

__all__ = [
    "SCOPES",
    "KeyInvalid",
    "KeyMissing",
    "KeyRequestInvalid",
    "KeyRing",
    "ScopeMissing",
    "allow",
    "check_key",
    "create_key",
    "identify",
]

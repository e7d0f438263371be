"""Who may do what, and who did it: API keys, the audit log."""

from feilun.trust.audit import HeadMalformed, check_chain, describe, verify_audit
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
    "HeadMalformed",
    "KeyInvalid",
    "KeyMissing",
    "KeyRequestInvalid",
    "KeyRing",
    "ScopeMissing",
    "allow",
    "check_chain",
    "check_key",
    "create_key",
    "describe",
    "identify",
    "verify_audit",
]

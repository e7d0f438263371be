"""Who may do what, and who did it: tenants, roles, API keys, the audit log."""

from feilun.trust.audit import HeadMalformed, check_chain, describe, verify_audit
from feilun.trust.errors import (
    KeyBeyondMaker,
    KeyClosed,
    KeyInvalid,
    KeyMissing,
    KeyRequestInvalid,
    OperatorOnly,
    ScopeMissing,
    TenantDisabled,
    TenantInvalid,
)
from feilun.trust.keys import KeyRing, allow, check_key, identify, must_be_operator, reach_of
from feilun.trust.making import GRACE_S, create_key, describe_key, get_key, list_keys, revoke_key, rotate_key
from feilun.trust.roles import ROLES, SCOPES, opened_by, role_of
from feilun.trust.tenants import create_tenant, update_tenant

__all__ = [
    "GRACE_S",
    "ROLES",
    "SCOPES",
    "HeadMalformed",
    "KeyBeyondMaker",
    "KeyClosed",
    "KeyInvalid",
    "KeyMissing",
    "KeyRequestInvalid",
    "KeyRing",
    "OperatorOnly",
    "ScopeMissing",
    "TenantDisabled",
    "TenantInvalid",
    "allow",
    "check_chain",
    "check_key",
    "create_key",
    "create_tenant",
    "describe",
    "describe_key",
    "get_key",
    "identify",
    "list_keys",
    "must_be_operator",
    "opened_by",
    "reach_of",
    "revoke_key",
    "role_of",
    "rotate_key",
    "update_tenant",
    "verify_audit",
]

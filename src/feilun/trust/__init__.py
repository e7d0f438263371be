"""Who may do what, how much of it, and who did it: tenants, roles, API keys, limits, the audit log."""

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
from feilun.trust.limits import LimitInvalid, Limits, get_limit, set_limit
from feilun.trust.making import GRACE_S, create_key, describe_key, get_key, list_keys, revoke_key, rotate_key
from feilun.trust.quota import Claim, Payer, QuotaExceeded, month_of
from feilun.trust.rate import LEASE_WITHIN_S, Bucket, RateExceeded
from feilun.trust.roles import ROLES, SCOPES, opened_by, role_of
from feilun.trust.tenants import create_tenant, update_tenant
from feilun.trust.usage import BILLED, MonthInvalid, Part, list_usage, usage_columns

__all__ = [
    "BILLED",
    "GRACE_S",
    "LEASE_WITHIN_S",
    "ROLES",
    "SCOPES",
    "Bucket",
    "Claim",
    "HeadMalformed",
    "KeyBeyondMaker",
    "KeyClosed",
    "KeyInvalid",
    "KeyMissing",
    "KeyRequestInvalid",
    "KeyRing",
    "LimitInvalid",
    "Limits",
    "MonthInvalid",
    "OperatorOnly",
    "Part",
    "Payer",
    "QuotaExceeded",
    "RateExceeded",
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
    "get_limit",
    "identify",
    "list_keys",
    "list_usage",
    "month_of",
    "must_be_operator",
    "opened_by",
    "reach_of",
    "revoke_key",
    "role_of",
    "rotate_key",
    "set_limit",
    "update_tenant",
    "usage_columns",
    "verify_audit",
]

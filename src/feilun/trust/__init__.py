"""Who may do what, and how much of it: API keys, limits."""

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
from feilun.trust.limits import LimitInvalid, Limits, get_limit, set_limit
from feilun.trust.quota import HOUSE, Claim, Payer, QuotaExceeded, month_of
from feilun.trust.rate import LEASE_WITHIN_S, Bucket, RateExceeded
from feilun.trust.usage import BILLED, MonthInvalid, Part, list_usage, usage_columns

__all__ = [
    "BILLED",
    "HOUSE",
    "LEASE_WITHIN_S",
    "SCOPES",
    "Bucket",
    "Claim",
    "KeyInvalid",
    "KeyMissing",
    "KeyRequestInvalid",
    "KeyRing",
    "LimitInvalid",
    "Limits",
    "MonthInvalid",
    "Part",
    "Payer",
    "QuotaExceeded",
    "RateExceeded",
    "ScopeMissing",
    "allow",
    "check_key",
    "create_key",
    "get_limit",
    "identify",
    "list_usage",
    "month_of",
    "set_limit",
    "usage_columns",
]

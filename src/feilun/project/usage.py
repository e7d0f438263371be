"""Who used how much, and how much they may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.records import Limit, UsageLine
from feilun.store import Store

if TYPE_CHECKING:
    from feilun.trust import Part


class UsageVerbs:
    """Limits and the ledger of a workspace."""

    store: Store

    def usage(
        self,
        *,
        month: str | None = None,
        by: Sequence[Part] | None = None,
        tenant: str | None = None,
        project: str | None = None,
        key_id: str | None = None,
        asker: dict[str, Any] | None = None,
    ) -> list[UsageLine]:
        """What was asked over HTTP in a month, added up for each value of the parts `by`.

        Args:
            month: such as "2026-11", in UTC; None is the present one.
            by: of day, tenant, project, key and kind; None is all but day.
            tenant, project, key_id: only what went on this account; None for every one.
            asker: the key (its row) of whoever wants to know, and sees no more than it opens; None is the operator.
        Raises:
            MonthInvalid: there is no such month.
        """
        from feilun.trust import BILLED, list_usage, reach_of

        parts, only = BILLED if by is None else by, {"tenant": tenant, "project": project, "key_id": key_id}
        return list_usage(self.store, within=reach_of(asker), month=month, by=parts, **only)

    def write_usage(self, out: str | Path, *, month: str | None = None, by: Sequence[Part] | None = None) -> int:
        """Write `usage` to a file, whose name's end picks the format (.csv, .tsv, .jsonl, .xlsx); how many lines.

        Raises:
            MonthInvalid: there is no such month.
            UnknownOutput: no format ends so.
        """
        from feilun.data import write_rows
        from feilun.trust import BILLED, usage_columns

        columns = usage_columns(BILLED if by is None else by)
        lines = self.usage(month=month, by=by)
        rows = (((), [getattr(line, name) for name in columns]) for line in lines)
        return write_rows(Path(out), rows, columns=(), added=columns)

    def limits(self, *, by: dict[str, Any] | None = None) -> list[Limit]:
        """Every limit in sight that is set, those of keys first."""
        from feilun.trust import reach_of

        return self.store.list_limits(reach_of(by))

    def get_limit(
        self, *, key_id: str | None = None, tenant: str | None = None, by: dict[str, Any] | None = None
    ) -> Limit:
        """What a key or a tenant may use.

        Raises:
            LimitInvalid: it is neither or both.
            KeyUnknown, TenantUnknown: there is no such key or tenant in sight.
        """
        from feilun.trust import get_limit, reach_of

        return get_limit(self.store, _whose(key_id, tenant), within=reach_of(by))

    def set_limit(
        self,
        *,
        key_id: str | None = None,
        tenant: str | None = None,
        per_minute: int | None = None,
        burst: int | None = None,
        monthly_requests: int | None = None,
        monthly_characters: int | None = None,
        actor: str = "python",
    ) -> Limit:
        """What a key or a tenant may use from now on, all of it: what is None has no limit.

        Servers keep to it within a second.

        Args:
            key_id, tenant: whose limit it is; one of the two.
            per_minute: requests; of `burst` many may come at once after a pause (None: two seconds' worth).
            monthly_requests: a request with several inputs counts as so many.
        Raises:
            LimitInvalid: it is nobody's, or a number is out of its range.
            KeyUnknown, TenantUnknown: there is no such key or tenant.
        """
        from feilun.trust import set_limit

        wanted = {
            "per_minute": per_minute,
            "burst": burst,
            "monthly_requests": monthly_requests,
            "monthly_characters": monthly_characters,
        }
        return set_limit(self.store, _whose(key_id, tenant).model_copy(update=wanted), actor=actor)


def _whose(key_id: str | None, tenant: str | None) -> Limit:
    """A limit of nothing yet; of nobody when it is not said whose, or said twice."""
    if (key_id is None) == (tenant is None):
        return Limit(subject="key", subject_id="")
    return Limit(subject="tenant", subject_id=tenant) if key_id is None else Limit(subject="key", subject_id=key_id)

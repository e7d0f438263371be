"""What was used in a month, told apart as a bill or a chart wants it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from feilun.errors import FeilunError
from feilun.records import UsageLine
from feilun.store import COUNTS, EVERYWHERE, Reach, Store, utc_now
from feilun.trust.quota import month_of

Part = Literal["day", "tenant", "project", "key", "kind"]
BILLED: tuple[Part, ...] = ("tenant", "project", "key", "kind")  # what lines are told apart by, unless it is said
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


class MonthInvalid(FeilunError):
    """A month that cannot be read."""

    code, kind = "usage.month_invalid", "invalid"
    en = "There is no month {month!r}. Write it as year and month in UTC, such as 2026-11."
    zh = "无法识别月份 {month!r}。请按 UTC 写出年和月，例如 2026-11。"


def list_usage(
    store: Store,
    *,
    within: Reach = EVERYWHERE,
    month: str | None = None,
    by: Sequence[Part] = BILLED,
    tenant: str | None = None,
    project: str | None = None,
    key_id: str | None = None,
) -> list[UsageLine]:
    """The ledger of a month, added up for each value of the parts `by`, in their order; nothing used is no lines.

    Args:
        within: how far whoever asks sees; of what is beyond it there are no lines.
        month: such as "2026-11", in UTC; None is the present one.
        tenant, project, key_id: only what went on this account; None for every one.
    Raises:
        MonthInvalid: there is no such month.
    """
    start, end = month_of(utc_now() if month is None else _read(month))
    parts = ["key_id" if part == "key" else part for part in dict.fromkeys(by)]
    asked = Reach(within.tenant if tenant is None else tenant, within.project if project is None else project)
    if within.tenant not in (None, asked.tenant) or within.project not in (None, asked.project):
        return []
    rows = store.sum_usage(asked, since=start, until=end, by=parts, key_id=key_id)
    names = {key["key_id"]: key["name"] for key in store.list_keys(within)} if "key_id" in parts else {}
    return [
        UsageLine(
            month=f"{start:%Y-%m}",
            key_name=names.get(row["key_id"]) if "key_id" in parts else None,
            **{name: row[name] for name in (*parts, *COUNTS)},
        )
        for row in rows
    ]


def usage_columns(by: Sequence[Part]) -> tuple[str, ...]:
    """The fields of a line that say something when lines are told apart `by` these parts; the same in every month."""
    parts = [name for part in dict.fromkeys(by) for name in (("key_id", "key_name") if part == "key" else (part,))]
    return ("month", *parts, *COUNTS)


def _read(month: str) -> datetime:
    found = _MONTH.fullmatch(month)
    if found is None or found[1] in ("0000", "9999"):  # the first is no year, the last has no month after it
        raise MonthInvalid(month=month[:20])
    return datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)

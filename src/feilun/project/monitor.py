"""What was answered, when, how fast and how surely."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from feilun.project.base import Base
from feilun.records import Monitor
from feilun.store import utc_now

SHOWN = {"hour": timedelta(days=2), "day": timedelta(days=14), "week": timedelta(weeks=12)}


class MonitorVerbs(Base):
    """How the served model fares."""

    def list_answers(
        self,
        *,
        label: str | None = None,
        reason: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 20,
    ) -> list[dict[str, Any]]:
        """What was answered, latest first, such as the messages behind a label that came up more often.

        Args:
            label: only answers with this label.
            reason: only those decided so: confident, unsure, out_of_scope or memory.
            since: only from then on; without a time zone it is UTC.
            before: the `seq` of the last row of the page before. Each page looks at the 20,000 answers before it.
        Raises:
            MonitorTimeInvalid: a time is not of our age.
        """
        from feilun.feedback import in_utc

        begin = None if since is None else in_utc(since)
        return self.store.list_answers(self.name, label=label, reason=reason, since=begin, before=before, limit=limit)

    def monitor(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        bucket: Literal["hour", "day", "week"] = "day",
    ) -> Monitor:
        """Traffic, answer times, hand-over, confidence, labels and feedback over time; and how far it has moved.

        The numbers come from counts that are kept hour by hour, so a million answers are added up in an instant.

        Args:
            since: the bucket that it lies in is the first; None: two days, two weeks or twelve weeks ago, by `bucket`.
            until: None is now. Without a time zone, both are UTC.
        Raises:
            MonitorTimeInvalid: a time is not of our age.
            MonitorInvalid: the interval is empty, or has more than 1,000 buckets.
        """
        from feilun.feedback import check_interval, floor, in_utc, monitor

        end = utc_now() if until is None else in_utc(until)
        begin = end - SHOWN[bucket] if since is None else in_utc(since)
        check_interval(begin, end, bucket=bucket)
        begin = floor(begin, bucket)
        check_interval(begin, end, bucket=bucket)
        parts: Literal["hour", "day"] = "hour" if bucket == "hour" else "day"
        rows = self.store.sum_tallies(self.name, since=begin, until=end, bucket=parts)
        earlier = self.store.sum_tallies(self.name, since=begin - (end - begin), until=begin)
        return monitor(rows, earlier=earlier, since=begin, until=end, bucket=bucket)

"""Requests and characters a month: counted from the ledger, and in memory what is not in it yet.

What this process lets in it knows at once and exactly. What other servers on the store let in it reads from the ledger
every half second or so; by so much can a quota be overdrawn where several servers answer.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Literal, NamedTuple

from feilun.errors import FeilunError
from feilun.records import Limit
from feilun.store import EVERYWHERE, Store
from feilun.trust.rate import WHOSE

SETTLED = timedelta(minutes=2)  # no server's commit takes so long: lines about earlier minutes are all there
WHAT = {"requests": ("requests", "个请求"), "characters": ("characters", "个字符")}
Subject = tuple[Literal["key", "tenant"], str]


class QuotaExceeded(FeilunError):
    """More in a month than the key or its tenant may use."""

    code, kind = "limit.quota", "exhausted"
    en = (
        "{whose_en} may use {quota} {what_en} a month; {n_used} are used, and this request needs {n_asked}. "
        "The count begins anew at {resets_at}."
    )
    zh = (
        "{whose_zh}每月最多可使用 {quota} {what_zh}，已使用 {n_used}，本次请求需要 {n_asked}。"
        "将于 {resets_at} 重新开始计数。"
    )


class Payer(NamedTuple):
    """On whose account a request goes."""

    tenant: str
    key_id: str  # empty: from this machine, without a key

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Those whose limits hold for it."""
        tenant: Subject = ("tenant", self.tenant)
        return (("key", self.key_id), tenant) if self.key_id else (tenant,)


@dataclass
class Used:
    """Requests (one with several inputs counts as so many) and characters."""

    requests: int = 0
    characters: int = 0

    def __add__(self, other: Used) -> Used:
        return Used(self.requests + other.requests, self.characters + other.characters)


@dataclass
class Claim:
    """What a request has been promised and may still give back. Belongs to the month in which it came."""

    payer: Payer
    month: datetime
    requests: int
    characters: int = 0


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The first moments of the month, in UTC, and of the next one."""
    start = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=32)).replace(day=1)


class MonthCounts:
    """What is used of every quota. May be used from any thread; `read_others` from one at a time.

    Args:
        server: the name under which this process writes into the ledger.
        now: the present, aware.
    """

    def __init__(self, store: Store, *, server: str, now: Callable[[], datetime]) -> None:
        self._store, self._server, self._now = store, server, now
        self._lock = Lock()
        self._month, self._ends = month_of(now())
        self._quotas: dict[Subject, Limit] = {}
        self._mine: defaultdict[Subject, Used] = defaultdict(Used)
        self._others: Mapping[Subject, Used] = {}
        self._settled: dict[Subject, Used] = {}
        self._settled_until = self._month

    def claim(self, payer: Payer, *, requests: int = 1, characters: int = 0) -> Claim:
        """Promise a request its share.

        Raises:
            QuotaExceeded: it would be too much; nothing is counted.
        """
        with self._lock:
            self._turn_page()
            self._check(payer, requests, characters)
            claim = Claim(payer, self._month, requests, characters)
            self._add(claim, 1)
            return claim

    def enlarge(self, claim: Claim, *, requests: int, characters: int) -> None:
        """Promise more to the same request.

        Raises:
            QuotaExceeded: it would be too much; the claim is as it was.
        """
        with self._lock:
            self._turn_page()
            if claim.month == self._month:
                self._check(claim.payer, requests, characters)
                self._add(claim, -1)
            claim.requests, claim.characters = claim.requests + requests, claim.characters + characters
            self._add(claim, 1)

    def move(self, claim: Claim, payer: Payer) -> None:
        """Put the request on another account.

        Raises:
            QuotaExceeded: that one has no room for it; the claim is as it was.
        """
        with self._lock:
            self._turn_page()
            self._add(claim, -1)
            try:
                self._check(payer, claim.requests, claim.characters)
                claim.payer = payer
            finally:
                self._add(claim, 1)

    def give_back(self, claim: Claim) -> None:
        """The request came to nothing: it is not counted."""
        with self._lock:
            self._add(claim, -1)

    def take_again(self, claim: Claim) -> None:
        """It came to something after all."""
        with self._lock:
            self._add(claim, 1)

    def left(self, limit: Limit) -> Used:
        """What remains of a quota; of what has no quota, nothing."""
        used = self._used((limit.subject, limit.subject_id))
        return Used(
            max((limit.monthly_requests or 0) - used.requests, 0),
            max((limit.monthly_characters or 0) - used.characters, 0),
        )

    @property
    def span_s(self) -> tuple[int, int]:
        """Seconds that the month has, and that are left of it, at least 1."""
        left = math.ceil((self._ends - self._now()).total_seconds())
        return int((self._ends - self._month).total_seconds()), max(left, 1)

    def follow(self, limits: Iterable[Limit]) -> None:
        """Keep these quotas from now on, and look at what other servers let in. Reads the ledger if there are any."""
        quotas = {
            (one.subject, one.subject_id): one
            for one in limits
            if one.monthly_requests is not None or one.monthly_characters is not None
        }
        with self._lock:
            self._turn_page()
            month = self._month
        others = self._read_others(month) if quotas else {}
        with self._lock:
            if month == self._month:
                self._quotas, self._others = quotas, others

    # with the lock held

    def _turn_page(self) -> None:
        """A new month begins with nothing used."""
        now = self._now()
        if not self._month <= now < self._ends:
            self._month, self._ends = month_of(now)
            self._mine, self._others = defaultdict(Used), {}

    def _check(self, payer: Payer, requests: int, characters: int) -> None:
        for subject in payer.subjects if self._quotas else ():
            limit = self._quotas.get(subject)
            if limit is not None:
                used = self._used(subject)
                self._compare(limit, "requests", limit.monthly_requests, used.requests, requests)
                self._compare(limit, "characters", limit.monthly_characters, used.characters, characters)

    def _compare(self, limit: Limit, what: str, quota: int | None, n_used: int, n_asked: int) -> None:
        if quota is None or n_used + n_asked <= quota:
            return
        (whose_en, whose_zh), (what_en, what_zh) = WHOSE[limit.subject], WHAT[what]
        raise QuotaExceeded(
            whose_en=whose_en,
            whose_zh=whose_zh,
            what_en=what_en,
            what_zh=what_zh,
            quota=quota,
            n_used=n_used,
            n_asked=n_asked,
            resets_at=self._ends.isoformat(timespec="seconds").replace("+00:00", "Z"),
            retry_after_s=self.span_s[1],
        )

    def _used(self, subject: Subject) -> Used:
        return self._mine[subject] + self._others.get(subject, Used())

    def _add(self, claim: Claim, sign: int) -> None:
        if claim.month == self._month:
            for subject in claim.payer.subjects:
                self._mine[subject] += Used(sign * claim.requests, sign * claim.characters)

    # the ledger

    def _read_others(self, month: datetime) -> dict[Subject, Used]:
        """What other servers (and this one's earlier runs) wrote this month. Settled minutes are read once only."""
        if self._settled_until < month or self._settled_until > self._now():
            self._settled, self._settled_until = {}, month
        until = max(self._now().replace(second=0, microsecond=0) - SETTLED, month)
        if until > self._settled_until:
            self._settled = _together(self._settled, self._sum(self._settled_until, until))
            self._settled_until = until
        return _together(self._settled, self._sum(self._settled_until, month_of(month)[1]))

    def _sum(self, since: datetime, until: datetime) -> dict[Subject, Used]:
        found: defaultdict[Subject, Used] = defaultdict(Used)
        rows = self._store.sum_usage(EVERYWHERE, since=since, until=until, by=("tenant", "key_id"), not_by=self._server)
        for row in rows:
            for subject in Payer(row["tenant"], row["key_id"]).subjects:
                found[subject] += Used(row["n_units"], row["n_characters"])
        return found


def _together(a: Mapping[Subject, Used], b: Mapping[Subject, Used]) -> dict[Subject, Used]:
    nothing = Used()
    return {subject: a.get(subject, nothing) + b.get(subject, nothing) for subject in {*a, *b}}

"""What keys and tenants may use: set by an operator, kept by every server on the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache
from threading import Lock

from feilun.errors import FeilunError
from feilun.records import Limit
from feilun.store import EVERYWHERE, Permits, Reach, Store, new_id, utc_now
from feilun.trust.quota import MonthCounts, Payer, Subject
from feilun.trust.rate import Bucket

BURST_S = 2  # seconds' worth of the rate that may come at once, unless it is said otherwise
MOST_PER_MINUTE = 6_000_000
MOST_A_MONTH = 10**15
N_THREADS = 4  # that wait for the store's permits


class LimitInvalid(FeilunError):
    """A limit cannot be set as asked."""

    code, kind = "limit.invalid", "invalid"
    en = (
        "A limit needs one key or one tenant; 1 to {most_per_minute} requests a minute; a burst, only with them, of "
        "{least_burst} to as many requests; and monthly quotas of 0 to {most_a_month}."
    )
    zh = (
        "限额需要指定一个密钥或一个租户；每分钟请求数为 1 到 {most_per_minute}；突发数只能与其同时设置，"
        "取 {least_burst} 到每分钟请求数；每月配额为 0 到 {most_a_month}。"
    )


def set_limit(store: Store, wanted: Limit, *, actor: str = "python") -> Limit:
    """What a key or a tenant may use from now on, all of it: what is None has no limit.

    The operator's business alone. Servers keep to it within a second. A rate without a burst gets one of `BURST_S`
    seconds' worth.

    Raises:
        LimitInvalid: a number is out of its range.
        KeyUnknown, TenantUnknown: there is no such key or tenant.
    """
    rate, burst = wanted.per_minute, wanted.burst
    least = least_burst(rate)
    is_right = (
        wanted.subject_id != ""
        and (rate is None or 1 <= rate <= MOST_PER_MINUTE)
        and (burst is None or (rate is not None and least <= burst <= rate))
        and all(q is None or 0 <= q <= MOST_A_MONTH for q in (wanted.monthly_requests, wanted.monthly_characters))
    )
    if not is_right:
        raise LimitInvalid(most_per_minute=MOST_PER_MINUTE, least_burst=least, most_a_month=MOST_A_MONTH)
    if rate is not None and burst is None:
        wanted = wanted.model_copy(update={"burst": max(rate * BURST_S // 60, 1)})
    return store.set_limit(EVERYWHERE, wanted, actor=actor)


def get_limit(store: Store, whose: Limit, *, within: Reach = EVERYWHERE) -> Limit:
    """What a key or a tenant in sight may use; `whose` itself, which limits nothing, when nobody said.

    Raises:
        KeyUnknown, TenantUnknown: it is not in sight, or there is none.
    """
    if whose.subject == "key":
        store.get_key(within, whose.subject_id)
    else:
        store.get_tenant(within, whose.subject_id)
    return store.find_limit(within, whose.subject, whose.subject_id) or whose


def least_burst(per_minute: int | None) -> int:
    """A tenth of a second's worth: permits are handed to servers in blocks, and blocks have to fit into the bucket."""
    return max(-(-(per_minute or 0) // 600), 1)


class Limits:
    """Who may go on, in one process of many on a store. May be used from any thread.

    Args:
        clock: seconds that never go back; now: the present, aware. Both for tests.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.server_id = new_id("srv")  # of this run: a restarted server reads in the ledger what it wrote before
        self._store, self._clock = store, clock
        self._threads = _new_threads()
        self._following = Lock()
        self._limits: dict[Subject, Limit] = {}
        self._buckets: dict[Subject, Bucket] = {}
        self.counts = MonthCounts(store, server=self.server_id, now=now)

    def close(self) -> None:
        """Let go of the threads; they come back when they are needed."""
        self._threads.shutdown()
        self._threads = _new_threads()

    def follow(self) -> None:
        """Take up limits that were set meanwhile, and what other servers let in."""
        with self._following:
            self._follow()

    def _follow(self) -> None:
        limits: dict[Subject, Limit] = {
            (one.subject, one.subject_id): one for one in self._store.list_limits(EVERYWHERE)
        }
        self.counts.follow(limits.values())
        buckets: dict[Subject, Bucket] = {}
        for subject, limit in limits.items():
            known = self._buckets.get(subject)
            if limit.per_minute is not None:
                buckets[subject] = known if known is not None and known.limit == limit else self._bucket(limit)
        self._limits, self._buckets = limits, buckets

    def buckets_of(self, payer: Payer) -> list[Bucket]:
        """Those in which a request needs a permit each; none where no rate is limited."""
        buckets = self._buckets
        return [buckets[one] for one in payer.subjects if one in buckets] if buckets else []

    def headers_for(self, payer: Payer) -> dict[str, str]:
        """How a caller stands, as `RateLimit-Policy` and `RateLimit` say it; empty where nothing is limited.

        Source:
            draft-ietf-httpapi-ratelimit-headers-11.
        """
        limits = self._limits
        found = [limits[subject] for subject in payer.subjects if subject in limits] if limits else []
        if not found:
            return {}
        month_s, left_s = self.counts.span_s
        return {
            "RateLimit-Policy": ", ".join(_policy(limit, month_s) for limit in found),
            "RateLimit": ", ".join(self._standing(limit, left_s) for limit in found),
        }

    def _standing(self, limit: Limit, left_s: int) -> str:
        """What is left of each part of a limit, and the seconds until there is more."""
        subject, parts = limit.subject, []
        bucket = self._buckets.get((subject, limit.subject_id))
        if bucket is not None:
            parts.append(f'"{subject}-rate";r={bucket.remaining};t={bucket.wait_s}')
        left = self.counts.left(limit)
        if limit.monthly_requests is not None:
            parts.append(f'"{subject}-requests";r={left.requests};t={left_s}')
        if limit.monthly_characters is not None:
            parts.append(f'"{subject}-characters";r={left.characters};t={left_s}')
        return ", ".join(parts)

    def _bucket(self, limit: Limit) -> Bucket:
        def ask(n: int) -> Future[Permits | None]:
            return self._threads.submit(self._store.lease_permits, limit.subject, limit.subject_id, n=n)

        return Bucket(limit, ask=ask, clock=self._clock)


@lru_cache(maxsize=1024)
def _policy(limit: Limit, month_s: int) -> str:
    """Each part of a limit and the seconds that it is for."""
    windows = {
        "rate": (limit.per_minute, 60),
        "requests": (limit.monthly_requests, month_s),
        "characters": (limit.monthly_characters, month_s),
    }
    return ", ".join(f'"{limit.subject}-{name}";q={q};w={w}' for name, (q, w) in windows.items() if q is not None)


def _new_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(N_THREADS, thread_name_prefix="feilun-permits")

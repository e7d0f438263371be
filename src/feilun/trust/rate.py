"""Requests a minute, kept by all servers on one store together without asking it at every request.

A process leases permits from the store's bucket (`store.limits`) in blocks, as many as its own callers used in the last
second or so, and gives them out by itself. Where the bucket is empty it refuses by itself too, until the moment at
which the store said that there would be a permit again.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import RLock

from feilun.errors import FeilunError
from feilun.records import Limit
from feilun.store import Permits, draw

log = logging.getLogger(__name__)

HOLD_S = 1.0  # a block is what this process's callers need in about so long: half of what may come at once
MEASURED_S = 0.25  # need is not told from a shorter time than this: what comes at once would look like a flood
LEASE_S = 5.0  # permits that nobody wanted for so long are void: they came back to the bucket by themselves long ago
LEASE_WITHIN_S = 2.0  # a store that takes longer is done without
CLOSED_S = 0.1  # an empty bucket is asked again no sooner; it keeps what comes in meanwhile
WHOSE = {"key": ("This API key", "此 API 密钥"), "tenant": ("This tenant", "此租户")}

Ask = Callable[[int], "Future[Permits | None]"]


class RateExceeded(FeilunError):
    """More requests a minute than the key or its tenant may send."""

    code, kind = "limit.rate", "exhausted"
    en = "{whose_en} may send {per_minute} requests a minute. Send this one again in {retry_after_s} s."
    zh = "{whose_zh}每分钟最多可发送 {per_minute} 个请求。请在 {retry_after_s} 秒后重试。"


class Bucket:
    """The permits of one key or tenant in this process. May be used from any thread.

    Args:
        ask: asks the store for so many permits, without waiting; the future gives what it handed out, None when there
            is no limit any more.
        clock: seconds that never go back.
    """

    def __init__(self, limit: Limit, *, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        assert limit.per_minute is not None and limit.burst is not None
        self.limit = limit
        self._per_minute, self._burst = limit.per_minute, limit.burst
        self._interval = 60 / limit.per_minute
        self._ask, self._clock = ask, clock
        self._lock = RLock()
        self._pending: Future[Permits | None] | None = None
        self._n_held = self._n_block = 0
        self._expires_at = self._closed_until = -math.inf
        self._n_wanted, self._wanted_since = 0, clock()
        self._n_left, self._left_at = float(limit.burst), clock()  # in the store's bucket, when it was last seen
        self._own_full_at = -math.inf  # of the bucket that stands in while the store does not answer
        self._is_open = self._is_alone = False

    def take(self) -> Future[Permits | None] | None:
        """Take a permit; where this process has none left, the lease to wait for before trying again.

        Raises:
            RateExceeded: there is none now.
        """
        now = self._clock()
        with self._lock:
            self._n_wanted += 1
            if self._is_open:
                return None
            if self._n_held and now < self._expires_at:
                self._n_held -= 1
                if self._n_held < self._n_block // 4 and now >= self._closed_until:
                    self._lease(now)  # ahead, so that the next callers need not wait
                return None
            if now < self._closed_until:
                raise self._refusal(now)
            if self._pending is not None and now - self._wanted_since > LEASE_WITHIN_S:
                self.take_alone()
                return None
            return self._lease(now)

    def put_back(self) -> None:
        """Give back a permit that was taken a moment ago and not used."""
        now = self._clock()
        with self._lock:
            self._n_held = 1 + (self._n_held if now < self._expires_at else 0)
            self._expires_at = max(self._expires_at, now + LEASE_S)

    def take_alone(self) -> None:
        """Take a permit from a bucket of this process's own: the store does not answer in time.

        Raises:
            RateExceeded: there is none now.
        """
        now = self._clock()
        with self._lock:
            lease = self._draw_alone(now, 1)
            if not lease.n:
                self._closed_until = now + lease.wait_s
                raise self._refusal(now)

    @property
    def remaining(self) -> int:
        """Permits that a caller may count on, as far as this process knows."""
        now = self._clock()
        refilled = self._n_left + (now - self._left_at) / self._interval
        return max(min(int(refilled) + self._n_held, self._burst), 0)

    @property
    def wait_s(self) -> int:
        """Whole seconds after which there is a permit, or (where there is one) the bucket is full."""
        missing = self._burst - self.remaining
        return max(math.ceil(max(self._closed_until - self._clock(), missing * self._interval)), 0)

    def _refusal(self, now: float) -> RateExceeded:
        wait_s = max(math.ceil(self._closed_until - now), 1)
        whose_en, whose_zh = WHOSE[self.limit.subject]
        return RateExceeded(whose_en=whose_en, whose_zh=whose_zh, per_minute=self._per_minute, retry_after_s=wait_s)

    def _lease(self, now: float) -> Future[Permits | None]:
        """Called with the lock held: ask the store, unless it is asked already."""
        if self._pending is None:
            share = HOLD_S / max(now - self._wanted_since, MEASURED_S)
            n = max(1, min(math.ceil(self._n_wanted * share), self._burst))
            self._n_wanted, self._wanted_since = 0, now
            asked = self._pending = self._ask(n)
            asked.add_done_callback(lambda done: self._fill(done, n))
            return asked
        return self._pending

    def _fill(self, done: Future[Permits | None], n: int) -> None:
        now = self._clock()
        with self._lock:
            self._pending = None
            try:
                lease = done.result()
            except Exception as error:
                # The limit is kept all the same, by each server for itself: never fail open, never stop answering.
                if not self._is_alone:
                    log.warning("no permits from the store: %s", type(error).__name__)
                lease, self._is_alone = self._draw_alone(now, n), True
            else:
                self._is_alone = False
            if lease is None:
                self._is_open = True
                return
            self._n_held = lease.n + (self._n_held if now < self._expires_at else 0)
            self._n_block, self._expires_at = self._n_held, now + LEASE_S
            self._n_left, self._left_at = lease.n_left, now
            if lease.n < n:
                self._closed_until = now + max(lease.wait_s, min(CLOSED_S, self._burst * self._interval / 2))

    def _draw_alone(self, now: float, n: int) -> Permits:
        lease = draw(self._own_full_at, now=now, n=n, per_minute=self._per_minute, burst=self._burst)
        self._own_full_at = lease.full_at
        return lease

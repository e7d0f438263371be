"""The rate is kept by one server and by four, in blocks of permits, whatever the store does meanwhile."""

from __future__ import annotations

import random
from concurrent.futures import Future

import pytest

from feilun.records import Limit
from feilun.store import Permits, draw
from feilun.trust import Bucket, RateExceeded


class Shared:
    """The store's bucket as several servers see it, under a clock that is set by hand."""

    def __init__(self, per_minute: int, burst: int) -> None:
        self.limit = Limit(subject="key", subject_id="key_1", per_minute=per_minute, burst=burst)
        self.now, self.full_at, self.n_leases = 1000.0, 0.0, 0

    def server(self) -> Bucket:
        return Bucket(self.limit, ask=self.lease, clock=lambda: self.now)

    def lease(self, n: int) -> Future[Permits | None]:
        self.n_leases += 1
        assert self.limit.per_minute and self.limit.burst
        lease = draw(self.full_at, now=self.now, n=n, per_minute=self.limit.per_minute, burst=self.limit.burst)
        self.full_at = lease.full_at
        done: Future[Permits | None] = Future()
        done.set_result(lease)
        return done

    def offer(self, servers: list[Bucket], *, per_second: float, seconds: float, seed: int = 0) -> tuple[int, int]:
        """Requests at random moments to servers by turns; how many were let in, and how many there were."""
        rng, until, n_in, n = random.Random(seed), self.now + seconds, 0, 0
        while (pause := rng.expovariate(per_second)) + self.now < until:
            self.now += pause
            n += 1
            n_in += is_let_in(servers[n % len(servers)])
        self.now = until
        return n_in, n


def refusal_of(bucket: Bucket) -> RateExceeded | None:
    """Why a request is not let in; None when it is."""
    try:
        while (lease := bucket.take()) is not None:
            assert lease.done()
    except RateExceeded as refusal:
        return refusal
    return None


def is_let_in(bucket: Bucket) -> bool:
    return refusal_of(bucket) is None


@pytest.mark.parametrize("n_servers", [1, 4])
@pytest.mark.parametrize("per_minute", [60, 600, 6000, 60_000])
def test_over_a_minute_five_in_a_hundred_of_the_rate_are_let_in_too_many_or_too_few(per_minute: int, n_servers: int):
    shared = Shared(per_minute, max(per_minute // 30, 1))
    servers = [shared.server() for _ in range(n_servers)]
    n_in, _ = shared.offer(servers, per_second=3 * per_minute / 60, seconds=60)
    assert n_in == pytest.approx(per_minute, rel=0.05)
    n_in, _ = shared.offer(servers, per_second=10 * per_minute / 60, seconds=60, seed=1)
    assert n_in == pytest.approx(per_minute, rel=0.05)


@pytest.mark.parametrize("n_servers", [1, 4])
@pytest.mark.parametrize("per_minute", [600, 6000])
def test_who_keeps_below_the_rate_is_let_in(per_minute: int, n_servers: int):
    shared = Shared(per_minute, per_minute // 30)
    servers = [shared.server() for _ in range(n_servers)]
    n_in, n = shared.offer(servers, per_second=0.8 * per_minute / 60, seconds=60)
    assert n_in >= 0.99 * n


def test_the_store_is_asked_for_blocks_and_not_at_every_request():
    shared = Shared(60_000, 2000)
    n_in, n = shared.offer([shared.server()], per_second=300, seconds=20)
    assert n_in == n > 5000
    assert shared.n_leases < n / 50


def test_the_refusal_says_the_second_at_which_the_next_request_is_let_in():
    shared = Shared(6, 1)
    bucket = shared.server()
    assert is_let_in(bucket)
    for wait_s in (10, 9, 1):
        refusal = refusal_of(bucket)
        assert refusal is not None and refusal.fields["retry_after_s"] == wait_s
        assert "6 requests a minute" in refusal.message("en") and "每分钟最多" in refusal.message("zh")
        shared.now += {10: 1, 9: 8, 1: 1}[wait_s]
    assert shared.now == 1010
    assert is_let_in(bucket)


def test_a_burst_is_let_in_at_once_and_no_more_than_that():
    shared = Shared(600, 20)
    servers = [shared.server() for _ in range(4)]
    assert sum(is_let_in(servers[n % 4]) for n in range(100)) == 20


def test_permits_of_a_server_that_nobody_asked_for_long_are_void():
    shared = Shared(600, 20)
    idle = shared.server()
    assert [is_let_in(idle) for _ in range(8)] == [True] * 8
    shared.now += 60
    busy = shared.server()
    assert sum(is_let_in(busy) for _ in range(50)) == 20
    assert sum(is_let_in(idle) for _ in range(50)) == 0


def test_a_clock_that_ran_ahead_by_a_day_shuts_nobody_out():
    shared = Shared(600, 20)
    shared.full_at = shared.now + 86_400
    assert shared.offer([shared.server()], per_second=30, seconds=10)[0] == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("failure", [OSError("disk"), RuntimeError("shut")])
def test_without_a_store_the_limit_is_kept_all_the_same(failure: Exception):
    shared = Shared(600, 20)

    def fail(_: int) -> Future[Permits | None]:
        done: Future[Permits | None] = Future()
        done.set_exception(failure)
        return done

    shared.lease = fail  # type: ignore[method-assign]
    n_in, n = shared.offer([shared.server()], per_second=50, seconds=60)
    assert n_in == pytest.approx(600, rel=0.05) and n > 2000


def test_a_store_that_does_not_answer_in_time_is_done_without():
    shared = Shared(600, 20)
    shared.lease = lambda _: Future()  # type: ignore[method-assign]
    bucket = shared.server()
    assert bucket.take() is not None  # the first has to wait, those that come two seconds later do not
    shared.now += 2.1
    n_in, _ = shared.offer([bucket], per_second=50, seconds=60)
    assert n_in == pytest.approx(600, rel=0.05)


def test_a_permit_that_was_not_used_can_be_put_back():
    shared = Shared(60, 1)
    bucket = shared.server()
    assert is_let_in(bucket) and not is_let_in(bucket)
    bucket.put_back()
    assert is_let_in(bucket) and not is_let_in(bucket)

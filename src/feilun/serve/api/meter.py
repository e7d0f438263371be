"""One request on somebody's account: let in if there is room, counted if it was answered.

What is refused, for whatever reason, is not counted; the rate is that of all requests that knock. A line of the ledger
about answers or feedback is written in the transaction that writes them; any other one within a twentieth of a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from threading import Lock
from typing import Any, TypeVar

from feilun.records import Bill, Usage
from feilun.serve.api.access import Caller
from feilun.store import HOUSE, Store, utc_now
from feilun.trust import LEASE_WITHIN_S, Bucket, Claim, Limits, Payer, RateExceeded

T = TypeVar("T")
UNMETERED = ("/health", "/ready", "/metrics")
CURRENT: ContextVar[Meter | None] = ContextVar("feilun_meter", default=None)


def payer_of(caller: Caller, *, owner: str) -> Payer:
    """On whose account a request goes: a tenant's key's tenant, whatever it asks for, so that nobody uses up what is
    another's; with the operator's key, or none, that of the tenant whose project it is about (`owner`)."""
    if caller.key is None:
        return Payer(owner, "")
    return Payer(str(caller.key["tenant"] or owner), str(caller.key["key_id"]))


class Meter:
    """What one request is, and what it takes. May be used from the loop and from the engine's threads."""

    def __init__(self, limits: Limits, store: Store, claim: Claim, *, caller: Caller) -> None:
        self._limits, self._store, self._claim, self._caller = limits, store, claim, caller
        self._minute = utc_now().replace(second=0, microsecond=0)
        self._project, self._kind = "", "read"
        self._n_inputs = self._n_characters = self._n_tokens = 0
        self.cpu_s = 0.0
        self._lock = Lock()
        self._is_settled = self._is_returned = False

    def is_about(self, *, kind: str, project: str = "") -> None:
        """What the request turned out to be, for the ledger."""
        self._kind, self._project = kind, project

    def is_for(self, *, kind: str, project: str, owner: str) -> None:
        """As `is_about`, where only the body said which project it is, whose tenant is `owner`.

        Raises:
            QuotaExceeded: it goes on the owner's account, which has no room for it.
        """
        self.is_about(kind=kind, project=project)
        self._limits.counts.move(self._claim, payer_of(self._caller, owner=owner))

    def claim_inputs(self, texts: Sequence[str]) -> None:
        """Ask for room for all of `texts`, of which one was asked for at the door.

        Raises:
            QuotaExceeded: there is none; none of them is counted.
        """
        n_characters = sum(map(len, texts))
        self._limits.counts.enlarge(self._claim, requests=len(texts) - 1, characters=n_characters)
        self._n_inputs, self._n_characters = len(texts), n_characters

    @property
    def project(self) -> str:
        """Which it turned out to be about; empty while that is not known."""
        return self._project

    @property
    def bill(self) -> Bill:
        """On whose account it goes, and as what."""
        payer = self._claim.payer
        return Bill(self._minute, payer.tenant, self._project, payer.key_id, self._kind, self._limits.server_id)

    def add_cost(self, *, n_tokens: int, cpu_s: float) -> None:
        """What the engine spent on something that is recorded nowhere else."""
        self._n_tokens += n_tokens
        self.cpu_s += cpu_s

    def settle(self) -> None:
        """It is in the ledger: somebody wrote it there with what it counts."""
        with self._lock:
            self._is_settled = True
            if self._is_returned:  # the client hung up while the engine was at it
                self._is_returned = False
                self._limits.counts.take_again(self._claim)

    def waive(self) -> None:
        """It was counted before: the same feedback, sent again."""
        with self._lock:
            self._is_settled = self._is_returned = True
            self._limits.counts.give_back(self._claim)

    def finish(self, *, is_answered: bool) -> None:
        """The reply is on its way, or there was none."""
        with self._lock:
            if self._is_settled:
                self._write(n_requests=0)
            elif is_answered:
                self._is_settled = True
                self._write(n_requests=1)
            else:
                self._is_returned = True
                self._limits.counts.give_back(self._claim)

    def _write(self, *, n_requests: int) -> None:
        """A line of the ledger; about what was written before, only the CPU time that came to light since."""
        if n_requests or self.cpu_s:
            counts = (self._n_inputs, self._n_characters, self._n_tokens) if n_requests else (0, 0, 0)
            self._store.add_usage(Usage(self.bill, n_requests, *counts, cpu_ms=1000 * self.cpu_s))


class Till:
    """The limits of every workspace that a server serves, and who is let in under them.

    Args:
        workspaces: the store of each.
        stores: by project; the same object for the same workspace.
        owners: by project, the tenant whose it is.
    """

    def __init__(self, workspaces: Sequence[Store], stores: Mapping[str, Store], owners: Mapping[str, str]) -> None:
        self._stores, self._owners = dict(stores), dict(owners)
        self._limits = {store: Limits(store) for store in workspaces}
        self._nowhere = next(iter(self._limits), None)

    def add(self, project: str, *, store: Store, owner: str) -> None:
        """Count for one more project of a known workspace."""
        self._stores[project], self._owners[project] = store, owner

    def follow(self) -> None:
        """Take up what was set, and used elsewhere, meanwhile."""
        for limits in self._limits.values():
            limits.follow()

    def close(self) -> None:
        for limits in self._limits.values():
            limits.close()

    async def admit(self, caller: Caller, path: str) -> Meter | None:
        """Let a request in, or not; None where there is nothing to count it in.

        Raises:
            RateExceeded, QuotaExceeded: not now.
        """
        project = _project_in(path)
        store = self._store_of(caller, project)
        if store is None or path in UNMETERED:
            return None
        limits, payer = self._limits[store], self._payer_of(caller, project)
        await _take_permits(limits.buckets_of(payer))
        return Meter(limits, store, limits.counts.claim(payer), caller=caller)

    def headers_for(self, caller: Caller, path: str) -> dict[str, str]:
        """How a caller stands now; empty where nothing is limited."""
        project = _project_in(path)
        store = self._store_of(caller, project)
        if store is None or path in UNMETERED:
            return {}
        return self._limits[store].headers_for(self._payer_of(caller, project))

    def _payer_of(self, caller: Caller, project: str) -> Payer:
        return payer_of(caller, owner=self._owners.get(project, HOUSE))

    def _store_of(self, caller: Caller, project: str) -> Store | None:
        return caller.store or self._stores.get(project, self._nowhere)


def _project_in(path: str) -> str:
    """The project that an address names; empty when it names none."""
    return path.split("/", 4)[3] if path.startswith("/v1/projects/") else ""


async def _take_permits(buckets: Sequence[Bucket]) -> None:
    """One of each, or none.

    Raises:
        RateExceeded: one of them is empty.
    """
    taken: list[Bucket] = []
    try:
        for bucket in buckets:
            await _take_permit(bucket)
            taken.append(bucket)
    except RateExceeded:
        for bucket in taken:
            bucket.put_back()
        raise


async def _take_permit(bucket: Bucket) -> None:
    while (lease := bucket.take()) is not None:
        # Not wait_for: others wait for the same lease, and it must not be cancelled.
        done, _ = await asyncio.wait((asyncio.wrap_future(lease),), timeout=LEASE_WITHIN_S)
        if not done:
            return bucket.take_alone()
        done.pop().exception()  # looked at: the bucket has seen it, and fended for itself


def timed(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work`, and put the CPU time of this thread on the account of the request that asked for it."""
    meter, started_s = CURRENT.get(), time.thread_time()
    try:
        return work(*args, **kwargs)
    finally:
        if meter is not None:
            meter.cpu_s += time.thread_time() - started_s

"""A month's requests and characters: exact in one server, known to the others, kept over a restart, new every month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feilun.records import Bill, Limit, Usage
from feilun.store import EVERYWHERE, KeyUnknown, Store, TenantUnknown, utc_now
from feilun.store import tables as t
from feilun.store.chain import Unaudited
from feilun.trust import LimitInvalid, Limits, Payer, QuotaExceeded, create_key, get_limit, set_limit

ANN, BO = Payer("house", "key_ann"), Payer("house", "key_bo")
LATE_IN_MAY = datetime(2026, 5, 31, 23, 59, 30, tzinfo=UTC)


class Server:
    """One server's view of the quotas, under a clock that is set by hand; what it answers it writes into the ledger."""

    def __init__(self, store: Store, now: datetime = LATE_IN_MAY) -> None:
        self.store, self.now = store, now
        self.limits = Limits(store, now=lambda: self.now)
        self.limits.follow()

    def answer(self, payer: Payer = ANN, *, n: int = 1, characters: int = 0) -> None:
        claim = self.limits.counts.claim(payer)
        try:
            self.limits.counts.enlarge(claim, requests=n - 1, characters=characters)
        except QuotaExceeded:
            self.limits.counts.give_back(claim)
            raise
        minute = self.now.replace(second=0, microsecond=0)
        bill = Bill(minute, payer.tenant, "support", payer.key_id, "predict", self.limits.server_id)
        self.store.add_usage(Usage(bill, 1, n, characters)).result(30)


@pytest.fixture
def store(tmp_path: Path, database_url: str):
    with Store(tmp_path / ".feilun", url=database_url) as opened:
        for payer in (ANN, BO):
            row = {"key_id": payer.key_id, "name": "k", "secret_hash": payer.key_id, "scopes": ["predict"]}
            query = t.api_keys.insert().values(row | {"created_at": utc_now()})
            opened.writer.write(lambda c, query=query: c.execute(query), audit=Unaudited("ids that can be read"))
        yield opened


def limit(store: Store, payer: Payer = ANN, **quotas: int) -> None:
    store.set_limit(EVERYWHERE, Limit(subject="key", subject_id=payer.key_id, **quotas), actor="ann")


def n_let_in(server: Server, payer: Payer = ANN) -> int:
    n = 0
    try:
        while n < 100:
            server.answer(payer)
            n += 1
    except QuotaExceeded:
        pass
    return n


def test_one_server_lets_in_exactly_as_many_as_it_should(store):
    limit(store, monthly_requests=7)
    server = Server(store)
    assert n_let_in(server) == 7
    assert n_let_in(server, BO) == 100
    with pytest.raises(QuotaExceeded) as refused:
        server.answer()
    assert refused.value.fields["resets_at"] == "2026-06-01T00:00:00Z"
    assert (refused.value.fields["retry_after_s"], refused.value.fields["n_used"]) == (30, 7)
    assert "7 requests a month" in refused.value.message("en") and "7 个请求" in refused.value.message("zh")


def test_a_request_with_more_inputs_than_are_left_is_refused_whole_and_counts_nothing(store):
    limit(store, monthly_requests=10, monthly_characters=100)
    server = Server(store)
    server.answer(n=8, characters=10)
    for too_much in ({"n": 3}, {"characters": 91}):
        with pytest.raises(QuotaExceeded):
            server.answer(**too_much)
    server.answer(n=2, characters=90)
    with pytest.raises(QuotaExceeded):
        server.answer()
    used = store.sum_usage(EVERYWHERE, since=LATE_IN_MAY.replace(day=1), until=LATE_IN_MAY, by=())[0]
    assert (used["n_requests"], used["n_inputs"], used["n_characters"], used["n_units"]) == (2, 10, 100, 10)


def test_a_request_that_came_to_nothing_leaves_its_place_to_the_next(store):
    limit(store, monthly_requests=1)
    server = Server(store)
    claim = server.limits.counts.claim(ANN)
    with pytest.raises(QuotaExceeded):
        server.limits.counts.claim(ANN)
    server.limits.counts.give_back(claim)
    server.answer()
    with pytest.raises(QuotaExceeded):
        server.answer()


def test_counts_survive_a_restart_and_reach_the_other_servers(store):
    limit(store, monthly_requests=10)
    first, second = Server(store), Server(store)
    for _ in range(4):
        first.answer()
    second.limits.follow()
    for _ in range(3):
        second.answer()
    assert n_let_in(Server(store)) == 3
    first.limits.follow()
    with pytest.raises(QuotaExceeded):
        first.answer()


def test_lines_of_minutes_long_past_and_of_just_now_count_once_however_often_one_looks(store):
    limit(store, monthly_requests=100)
    watching, other = Server(store, LATE_IN_MAY - timedelta(hours=1)), Server(store, LATE_IN_MAY - timedelta(hours=1))
    for minutes in range(0, 60, 7):
        for server in (watching, other):
            server.now = LATE_IN_MAY - timedelta(minutes=60 - minutes)
        other.answer(n=5)
        watching.limits.follow()
        watching.limits.follow()
    assert n_let_in(watching) == 100 - 9 * 5


def test_a_month_ends_at_midnight_utc(store):
    limit(store, monthly_requests=2)
    server, restarted_later = Server(store), Server(store)
    assert n_let_in(server) == 2
    claim = server.limits.counts.claim(BO)
    server.now = restarted_later.now = datetime(2026, 6, 1, tzinfo=UTC)
    server.limits.counts.give_back(claim)  # it belongs to May, and takes nothing from June
    assert n_let_in(server) == 2
    restarted_later.limits.follow()
    with pytest.raises(QuotaExceeded):
        restarted_later.answer()


def test_the_tenant_pays_for_all_its_keys_and_for_this_machine(store):
    store.set_limit(EVERYWHERE, Limit(subject="tenant", subject_id="house", monthly_requests=3), actor="ann")
    server = Server(store)
    for payer in (ANN, BO, Payer("house", "")):
        server.answer(payer)
    for payer in (ANN, BO, Payer("house", "")):
        with pytest.raises(QuotaExceeded) as refused:
            server.answer(payer)
    assert refused.value.message("en").startswith("This tenant may use 3 requests a month")
    server.answer(Payer("other", "key_cy"))


def test_a_request_that_turns_out_to_be_another_tenant_s_goes_on_that_account_or_is_refused(store):
    store.add_tenant("acme", name="Acme", actor="ann")
    store.set_limit(EVERYWHERE, Limit(subject="tenant", subject_id="acme", monthly_requests=1), actor="ann")
    counts = Server(store).limits.counts
    theirs = Payer("acme", ANN.key_id)
    claims = [counts.claim(ANN) for _ in range(2)]
    counts.move(claims[0], theirs)
    with pytest.raises(QuotaExceeded) as refused:
        counts.move(claims[1], theirs)
    assert (refused.value.fields["n_used"], claims[1].payer) == (1, ANN)
    counts.give_back(claims[0])
    counts.move(claims[1], theirs)
    counts.move(claims[1], theirs)  # it has its place already
    with pytest.raises(QuotaExceeded):
        counts.claim(theirs)


def test_a_quota_that_is_set_later_counts_what_was_used_before_and_one_that_is_gone_counts_no_more(store):
    server = Server(store)
    for _ in range(4):
        server.answer()
    limit(store, monthly_requests=5)
    server.limits.follow()
    assert n_let_in(server) == 1
    limit(store)
    server.limits.follow()
    assert (store.list_limits(EVERYWHERE), n_let_in(server)) == ([], 100)


def test_a_limit_is_checked_before_it_is_set(store):
    key_id = create_key(store, name="website", scopes=["predict"])[0]["key_id"]
    mine = Limit(subject="key", subject_id=key_id)
    for wrong in (
        {"per_minute": 0},
        {"per_minute": -1},
        {"burst": 5},
        {"per_minute": 6000, "burst": 9},
        {"per_minute": 60, "burst": 61},
        {"monthly_requests": -1},
        {"monthly_characters": 10**16},
        {"subject_id": ""},
    ):
        with pytest.raises(LimitInvalid):
            set_limit(store, mine.model_copy(update=wrong))
    for subject, refusal in (("key", KeyUnknown), ("tenant", TenantUnknown)):
        nobody = Limit(subject=subject, subject_id="acme", per_minute=5)
        for verb in (set_limit, get_limit):
            with pytest.raises(refusal):
                verb(store, nobody)
    assert store.list_limits(EVERYWHERE) == []
    made = set_limit(store, mine.model_copy(update={"per_minute": 600, "monthly_requests": 0}))
    assert (made.burst, get_limit(store, mine)) == (20, made)
    assert store.list_limits(EVERYWHERE) == [made]

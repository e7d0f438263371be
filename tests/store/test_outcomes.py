"""How requests came out, counted by all servers together, on either kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from feilun.store import Store
from feilun.store import outcomes as counts
from feilun.store import tables as t

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> tuple[Path, str]:
    return tmp_path / ".feilun", database_url


def test_what_two_servers_counted_adds_up_and_the_old_goes(place, monkeypatch):
    with Store(place[0], url=place[1]) as one, Store(place[0], url=place[1]) as other:
        monkeypatch.setattr(t, "utc_now", lambda: NOON)
        one.add_outcomes("support", {NOON - 20 * MINUTE: (100, 100), NOON - MINUTE: (10, 1), NOON: (5, 0)})
        one.add_outcomes("support", {NOON: (2, 2)})
        other.add_outcomes("support", {NOON: (7, 3)})
        other.add_outcomes("another", {NOON: (1000, 1000)})
        other.add_outcomes("support", {})
        assert one.sum_outcomes("support", since=NOON - 10 * MINUTE) == (24, 6)
        assert one.sum_outcomes("support", since=NOON + MINUTE) == (0, 0)
        monkeypatch.setattr(t, "utc_now", lambda: NOON + counts.KEPT)
        one.add_outcomes("support", {NOON + counts.KEPT: (1, 0)})
        assert other.sum_outcomes("support", since=NOON - 60 * MINUTE) == (15, 5)
        with other.engine.connect() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(t.outcomes)).scalar_one() == 4

"""Messages that lie on somebody's desk, so that two people never label the same one at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import Unaudited
from feilun.store.verbs import Verbs

HELD_FOR = timedelta(minutes=3)  # a desk that is open asks again every minute
ON_A_DESK = Unaudited("who has a message in hand, not what came of it")


class ClaimVerbs(Verbs):
    """Who has which message in hand."""

    def list_claimed(self, project: str, *, besides: str) -> set[str]:
        """Example ids of messages that lie on other desks than `besides`."""
        c = t.claims.c
        query = sa.select(c.example_id).where(c.project == project, c.desk != besides, c.until > t.utc_now())
        return {row["example_id"] for row in self._list(query)}

    def claim(self, project: str, example_ids: Sequence[str], *, desk: str) -> set[str]:
        """Put messages on a desk, and keep what lies on it there; gives those of `example_ids` that do now.

        Each lies there for HELD_FOR, or until the desk asks again. What was another's a moment ago stays that one's.
        """
        c = t.claims.c

        def work(connection: sa.Connection) -> set[str]:
            now = t.utc_now()
            connection.execute(t.claims.delete().where(c.project == project, c.until <= now))
            connection.execute(
                t.claims.update().where(c.project == project, c.desk == desk).values(until=now + HELD_FOR)
            )
            there = sa.select(c.example_id, c.desk).where(c.project == project, c.example_id.in_(list(example_ids)))
            taken = {row.example_id: row.desk for row in connection.execute(there)}
            new = [one for one in dict.fromkeys(example_ids) if one not in taken]
            if new:
                rows = [{"project": project, "example_id": one, "desk": desk, "until": now + HELD_FOR} for one in new]
                connection.execute(t.claims.insert(), rows)
            return {one for one, whose in taken.items() if whose == desk}.union(new)

        return self.writer.write(work, audit=ON_A_DESK)

    def release_claims(self, project: str, *, desk: str) -> None:
        """Clear a desk: what lies on it is for others."""
        gone = t.claims.delete().where(t.claims.c.project == project, t.claims.c.desk == desk)
        self.writer.write(lambda connection: connection.execute(gone), audit=ON_A_DESK)

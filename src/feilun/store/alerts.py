"""How the rules of a project stand, and the alerts that follow.

Each is written in the transaction that changes a rule's state, and lies there until its target has taken it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import FEILUN, Change, Unaudited
from feilun.store.verbs import MAX_PAGE, Verbs, new_id

HELD_FOR = timedelta(seconds=60)  # longer than any try takes; a server that died has its alerts tried by another
MAX_KEPT = 500  # of a project; older ones go
ON_ITS_WAY = Unaudited("how far an alert got; that its rule fired is an entry")


class AlertVerbs(Verbs):
    """Rules that fire, and who was told."""

    def list_alert_states(self, project: str) -> dict[str, dict[str, Any]]:
        """By rule: state, occasion and since."""
        rows = self._list(sa.select(t.alert_states).where(t.alert_states.c.project == project))
        return {row["rule"]: row for row in rows}

    def change_alert(
        self,
        project: str,
        rule: str,
        *,
        known: tuple[str, str] | None,
        becomes: tuple[str, str],
        payload: dict[str, Any] | None,
        to: Sequence[tuple[str, str]],
    ) -> bool:
        """Let a rule stand otherwise, and lay out what is told of it; False when another server was faster.

        Args:
            known, becomes: state and occasion, before and from here on; None when it was never looked at.
            payload: what is told; None when it is no news.
            to: name and format of each target.
        """
        c, (state, occasion) = t.alert_states.c, becomes
        event = "" if payload is None else _event(payload)

        def work(connection: sa.Connection) -> bool:
            ours = (c.project == project, c.rule == rule)
            row = connection.execute(sa.select(c.state, c.occasion).where(*ours)).first()
            if (None if row is None else tuple(row)) != known:
                return False
            now = t.utc_now()
            values = {"state": state, "occasion": occasion} | ({"since": now} if event else {})
            if row is None:
                connection.execute(t.alert_states.insert().values(project=project, rule=rule, **values))
            else:
                connection.execute(t.alert_states.update().where(*ours).values(values))
            if payload is not None:
                _lay_out(connection, _letters(project, rule, payload, to, now=now))
            return True

        told = Change(f"alert.{event}", rule, FEILUN, project, details={"occasion": occasion, "n_targets": len(to)})
        return self.writer.write(work, audit=lambda is_done: told if is_done and event else None)

    def forget_alerts(self, project: str, *, besides: Sequence[str]) -> None:
        """Forget how rules stood that are off now: switched on again, they begin anew."""
        c = t.alert_states.c
        gone = t.alert_states.delete().where(c.project == project, c.rule.not_in(list(besides)))
        self.writer.write(lambda connection: connection.execute(gone), audit=Unaudited("what a rule that is off said"))

    def add_alert_tests(
        self, project: str, *, payload: dict[str, Any], to: Sequence[tuple[str, str]], actor: str
    ) -> list[dict[str, Any]]:
        """Lay out a test for each target, in the hands of whoever calls this."""
        now = t.utc_now()
        rows = [
            row | {"leased_until": now + HELD_FOR, "n_tries": 1} for row in _letters(project, "", payload, to, now=now)
        ]
        tested = Change("alert.tested", project, actor, project, details={"targets": [name for name, _ in to]})
        self.writer.write(lambda connection: _lay_out(connection, rows), audit=lambda _: tested)
        return rows

    def list_due_alert_targets(self, project: str) -> list[str]:
        """To whom there is something due that nobody has in hand, whoever has waited longest first."""
        due = _due(project, t.utc_now()).subquery().c
        longest = (sa.func.min(due.next_at), sa.func.min(due.seq))
        query = sa.select(due.target).group_by(due.target).order_by(*longest)
        return [row["target"] for row in self._list(query)]

    def take_alert(self, project: str, *, to: str | None = None) -> dict[str, Any] | None:
        """One that is due, in the hands of whoever calls this for HELD_FOR; None when there is none.

        Args:
            to: the target; None takes whichever is due.
        """
        if self._find(_next(project, to, t.utc_now())) is None:
            return None

        def work(connection: sa.Connection) -> dict[str, Any] | None:
            now = t.utc_now()
            row = connection.execute(_next(project, to, now)).mappings().first()
            if row is None:
                return None
            taken = {"leased_until": now + HELD_FOR, "n_tries": row["n_tries"] + 1}
            connection.execute(t.alert_deliveries.update().where(t.alert_deliveries.c.seq == row["seq"]).values(taken))
            return {**row, **taken}

        return self.writer.write(work, audit=ON_ITS_WAY)

    def settle_alert(
        self, project: str, delivery_id: str, *, trouble: dict[str, Any] | None, next_at: datetime | None
    ) -> None:
        """Say what a try came to: it arrived (no trouble), is tried again at `next_at`, or (None) is given up."""
        c = t.alert_deliveries.c
        state = "delivered" if trouble is None else "waiting" if next_at is not None else "failed"
        values = {"state": state, "error": trouble, "next_at": next_at, "leased_until": None}
        if state != "waiting":
            values["finished_at"] = t.utc_now()
        ours = (c.project == project, c.delivery_id == delivery_id, c.state == "waiting")
        settled = t.alert_deliveries.update().where(*ours).values(values)
        self.writer.write(lambda connection: connection.execute(settled), audit=ON_ITS_WAY)

    def list_alert_deliveries(self, project: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Latest first."""
        query = sa.select(t.alert_deliveries).where(t.alert_deliveries.c.project == project)
        return self._list(query.order_by(t.alert_deliveries.c.seq.desc()).limit(min(limit, MAX_PAGE)))


def _event(payload: dict[str, Any]) -> str:
    return str(payload["type"]).removeprefix("alert.")


def _letters(
    project: str, rule: str, payload: dict[str, Any], to: Sequence[tuple[str, str]], *, now: datetime
) -> list[dict[str, Any]]:
    """The rows of one alert, a target each."""
    same: dict[str, Any] = {
        "project": project,
        "event": _event(payload),
        "rule": rule,
        "payload": payload,
        "state": "waiting",
    }
    same |= {"n_tries": 0, "next_at": now, "leased_until": None, "created_at": now}
    return [same | {"delivery_id": new_id("alert"), "target": name, "format": kind} for name, kind in to]


def _lay_out(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write them, and drop the oldest of the project beyond MAX_KEPT."""
    table = t.alert_deliveries
    connection.execute(table.insert(), rows)
    whose = table.c.project == rows[0]["project"]
    last = sa.select(table.c.seq).where(whose).order_by(table.c.seq.desc()).offset(MAX_KEPT).limit(1)
    end = connection.execute(last).scalar()
    if end is not None:
        connection.execute(table.delete().where(whose, table.c.seq <= end))


def _due(project: str, now: datetime) -> sa.Select[Any]:
    """All that is due and in nobody's hands."""
    c = t.alert_deliveries.c
    is_free = sa.or_(c.leased_until.is_(None), c.leased_until <= now)
    return sa.select(t.alert_deliveries).where(c.project == project, c.state == "waiting", c.next_at <= now, is_free)


def _next(project: str, to: str | None, now: datetime) -> sa.Select[Any]:
    c = t.alert_deliveries.c
    query = _due(project, now) if to is None else _due(project, now).where(c.target == to)
    return query.order_by(c.next_at, c.seq).limit(1)

"""Telling somebody when something is wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from feilun.config import AlertSettings, AlertTargetSettings
from feilun.errors import FeilunError, language
from feilun.project.monitor import MonitorVerbs
from feilun.records import AlertBoard, AlertDelivery, AlertReading, AlertStanding, AlertTarget, Drift, MonitorBucket
from feilun.store import utc_now

if TYPE_CHECKING:
    from feilun.alerts import Door, Facts, Step

COUNTS_FOR_S = 60.0  # a week of counts takes tens of milliseconds to add up
WEEK = timedelta(days=7)
_SHOWN = ("delivery_id", "target", "format", "event", "rule", "state", "n_tries", "error", "created_at", "next_at")


class AlertVerbs(MonitorVerbs):
    """Rules, who is told of them, and what became of it."""

    def alerts(self, *, door: Door | None = None) -> AlertBoard:
        """The rules that are on and how they stand, and the targets.

        Args:
            door: where a server lets alerts go; None takes [serve] of this project.
        """
        from feilun.alerts import state_of

        settings = self._alert_settings()
        known, standing = self.store.list_alert_states(self.name) if settings.to else {}, []
        for reading in self._read_alerts(settings, known):
            row = known.get(reading.rule)
            state, since = state_of(_step(row), reading), row["since"] if row else None
            standing.append(AlertStanding(state=state, since=since, **reading.model_dump(exclude={"is_firing"})))
        targets = tuple(self._describe(target, door or self._door()) for target in settings.to)
        return AlertBoard(rules=tuple(standing), targets=targets)

    def alert_log(self, *, limit: int = 100) -> list[AlertDelivery]:
        """The latest alerts, those on their way among them."""
        return [_shown(row) for row in self.store.list_alert_deliveries(self.name, limit=limit)]

    def test_alerts(
        self, *, to: str | None = None, actor: str = "python", door: Door | None = None
    ) -> list[AlertDelivery]:
        """Send a test to all targets (or one) now, and say what came of it. It is tried once.

        Args:
            door: as for `alerts`.
        Raises:
            AlertsNowhere: the project has no target.
            AlertTargetUnknown: none is called so.
        """
        from feilun.alerts import AlertsNowhere, AlertTargetUnknown, payload_of

        targets = {target.name: target for target in self._alert_settings().to}
        if not targets:
            raise AlertsNowhere(project=self.name)
        if to is not None and to not in targets:
            raise AlertTargetUnknown(target=to[:64], known=", ".join(targets))
        wanted = list(targets.values()) if to is None else [targets[to]]
        payload = payload_of("test", project=self.name, at=utc_now())
        rows = self.store.add_alert_tests(self.name, payload=payload, to=_names(wanted), actor=actor)
        way = door or self._door()
        with ThreadPoolExecutor(len(rows)) as pool:
            list(pool.map(lambda row: self._try(row, targets[row["target"]], way, is_last=True), rows))
        sent = {row["delivery_id"] for row in rows}
        return [one for one in self.alert_log(limit=1000) if one.delivery_id in sent]

    def watch_alerts(self) -> list[AlertReading]:
        """Read the rules once, and lay out what is to be told; a server does it every few seconds.

        Returns:
            What somebody is told of.
        """
        settings = self._alert_settings()
        if not settings.to:
            return []
        known = self.store.list_alert_states(self.name)
        readings = self._read_alerts(settings, known)
        rules = [reading.rule for reading in readings]
        if not known.keys() <= set(rules):
            self.store.forget_alerts(self.name, besides=rules)
        return [reading for reading in readings if self._follow(reading, known.get(reading.rule), settings)]

    def _follow(self, reading: AlertReading, row: dict[str, Any] | None, settings: AlertSettings) -> bool:
        """Keep what a reading changes; True when somebody is told of it."""
        from feilun.alerts import payload_of, step

        before = _step(row)
        after = step(before, reading)
        if after is None:
            return False
        payload = None
        if after.event is not None:
            payload = payload_of(after.event, project=self.name, at=utc_now(), reading=reading, settings=settings)
        is_ours = self.store.change_alert(
            self.name,
            reading.rule,
            known=None if before is None else (before.state, before.occasion),
            becomes=(after.state, after.occasion),
            payload=payload,
            to=_names(settings.to),
        )
        return is_ours and payload is not None

    def note_outcomes(self, counts: Mapping[datetime, tuple[int, int]]) -> None:
        """Keep how many requests came and failed, by minute, if there is a rule about that; a server does it."""
        if counts and self._alert_settings().failed_requests:
            self.store.add_outcomes(self.name, counts)

    def due_alert_targets(self) -> list[str]:
        """Whom `send_alerts` would send something to now."""
        return self.store.list_due_alert_targets(self.name)

    def send_alerts(self, *, to: str | None = None, door: Door | None = None) -> int:
        """Send what is due, one after the other; how many tries that were. What does not arrive is tried again later.

        Args:
            to: the one target that is sent to; None sends to all.
            door: as for `alerts`.
        """
        n_tries = 0
        for row in self._due_alerts(to):
            targets = {target.name: target for target in self._alert_settings().to}
            self._try(row, targets.get(row["target"]), door or self._door(), is_last=row["event"] == "test")
            n_tries += 1
        return n_tries

    def _due_alerts(self, to: str | None) -> Iterator[dict[str, Any]]:
        row = self.store.take_alert(self.name, to=to)
        while row is not None:
            yield row
            row = self.store.take_alert(self.name, to=to)

    def _try(self, row: dict[str, Any], target: AlertTargetSettings | None, door: Door, *, is_last: bool) -> None:
        """Try to send a delivery once, and write down what came of it."""
        from feilun.alerts import when_again

        error = self._trouble_with(row, target, door)
        again = None
        if error is not None and target is not None and not is_last:
            rng = random.Random()  # no seed: servers that failed together are to come back apart
            again = when_again(row["n_tries"], created_at=row["created_at"], now=utc_now(), rng=rng)
        said = None if error is None else _said(error)
        self.store.settle_alert(self.name, row["delivery_id"], trouble=said, next_at=again)

    def _trouble_with(self, row: dict[str, Any], target: AlertTargetSettings | None, door: Door) -> FeilunError | None:
        """Send it; None when it arrived."""
        from feilun.alerts import AlertTargetUnknown, deliver

        if target is None:  # taken out of the settings meanwhile
            return AlertTargetUnknown(target=row["target"], known="–")
        spoken = self._alert_settings().language
        lang = language() if spoken == "auto" else spoken
        try:
            deliver(target, row["payload"], delivery_id=row["delivery_id"], lang=lang, folder=self.folder, door=door)
        except FeilunError as error:
            return error
        return None

    def _alert_settings(self) -> AlertSettings:
        self._follow_settings()
        return self.settings.alerts

    def _door(self) -> Door:
        from feilun.alerts import Door

        return Door.of(self.settings.serve)

    def _describe(self, target: AlertTargetSettings, door: Door) -> AlertTarget:
        from feilun.alerts import host_of

        host, trouble = "", None
        try:
            host = host_of(target, folder=self.folder, door=door)
        except FeilunError as error:
            trouble = _said(error)
        return AlertTarget(
            name=target.name, format=target.format, host=host, is_signed=bool(target.secret), trouble=trouble
        )

    def _read_alerts(self, settings: AlertSettings, known: dict[str, dict[str, Any]]) -> list[AlertReading]:
        from feilun.alerts import read_rules

        firing = frozenset(rule for rule, row in known.items() if row["state"] == "firing")
        return read_rules(settings, self._facts(settings, firing))

    def _facts(self, settings: AlertSettings, firing: frozenset[str]) -> Facts:
        from feilun.alerts import Facts
        from feilun.network.machine import disk_left_mb

        window, drift = self._counted(settings.window_h)
        now = utc_now()
        n_requests, n_failed = self.store.sum_outcomes(self.name, since=now - timedelta(minutes=settings.failed_min))
        return Facts(
            now=now,
            n_requests=n_requests,
            n_failed=n_failed,
            window=window,
            drift=drift,
            last_hour=self.store.find_last_hour(self.name),
            live=self.store.find_live_release(self.name),
            failed=self.store.find_last_turn(self.name, status="failed"),
            done=self.store.find_last_turn(self.name),
            disk_left_mb=disk_left_mb(self.store.workspace),
            firing=firing,
        )

    def _counted(self, window_h: int) -> tuple[MonitorBucket, Drift]:
        """The last hours as a whole, and the drift of this week; not added up anew for COUNTS_FOR_S."""
        until, of, counted = self._alert_counts
        if time.monotonic() >= until or of != window_h:
            now = utc_now()
            window = self.monitor(since=now - timedelta(hours=window_h), until=now, bucket="hour").whole
            counted = (window, self.monitor(since=now - WEEK, until=now, bucket="hour").drift)
            self._alert_counts = (time.monotonic() + COUNTS_FOR_S, window_h, counted)
        return counted


def _names(targets: Any) -> list[tuple[str, str]]:
    return [(target.name, target.format) for target in targets]


def _step(row: dict[str, Any] | None) -> Step | None:
    from feilun.alerts import Step

    return None if row is None else Step(row["state"], row["occasion"], None)


def _said(error: FeilunError) -> dict[str, Any]:
    """An error as it is kept: in both languages."""
    return {"code": error.code, "en": error.message("en"), "zh": error.message("zh")}


def _shown(row: dict[str, Any]) -> AlertDelivery:
    kept = {name: row[name] for name in (*_SHOWN, "finished_at")}
    return AlertDelivery(en=row["payload"]["data"]["en"], zh=row["payload"]["data"]["zh"], **kept)

"""What works or waits in a workspace now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feilun.store import Reach, Store, state_of
from feilun.trust import reach_of

Row = dict[str, Any]


class JobVerbs:
    """Turns, asked-for turns, compressions and backups: whatever takes time, over all projects in sight."""

    store: Store

    def list_jobs(self, *, by: Row | None = None) -> list[Row]:
        """What is under way or asked for, the oldest first; what has ended is in the lists of each project.

        Args:
            by: the key of whoever asks, who sees no more than it opens; None is the operator.
        """
        within = reach_of(by)
        found = [job for row in self.store.list_projects(within) for job in self._in_project(str(row["project"]))]
        return sorted([*found, *self._backups(within)], key=lambda job: job["since"])

    def _in_project(self, project: str) -> Iterator[Row]:
        turn = self.store.find_unfinished_turn(project)
        request = self.store.find_turn_request(project)
        compression = self.store.find_open_compression(project)
        if turn is not None:
            yield self._job("turn", turn["turn_id"], turn, project=project, state=state_of(turn))
        if request is not None:
            # Who asked is in the audit log; the request itself knows what made somebody ask.
            asked = {"created_at": request["created_at"], "requested_by": request["trigger"]}
            yield self._job("turn_request", "", asked, project=project, state="waiting") | {"note": request["note"]}
        if compression is not None:
            job_id, state = compression["compression_id"], compression["status"]
            yield self._job("compression", job_id, compression, project=project, state=state)

    def _job(self, kind: str, job_id: str, row: Row, *, project: str, state: str) -> Row:
        last = self.store.find_last_event(project, job_id) if job_id else None
        return {
            "kind": kind,
            "job_id": job_id,
            "project": project,
            "state": state,
            "by": row["requested_by"],
            "since": row["created_at"],
            "step": None if last is None else last.data.get("step") or last.kind.partition(".")[0],
            "heard_at": None if last is None else last.created_at,
            "note": "",
            "may_cancel": kind == "turn",
        }

    def _backups(self, within: Reach) -> Iterator[Row]:
        from feilun.operate import KeptBackups

        if not within.is_operators:
            return
        for one in KeptBackups(self.store).list_kept():
            if one.state == "running":
                row = {"requested_by": one.actor, "created_at": one.created_at}
                yield self._job("backup", "", row, project="", state="running") | {"job_id": one.backup_id}

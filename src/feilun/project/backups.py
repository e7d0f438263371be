"""Backups that the workspace keeps, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.store import Store
from feilun.store.verbs import new_id

if TYPE_CHECKING:
    from feilun.operate import KeptBackups
    from feilun.operate.findings import Finding

Row = dict[str, Any]


class BackupVerbs:
    """Archives in the workspace's own folder, the operator's business alone: each holds every tenant's messages.

    They lie on the same disk as what they are a backup of, so fetch them. `Project.backup` writes one elsewhere.
    """

    store: Store

    def keep_backup(self, *, actor: str = "python") -> Row:
        """Make one now, while the workspace is served; a row of `list_backups`, its `state` done or failed.

        Raises:
            BackupUnderWay, TooManyBackups, NoRoom: none is begun.
        """
        kept = self._kept()
        return _row(kept.make(kept.begin(new_id("bk"), actor=actor)))

    def begin_backup(self, *, actor: str = "python") -> Row:
        """As `keep_backup`, in a thread of its own: its `state` is running, `list_backups` says when it is done.

        Raises:
            BackupUnderWay, TooManyBackups, NoRoom: none is begun.
        """
        kept = self._kept()
        begun = kept.begin(new_id("bk"), actor=actor)
        kept.make_aside(begun)
        return _row(begun)

    def list_backups(self) -> list[Row]:
        """Those that are kept, that are being made, and the last one that failed; latest first."""
        return [_row(one) for one in self._kept().list_kept()]

    def open_backup(self, backup_id: str, *, actor: str = "python") -> Path:
        """Where the archive of one lies; that somebody fetched it is an entry of the audit log.

        Raises:
            BackupUnknown: there is none of that id that is done.
        """
        return self._kept().open(backup_id, actor=actor)

    def remove_backup(self, backup_id: str, *, actor: str = "python") -> None:
        """Raises:
        BackupUnknown: there is none of that id.
        BackupUnderWay: it is being made.
        """
        self._kept().remove(backup_id, actor=actor)

    def size_of_backup(self) -> dict[str, Any]:
        """What one would take: bytes of database, models, datasets and projects, and what the disk has left."""
        from feilun.network.machine import MB, disk_left_mb
        from feilun.operate import MOST_KEPT, measure

        left = int(disk_left_mb(self.store.workspace) * MB)
        return measure(self.store) | {"disk_left": left, "most_kept": MOST_KEPT, "is_postgres": self.store.is_postgres}

    def doctor(self, folders: Sequence[Path] | None = None) -> tuple[Finding, ...]:
        """What is wrong with the workspace, its projects and this machine, and what to do.

        Args:
            folders: of its projects; None: as the workspace knows them.
        """
        from feilun.operate import examine_workspace
        from feilun.store import EVERYWHERE

        if folders is None:
            folders = [Path(row["folder"]) for row in self.store.list_projects(EVERYWHERE)]
        return examine_workspace(self.store.workspace, folders)

    def _kept(self) -> KeptBackups:
        from feilun.operate import KeptBackups

        return KeptBackups(self.store)


def _row(backup: Any) -> Row:
    told: Row = backup.model_dump(exclude={"holder"})
    return told | {"projects": list(backup.projects), "left_out": list(backup.left_out)}

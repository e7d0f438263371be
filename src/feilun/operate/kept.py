"""Backups that a workspace keeps in a folder of its own, so that they can be fetched over HTTP: a few, one at a time.

Each is an archive under a name that we gave it, and a card beside it that says how far it is.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from feilun.disk import write_whole
from feilun.errors import FeilunError
from feilun.logs import place
from feilun.network.machine import MB
from feilun.operate.backup import back_up, check_room
from feilun.operate.errors import BackupInterrupted, BackupUnderWay, BackupUnknown, TooManyBackups
from feilun.operate.measure import measure
from feilun.process import identity, is_gone
from feilun.store import Store, utc_now
from feilun.store.chain import Change

log = logging.getLogger(__name__)
FOLDER = "backups"
MOST_KEPT = 5
LONGEST = timedelta(hours=24)  # of a process on another machine nobody can see whether it lives
_ID = re.compile(r"bk_[0-9a-f]{24}")


class KeptBackup(BaseModel):
    """The card of a backup. `holder` is the process that makes it; size and checksum are those of the whole archive."""

    model_config = ConfigDict(frozen=True)

    backup_id: str
    state: Literal["running", "done", "failed"] = "running"
    actor: str
    holder: str
    created_at: datetime
    finished_at: datetime | None = None
    size: int = 0
    sha256: str = ""
    n_members: int = 0
    projects: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    code: str = ""
    en: str = ""
    zh: str = ""


class KeptBackups:
    """The backups in the folder of one workspace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.workspace / FOLDER

    def begin(self, backup_id: str, *, actor: str) -> KeptBackup:
        """Take the turn to make one; `make` must follow.

        Raises:
            BackupUnderWay: another one is being made.
            TooManyBackups: as many are kept as may be.
            NoRoom: the disk would not take it.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with FileLock(self._store.lock_path("backups")):
            kept = self.list_kept()
            if any(one.state == "running" for one in kept):
                raise BackupUnderWay()
            if sum(one.state == "done" for one in kept) >= MOST_KEPT:
                raise TooManyBackups(n_kept=MOST_KEPT)
            check_room(sum(measure(self._store).values()) / MB, self._folder)
            self._sweep(kept)
            begun = KeptBackup(backup_id=backup_id, actor=actor, holder=identity(), created_at=utc_now())
            self._write(begun)
        return begun

    def make(self, begun: KeptBackup) -> KeptBackup:
        """Write the archive of one that was begun; what goes wrong is on its card."""
        archive = self._archive(begun.backup_id)
        try:
            manifest = back_up(self._store, archive, actor=begun.actor)
            size, digest = archive.stat().st_size, _digest(archive)
        except Exception as error:
            log.error("backup %s: %s", begun.backup_id, place(error))
            known = error if isinstance(error, FeilunError) else BackupInterrupted()
            return self._end(begun, state="failed", code=known.code, en=known.message("en"), zh=known.message("zh"))
        told = {"projects": manifest.projects, "left_out": manifest.left_out, "n_members": len(manifest.members)}
        return self._end(begun, state="done", size=size, sha256=digest, **told)

    def make_aside(self, begun: KeptBackup) -> None:
        """`make` in a thread of its own; a process that ends takes it along."""
        threading.Thread(target=self.make, args=(begun,), name="feilun-backup", daemon=True).start()

    def list_kept(self) -> list[KeptBackup]:
        """Latest first."""
        return sorted(self._cards(), key=lambda one: one.created_at, reverse=True)

    def get(self, backup_id: str) -> KeptBackup:
        """Raises:
        BackupUnknown: there is none of that id.
        """
        found = self._read(self._card(backup_id)) if _ID.fullmatch(backup_id) else None
        if found is None:
            raise BackupUnknown(backup_id=backup_id[:64])
        return found

    def open(self, backup_id: str, *, actor: str) -> Path:
        """Where the archive lies, for somebody who fetches it: an entry of the audit log, as it holds everything.

        Raises:
            BackupUnknown: there is none of that id, or it has not come to anything.
        """
        if self.get(backup_id).state != "done":
            raise BackupUnknown(backup_id=backup_id)
        self._store.add_audit(Change("backup.fetched", backup_id, actor))
        return self._archive(backup_id)

    def remove(self, backup_id: str, *, actor: str) -> None:
        """Delete an archive, or what is left of one that failed.

        Raises:
            BackupUnknown: there is none of that id.
            BackupUnderWay: it is being made.
        """
        if self.get(backup_id).state == "running":
            raise BackupUnderWay()
        self._store.add_audit(Change("backup.removed", backup_id, actor))
        self._archive(backup_id).unlink(missing_ok=True)
        self._card(backup_id).unlink(missing_ok=True)

    def _sweep(self, kept: list[KeptBackup]) -> None:
        """What is left of those that came to nothing; called while nobody makes one."""
        for one in kept:
            if one.state == "failed":
                self._archive(one.backup_id).unlink(missing_ok=True)
                self._card(one.backup_id).unlink(missing_ok=True)
        for path in self._folder.glob(".*.partial"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _end(self, begun: KeptBackup, **found: object) -> KeptBackup:
        ended = begun.model_copy(update={"finished_at": utc_now(), **found})
        self._write(ended)
        return ended

    def _write(self, backup: KeptBackup) -> None:
        write_whole(self._card(backup.backup_id), backup.model_dump_json())

    def _cards(self) -> Iterator[KeptBackup]:
        for path in self._folder.glob("bk_*.json"):
            found = self._read(path)
            if found is not None:
                yield found

    def _read(self, path: Path) -> KeptBackup | None:
        """A card; one whose process has gone says so."""
        try:
            found = KeptBackup.model_validate_json(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        is_old = utc_now() - found.created_at > LONGEST
        if found.state == "running" and (is_old or is_gone(found.holder)):
            error = BackupInterrupted()
            words = {"code": error.code, "en": error.message("en"), "zh": error.message("zh")}
            return found.model_copy(update={"state": "failed", **words})
        return found

    def _archive(self, backup_id: str) -> Path:
        return self._folder / f"{backup_id}.zip"

    def _card(self, backup_id: str) -> Path:
        return self._folder / f"{backup_id}.json"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

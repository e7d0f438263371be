"""A workspace from a backup: checked before the first byte is written, written aside, moved in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from feilun.config import CONFIG_NAME, set_keys
from feilun.disk import sync_path
from feilun.network.machine import MB, disk_left_mb
from feilun.operate.archive import DATABASE, BackupManifest, Parcel
from feilun.operate.backup import SPARE_MB
from feilun.operate.errors import BackupMissing, FolderNotEmpty, FolderRefused, NoRoom
from feilun.store import Store, StoreTooNew
from feilun.store.chain import Change
from feilun.store.copies import pour
from feilun.store.database import SCHEMA_HEAD
from feilun.store.store import WORKSPACE_NAME


def restore(archive: str | Path, folder: str | Path, *, actor: str, url: str = "") -> BackupManifest:
    """Write what `back_up` kept into `folder`, which must be missing or empty.

    One project comes back as `folder` itself, several as its sub-folders; they share the workspace `folder`/.feilun.
    The restored audit log goes on with a key of its own, and says who restored what.

    Args:
        actor: who restores it, for the audit log.
        url: of an empty PostgreSQL database that gets the rows and stands in feilun.toml; empty: SQLite in `folder`.
    Raises:
        StoreUrlInvalid, StoreUnavailable, DatabaseNotEmpty: the database cannot take the rows.
        BackupMissing, BackupRefused, BackupTooNew, StoreTooNew: the archive is none that can be restored.
        FolderNotEmpty, FolderRefused, NoRoom: `folder` cannot take it.
    """
    archive, folder = Path(archive), Path(folder).absolute()
    if not archive.is_file() or not os.access(archive, os.R_OK):
        raise BackupMissing(file=str(archive))
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise FolderNotEmpty(folder=str(folder))
    parcel = Parcel(archive)
    try:
        manifest = parcel.manifest
        if manifest.schema_version > SCHEMA_HEAD:
            raise StoreTooNew(path=str(archive), found=manifest.schema_version, known=SCHEMA_HEAD)
        needs_mb = sum(member.size for member in manifest.members) / MB + SPARE_MB
        if needs_mb > disk_left_mb(folder):
            raise NoRoom(folder=str(folder), needs_mb=round(needs_mb), has_mb=round(disk_left_mb(folder)))
        _unpack(parcel, folder, url=url, actor=actor)
    finally:
        parcel.close()
    return manifest


def _unpack(parcel: Parcel, folder: Path, *, url: str, actor: str) -> None:
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    names = [member.name for member in parcel.manifest.members]
    projects = {name.split("/")[1] for name in names if name.startswith("projects/") and name.endswith(CONFIG_NAME)}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir(mode=0o700)
        for member in parcel.manifest.members:
            target = aside / _place(member.name, alone=len(projects) == 1)
            target.parent.mkdir(parents=True, exist_ok=True)
            parcel.write(member, target)
        if url:
            _move_rows(aside, url)
        _enter(aside / WORKSPACE_NAME, parcel, url=url, actor=actor)
        for made in [path for path in aside.rglob("*") if path.is_dir()]:
            sync_path(made)
        aside.replace(folder)
        sync_path(folder.parent)
    except OSError as error:
        raise FolderRefused(folder=str(folder), reason=error.strerror) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _enter(workspace: Path, parcel: Parcel, *, url: str, actor: str) -> None:
    """Begin the audit log's new part; the key that signed the old one stayed where the backup was made."""
    manifest = parcel.manifest
    told = {"backup_made_at": manifest.created_at, "feilun": manifest.feilun}
    with Store(workspace, url=url) as store:
        store.change_audit_key(why="restored", actor=actor)
        store.end_all_sessions(actor=actor)  # a sign-out after the backup was made must not be undone by it
        store.add_audit(Change("workspace.restored", parcel.path.name, actor, details=told))


def _move_rows(aside: Path, url: str) -> None:
    """Put the rows into the database behind `url`, and say so in feilun.toml."""
    workspace = aside / WORKSPACE_NAME
    with Store(workspace) as rows, Store(workspace, url=url) as goal:
        pour(rows, goal)
    for path in workspace.glob(f"{DATABASE}*"):
        path.unlink()
    for path in (aside / CONFIG_NAME, *aside.glob(f"*/{CONFIG_NAME}")):
        if path.is_file():
            path.write_text(set_keys(path.read_text("utf-8"), {"store.url": url}), "utf-8")


def _place(name: str, *, alone: bool) -> Path:
    """Where a member belongs below the restored folder."""
    parts: Sequence[str] = name.split("/")
    if parts[0] != "projects":
        return Path(WORKSPACE_NAME, *parts)
    return Path(*parts[2:]) if alone else Path(*parts[1:])

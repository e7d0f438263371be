"""One archive of a workspace, made while it is served."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from feilun.config import CONFIG_NAME, load_settings, set_keys
from feilun.disk import sync_path
from feilun.errors import FeilunError
from feilun.models.bundle import BundleDamaged, BundleMissing, BundleTooNew, verify_bundle
from feilun.network.machine import MB, disk_left_mb
from feilun.operate.archive import DATABASE, FORMAT_VERSION, BackupManifest, Packer, is_safe
from feilun.operate.errors import BackupExists, FolderRefused, NoRoom
from feilun.store import Store, utc_now
from feilun.store.chain import Change
from feilun.store.contents import Contents, opened_file, read_contents
from feilun.store.copies import copy_database
from feilun.version import __version__

SPARE_MB = 16.0  # left free on the disk


def back_up(store: Store, out: Path, *, actor: str) -> BackupManifest:
    """Write the workspace of `store` into the new file `out`, whole or not at all.

    The rows become a SQLite file, also those of a PostgreSQL; no archive says where the database is. They are copied
    first, as they are at one moment; bundles and datasets never change, so what the rows refer to is there afterwards
    too. Logs, caches, float networks and turns in progress stay out; a turn that was running begins
    anew after a restore. So does the key of the audit log: who gets hold of a backup must not be able to sign one.

    Args:
        actor: who makes it, for the audit log.
    Raises:
        DatabaseDamaged, BundleDamaged, BundleMissing: the database, or a model that answers, is not whole.
        BackupExists, FolderRefused, NoRoom: `out` cannot be written.
    """
    out = Path(out)
    if out.exists():
        raise BackupExists(file=str(out))
    aside = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".partial", dir=out.parent) as scratch:
            return _write(store, out, aside=aside, scratch=Path(scratch), actor=actor)
    except OSError as error:
        raise FolderRefused(folder=str(out.absolute().parent), reason=error.strerror) from error
    finally:
        aside.unlink(missing_ok=True)


def _write(store: Store, out: Path, *, aside: Path, scratch: Path, actor: str) -> BackupManifest:
    check_room(store.database_bytes() / MB, scratch)
    database = scratch / DATABASE
    copy_database(store, database)
    with opened_file(database) as connection:
        contents = read_contents(connection)
    assert contents is not None, "a store's database has tables"
    left_out: list[str] = []
    files = [
        (database, DATABASE),
        *_datasets(store, contents, left_out),
        *_bundles(store, contents, left_out),
        *_judged(store, contents),
        *_projects(store, contents, left_out, scratch=scratch),
    ]
    check_room(sum(path.stat().st_size for path, _ in files) / MB, scratch)
    packer = Packer(aside)
    try:
        for path, name in files:
            packer.add(path, name)
        manifest = BackupManifest(
            format_version=FORMAT_VERSION,
            feilun=__version__,
            schema_version=contents.schema,
            created_at=utc_now().isoformat(timespec="seconds"),
            projects=tuple(project for project, _ in contents.projects),
            members=tuple(packer.members),
            left_out=tuple(left_out),
        )
        packer.seal(manifest)
    finally:
        packer.close()
    # Entered first: an entry for a backup that came to nothing does no harm, a backup without an entry may.
    store.add_audit(Change("backup.made", out.name, actor, details={"n_members": len(manifest.members)}))
    aside.replace(out)
    sync_path(out.absolute().parent)
    return manifest


def _datasets(store: Store, contents: Contents, left_out: list[str]) -> Iterator[tuple[Path, str]]:
    for dataset_id in contents.dataset_ids:
        path = store.dataset_path(dataset_id)
        if path.is_file():
            yield path, f"datasets/{path.name}"
        else:
            left_out.append(f"datasets/{path.name}")


def _bundles(store: Store, contents: Contents, left_out: list[str]) -> Iterator[tuple[Path, str]]:
    for model_id in sorted({*contents.model_ids, *contents.champions}):
        folder = store.model_path(model_id)
        try:
            verify_bundle(folder)
        except (BundleMissing, BundleDamaged, BundleTooNew):
            if model_id in contents.champions:
                raise
            left_out.append(f"models/{model_id}")
            continue
        for path in sorted(folder.iterdir()):
            yield path, f"models/{model_id}/{path.name}"


def _judged(store: Store, contents: Contents) -> Iterator[tuple[Path, str]]:
    """What the models said of single holdout rows; older models and imported ones have nothing of the kind."""
    for model_id in sorted(contents.model_ids):
        path = store.judged_path(model_id)
        if path.is_file():
            yield path, f"judged/{path.name}"


def _projects(store: Store, contents: Contents, left_out: list[str], *, scratch: Path) -> Iterator[tuple[Path, str]]:
    """feilun.toml of each project, and those of its data files that lie in its folder."""
    for project, place in contents.projects:
        folder = Path(place)
        try:
            settings = load_settings(folder)
            is_here = store.is_behind(settings.store.url)
        except FeilunError:
            is_here = False
        if not is_here:  # it cannot be read, or has moved to another database
            left_out.append(f"projects/{project}")
            continue
        config = folder / CONFIG_NAME
        if settings.store.url:
            # Without the URL: it may hold a password, and what is restored must not write to the database in use.
            config = scratch / f"{project}.toml"
            config.write_text(set_keys((folder / CONFIG_NAME).read_text("utf-8"), {"store.url": ""}), "utf-8")
        yield config, f"projects/{project}/{CONFIG_NAME}"
        holdout = [settings.data.holdout] if settings.data.holdout else []
        for name in dict.fromkeys(source.path for source in (*settings.data.sources, *holdout)):
            path, member = folder / name, f"projects/{project}/{Path(name).as_posix()}"
            inside = path.resolve().is_relative_to(folder.resolve()) and not Path(name).is_absolute()
            if inside and path.is_file() and is_safe(member):
                yield path, member
            else:
                left_out.append(member)


def check_room(needs_mb: float, folder: Path) -> None:
    """Raises:
    NoRoom: the disk under `folder` has no room for so much.
    """
    has_mb = disk_left_mb(folder)
    if needs_mb + SPARE_MB > has_mb:
        raise NoRoom(folder=str(folder.parent), needs_mb=round(needs_mb + SPARE_MB), has_mb=round(has_mb))

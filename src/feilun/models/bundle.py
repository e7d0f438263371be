"""Bundles as things: published into a folder of models, exported to one file, imported from one.

This is the door to everything about bundles; what makes a folder a bundle is in `manifest`, the archive formats are in
`archive`. Nothing here imports torch, onnx or onnxruntime.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from feilun.disk import sync_path
from feilun.models.archive import (
    MAX_BUNDLE_BYTES,
    ArchiveExists,
    ArchiveMissing,
    ArchiveRefused,
    ArchiveUnknown,
    pack,
    unpack,
)
from feilun.models.manifest import (
    MANIFEST_NAME,
    SEAL_FILES,
    BundleDamaged,
    BundleMissing,
    BundleTooNew,
    canonical_json,
    damaged,
    list_entries,
    model_id_of,
    read_manifest,
    sha256_of,
    verify_bundle,
    write_manifest,
)

__all__ = [
    "ArchiveExists",
    "ArchiveMissing",
    "ArchiveRefused",
    "ArchiveUnknown",
    "BundleDamaged",
    "BundleMissing",
    "BundleTooNew",
    "canonical_json",
    "damaged",
    "export_bundle",
    "import_bundle",
    "list_entries",
    "model_id_of",
    "publish",
    "read_manifest",
    "sha256_of",
    "verify_bundle",
    "write_manifest",
]


def publish(folder: Path, models_dir: Path, model_id: str) -> Path:
    """Move a sealed bundle to `models_dir`/`model_id`, whole or not at all; gives that path.

    Everything is on disk (fsync) before the one rename that makes it visible, so neither a crash nor another process
    ever sees a part of it. Safe to repeat: a bundle that is already there, whole, stays; a damaged one is replaced.
    Names in `models_dir` that start with a dot are work in progress, never models.

    Raises:
        BundleMissing, BundleDamaged, BundleTooNew: `folder` is no whole bundle, or not the one called `model_id`.
    """
    folder, models_dir = Path(folder), Path(models_dir)
    with _only_writer(models_dir):
        return _publish(folder, models_dir / model_id)


def export_bundle(folder: Path, out: Path) -> Path:
    """Write a whole bundle to one file, `out` (.zip or .tar.gz); the same bundle gives the same bytes.

    Raises:
        BundleMissing, BundleDamaged, BundleTooNew: the bundle is not whole.
        ArchiveUnknown: `out` ends in neither .zip nor .tar.gz.
        ArchiveExists: `out` is there already; nothing is overwritten.
    """
    folder, out = Path(folder), Path(out)
    manifest = verify_bundle(folder)
    names = sorted([*(entry.name for entry in manifest.files), *SEAL_FILES])
    aside = out.with_name(f".{out.name}.partial")
    try:
        pack([folder / name for name in names], aside, goal=out, top=model_id_of(folder))
        sync_path(aside)
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    sync_path(out.parent)
    return out


def import_bundle(
    archive: Path,
    models_dir: Path,
    *,
    max_bytes: int = MAX_BUNDLE_BYTES,
    check: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Unpack an exported bundle, check every file of it and publish it into `models_dir`; gives its folder there.

    Args:
        check: looks at the unpacked bundle, whole but not yet published, and raises when it shall not be.
    Raises:
        ArchiveMissing, ArchiveUnknown, ArchiveRefused: not an archive of ours, or one with links, unsafe names or too
            much in it.
        BundleMissing, BundleDamaged, BundleTooNew: it unpacks, but not to a whole bundle.
    """
    archive, models_dir = Path(archive), Path(models_dir)
    with _only_writer(models_dir):
        aside = models_dir / ".incoming-import"
        aside.mkdir()
        unpack(archive, aside, max_bytes=max_bytes)
        verify_bundle(aside)
        check(aside)
        return _publish(aside, models_dir / model_id_of(aside))


@contextmanager
def _only_writer(models_dir: Path) -> Iterator[None]:
    """Holds the lock of `models_dir`; what a killed publish or import left behind is removed before and after."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(models_dir / ".publish.lock"):
        _sweep(models_dir)
        try:
            yield
        finally:
            _sweep(models_dir)


def _publish(folder: Path, final: Path) -> Path:
    if not folder.exists() and final.exists():
        verify_bundle(final)
        return final
    verify_bundle(folder)
    if model_id_of(folder) != final.name:
        raise damaged(folder, MANIFEST_NAME, "another_model")
    if final.exists():
        if _is_whole(final):
            shutil.rmtree(folder)
            return final
        final.rename(final.with_name(f".damaged-{final.name}"))
    _move_durably(folder, final)
    return final


def _move_durably(folder: Path, final: Path) -> None:
    _fsync_tree(folder)
    try:
        folder.rename(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        aside = final.with_name(f".incoming-{final.name}")  # another disk: copy beside the goal, then rename
        shutil.copytree(folder, aside)
        _fsync_tree(aside)
        aside.rename(final)
        shutil.rmtree(folder)
    sync_path(final.parent)


def _sweep(models_dir: Path) -> None:
    """Called under the lock, so nobody is using what has these names."""
    for pattern in (".incoming-*", ".damaged-*"):
        for leftover in models_dir.glob(pattern):
            shutil.rmtree(leftover)


def _is_whole(folder: Path) -> bool:
    try:
        verify_bundle(folder)
    except (BundleDamaged, BundleMissing, BundleTooNew):
        return False
    return True


def _fsync_tree(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        sync_path(path)
    sync_path(folder)

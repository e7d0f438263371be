"""The cache of backbones: written aside, verified, renamed into place; looked up and verified again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from feilun.models.home import models_home
from feilun.records import Backbone, BackboneInfo, FileEntry, Record

MANIFEST = "manifest.json"
FINGERPRINT_CHARS = 16  # of the fingerprint, in folder names
PARTIAL = ".partial-"
STALE_S = 24 * 3600  # a partial folder this old was left by a killed pull


class CachedFile(FileEntry):
    """A file as it was put into the cache; `mtime_ns` spares hashing it at every look-up."""

    mtime_ns: int


class CachedModel(Record):
    """manifest.json of a cached backbone. `keys` are the specs that mean it."""

    format_version: int = 1
    keys: tuple[str, ...]
    info: BackboneInfo
    variant: str
    created_at: datetime
    files: tuple[CachedFile, ...]

    @property
    def folder(self) -> Path:
        return models_home() / self.info.fingerprint[:FINGERPRINT_CHARS]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)

    @property
    def backbone(self) -> Backbone:
        return Backbone(folder=self.folder, info=self.info)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint_of(hashes: dict[str, str]) -> str:
    """The identity of a set of files: the sha256 of their sorted "name sha256" lines."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def list_cached() -> list[CachedModel]:
    """Every whole model in the cache, the one pulled last first."""
    found = []
    for path in models_home().glob(f"[0-9a-f]*/{MANIFEST}"):
        try:
            found.append(CachedModel.model_validate_json(path.read_text("utf-8")))
        except (OSError, ValidationError):
            continue  # another version's or a vanishing folder: not a model we can vouch for
    return sorted(found, key=lambda model: model.created_at, reverse=True)


def find_cached(key: str) -> CachedModel | None:
    """The model that `key` means, if it is cached; of several variants the one pulled last."""
    return next((model for model in list_cached() if key in model.keys), None)


def find_damage(model: CachedModel, *, thorough: bool = False) -> str | None:
    """The name of the first file that is not what was pulled, or None.

    Size and time are compared, and the content only where the time differs (as after a copy), or if `thorough`.
    """
    touched = False
    for file in model.files:
        path = model.folder / file.name
        try:
            state = path.stat()
        except OSError:
            return file.name
        is_touched = state.st_mtime_ns != file.mtime_ns
        if state.st_size != file.size or ((thorough or is_touched) and sha256_of(path) != file.sha256):
            return file.name
        touched = touched or is_touched
    if touched and os.access(model.folder, os.W_OK):  # note the new times, so that nothing is hashed at each look-up
        files = tuple(_entry(model.folder / file.name, sha256=file.sha256) for file in model.files)
        _write_manifest(model.folder, model.model_copy(update={"files": files}))
    return None


@contextmanager
def staging() -> Iterator[Path]:
    """A folder beside the cached ones to fetch into; whatever is left in it goes away."""
    home = models_home()
    home.mkdir(parents=True, exist_ok=True)
    for old in home.glob(f"{PARTIAL}*"):
        if time.time() - old.stat().st_mtime > STALE_S:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(key: str) -> Iterator[None]:
    """One pull of a model at a time, among all processes of this cache."""
    folder = models_home() / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{hashlib.sha256(key.encode()).hexdigest()[:FINGERPRINT_CHARS]}.lock"):
        yield


def install(staged: Path, *, hashes: dict[str, str], keys: Iterable[str], variant: str, info: BackboneInfo) -> Backbone:
    """Move the verified files `hashes` (name -> sha256) of `staged` into the cache, whole or not at all."""
    for name in hashes:
        with (staged / name).open("rb+") as file:
            os.fsync(file.fileno())
    files = tuple(_entry(staged / name, sha256=digest) for name, digest in sorted(hashes.items()))
    before = next((model.keys for model in list_cached() if model.info.fingerprint == info.fingerprint), ())
    model = CachedModel(
        keys=tuple(dict.fromkeys([*keys, *before])),
        info=info,
        variant=variant,
        created_at=datetime.now(UTC),
        files=files,
    )
    _write_manifest(staged, model)
    with locked(info.fingerprint):
        target = model.folder
        if target.exists():
            aside = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=models_home()))
            target.rename(aside / "old")
            staged.rename(target)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            staged.rename(target)
    _fsync_folder(target.parent)
    return model.backbone


def discard(model: CachedModel) -> None:
    """Take a model out of the cache."""
    with locked(model.info.fingerprint):
        (model.folder / MANIFEST).unlink(missing_ok=True)  # first, so that half a folder is never found
        shutil.rmtree(model.folder, ignore_errors=True)


def _entry(path: Path, *, sha256: str) -> CachedFile:
    state = path.stat()
    return CachedFile(name=path.name, size=state.st_size, sha256=sha256, mtime_ns=state.st_mtime_ns)


def _write_manifest(folder: Path, model: CachedModel) -> None:
    handle, partial = tempfile.mkstemp(dir=folder, prefix=MANIFEST)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(model.model_dump(mode="json"), file, ensure_ascii=False, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(partial).replace(folder / MANIFEST)


def _fsync_folder(folder: Path) -> None:
    """Make a rename durable, where the system lets a folder be opened (Windows does not)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

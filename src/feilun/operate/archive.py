"""The archive of a backup: a zip of stored members, a manifest with every sha256, and a seal over the whole file.

Members are not compressed, so nothing can unpack to more than the archive itself. The zip's comment, its last 64
bytes, is the sha256 of all bytes before it: no bit of the file can change unseen, not even where zip has no checksum.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import BaseModel, ConfigDict, Field

from feilun.models.archive import directory_bytes
from feilun.operate.errors import BackupRefused, BackupTooNew

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
DATABASE = "feilun.db"
MAX_MANIFEST_BYTES = 64 << 20
MAX_MEMBERS = 100_000
MAX_DIRECTORY_BYTES = 256 << 20  # what so many members of usual names take
MAX_NAME = 1000  # characters of a member's path
SEAL_BYTES = 64
_CHUNK = 1 << 20
# What zipfile and pydantic (a ValueError) raise on damage; an offset that a flipped bit made negative is an OSError.
BROKEN = (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError)


class Member(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class BackupManifest(BaseModel):
    """What a backup holds, and what it had to leave out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int
    feilun: str
    schema_version: str
    created_at: str
    projects: tuple[str, ...]
    members: tuple[Member, ...]
    left_out: tuple[str, ...] = ()


class Packer:
    """Writes members one by one into a new archive; `seal` ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # People's messages are in it: for its owner alone, from the first byte on.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self.members: list[Member] = []

    def add(self, source: Path, name: str) -> None:
        """Copy the file `source`; its size and sha256 are those of the bytes that were copied."""
        digest, size = hashlib.sha256(), 0
        with source.open("rb") as file, self._zip.open(_info(name), "w", force_zip64=True) as out:
            for chunk in _chunks(file):
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
        self.members.append(Member(name=name, size=size, sha256=digest.hexdigest()))

    def seal(self, manifest: BackupManifest) -> None:
        """Write the manifest and the seal, and have the disk keep it all."""
        self._zip.writestr(_info(MANIFEST), manifest.model_dump_json(indent=1).encode())
        self._zip.comment = b"0" * SEAL_BYTES
        self._zip.close()
        size = self._file.seek(0, os.SEEK_END) - SEAL_BYTES
        digest = _digest(self._file, size)
        self._file.seek(size)
        self._file.write(digest.encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Parcel:
    """An archive that was looked through before anything is taken out of it: names, kinds, sizes, every sha256.

    Raises:
        BackupRefused: names the member and what is wrong with it.
        BackupTooNew: a later format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if directory_bytes(path) > MAX_DIRECTORY_BYTES:
            raise self._refuse(path.name, "count")
        try:
            self._zip = zipfile.ZipFile(path)
        except BROKEN as error:
            raise self._refuse(path.name, "not_a_backup") from error
        try:
            self.manifest = self._look_through()
        except BaseException:
            self._zip.close()
            raise

    def write(self, member: Member, target: Path) -> None:
        """Take one member out, its sha256 compared once more."""
        digest = hashlib.sha256()
        with self._zip.open(member.name) as source, target.open("xb") as out:
            for chunk in _chunks(source):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != member.sha256:
            raise self._refuse(member.name, "sha256")

    def close(self) -> None:
        self._zip.close()

    def _look_through(self) -> BackupManifest:
        infos = self._zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise self._refuse(self.path.name, "count")
        left = self.path.stat().st_size
        names: set[str] = set()
        for info in infos:
            fault = _fault(info, names)
            left -= info.file_size
            if fault is not None or left < 0:
                raise self._refuse(info.filename, fault or "size")
            names.add(info.filename.casefold())
        manifest = self._read_manifest(infos)
        self._compare(manifest, {info.filename: info.file_size for info in infos})
        with self.path.open("rb") as file:
            sealed = file.seek(0, os.SEEK_END) - SEAL_BYTES
            if _digest(file, sealed).encode() != file.read(SEAL_BYTES):
                raise self._refuse(self.path.name, "sha256")
        return manifest

    def _read_manifest(self, infos: list[zipfile.ZipInfo]) -> BackupManifest:
        found = [info for info in infos if info.filename == MANIFEST]
        if not found:
            raise self._refuse(MANIFEST, "missing")
        if found[0].file_size > MAX_MANIFEST_BYTES:
            raise self._refuse(MANIFEST, "size")
        try:
            content = self._zip.read(MANIFEST)
            version = _Version.model_validate_json(content).format_version
            if version > FORMAT_VERSION:
                raise BackupTooNew(file=str(self.path), found=version, known=FORMAT_VERSION)
            return BackupManifest.model_validate_json(content)
        except BROKEN as error:
            raise self._refuse(MANIFEST, "sha256") from error

    def _compare(self, manifest: BackupManifest, sizes: dict[str, int]) -> None:
        listed = {member.name for member in manifest.members}
        for name in sizes:
            if name not in listed | {MANIFEST}:
                raise self._refuse(name, "unlisted")
        if DATABASE not in listed:
            raise self._refuse(DATABASE, "missing")
        for member in manifest.members:
            if member.name not in sizes:
                raise self._refuse(member.name, "missing")
            if sizes[member.name] != member.size:
                raise self._refuse(member.name, "size")
            try:
                with self._zip.open(member.name) as source:
                    found = _digest(source, member.size)
            except BROKEN as error:
                raise self._refuse(member.name, "sha256") from error
            if found != member.sha256:
                raise self._refuse(member.name, "sha256")

    def _refuse(self, member: str, what: str) -> BackupRefused:
        return BackupRefused(file=str(self.path), member=repr(member[:120]), what=what)


class _Version(BaseModel):
    format_version: int


def is_safe(name: str) -> bool:
    """Whether a member may be written below a folder under this name: relative, no way up, nothing invisible."""
    parts = PurePosixPath(name).parts
    plain = name.isprintable() and not any(character in name for character in '\\:*?"<>|')
    return 0 < len(name) <= MAX_NAME and plain and "/".join(parts) == name and parts[0] != "/" and ".." not in parts


def _fault(info: zipfile.ZipInfo, names: set[str]) -> str | None:
    """What is wrong with a member by its headers; a key of REFUSALS."""
    if not is_safe(info.filename) or info.orig_filename != info.filename:
        return "name"
    if info.filename.casefold() in names:
        return "twice"
    mode = info.external_attr >> 16
    if info.flag_bits & 0x1 or info.compress_type != zipfile.ZIP_STORED or not stat.S_ISREG(mode):
        return "kind"
    return "size" if info.file_size != info.compress_size else None


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    info.create_system = 3
    return info


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _digest(file: IO[bytes], size: int) -> str:
    """Hex sha256 of the first `size` bytes; the file is left behind them. zipfile checks its CRC at a member's end."""
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()

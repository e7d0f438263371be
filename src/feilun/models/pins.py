"""Which bytes a model must have: the catalogue's pins or, for models without, those of the first pull."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from feilun.models.cache import locked
from feilun.models.errors import ChecksumMismatch
from feilun.models.home import feilun_home
from feilun.models.spec import Offer, Wanted

LOCK_NAME = "models.lock"


def lock_path() -> Path:
    """Where first pulls are remembered: spec -> file -> sha256, as JSON that people can read and diff."""
    return feilun_home() / LOCK_NAME


def check(wanted: Wanted, offer: Offer, hashes: dict[str, str], *, origin: str) -> str | None:
    """Compare what arrived (name -> sha256) with what is pinned; say where, or None when this is a first pull.

    A folder of one's own (dir:) is never pinned: changing it is its owner's right.

    Raises:
        ChecksumMismatch: a file is not the pinned one.
    """
    if offer.variant.files:
        pinned: dict[str, str] = {pin.name: pin.sha256 for pin in offer.variant.files}
        pinned_in = "catalog.toml"
    elif offer.source.kind == "dir" and not wanted.is_catalogued:
        return str(offer.source.repo)
    else:
        pinned, pinned_in = _read().get(wanted.key, {}), str(lock_path())
        if not pinned:
            return None
    for name, expected in sorted(pinned.items()):
        if hashes.get(name) != expected:
            raise ChecksumMismatch(
                name=name, source=origin, got=hashes.get(name, "-"), expected=expected, pinned_in=pinned_in
            )
    return pinned_in


def remember(key: str, hashes: dict[str, str]) -> None:
    """Pin the bytes of a first pull."""
    path = lock_path()
    with locked(LOCK_NAME):
        pins = {**_read(), key: dict(sorted(hashes.items()))}
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=LOCK_NAME)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(pins, indent=2, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)


def _read() -> dict[str, dict[str, str]]:
    path = lock_path()
    if not path.is_file():
        return {}
    pins: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))
    return pins

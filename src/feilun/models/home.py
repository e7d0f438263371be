"""Where models live on this machine, and what the environment says about fetching them."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_SOURCES = ("dir", "cache", "hf", "ms", "pip")
NETWORK_SOURCES = frozenset({"hf", "ms", "pip"})


def feilun_home() -> Path:
    """The cache folder of this user: FEILUN_HOME, else the system's usual place for caches."""
    from platformdirs import user_cache_dir

    chosen = os.environ.get("FEILUN_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path(user_cache_dir("feilun"))


def models_home() -> Path:
    """The folder of pulled backbones, one folder a fingerprint."""
    return feilun_home() / "models"


def source_order() -> tuple[str, ...]:
    """The kinds of source to try, in turn: FEILUN_MODEL_SOURCES, else all of them."""
    chosen = os.environ.get("FEILUN_MODEL_SOURCES", "")
    return tuple(part.strip() for part in chosen.split(",") if part.strip()) or DEFAULT_SOURCES


def is_offline() -> bool:
    """Whether the network is out of bounds: FEILUN_OFFLINE."""
    return os.environ.get("FEILUN_OFFLINE", "").strip().lower() in ("1", "true", "yes", "on")


def model_dir() -> Path | None:
    """A folder of backbones copied in by hand, one folder an alias: FEILUN_MODEL_DIR."""
    chosen = os.environ.get("FEILUN_MODEL_DIR")
    return Path(chosen).expanduser() if chosen else None

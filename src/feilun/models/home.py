"""Where models live on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def feilun_home() -> Path:
    """The cache folder of this user: FEILUN_HOME, else the system's usual place for caches."""
    from platformdirs import user_cache_dir

    chosen = os.environ.get("FEILUN_HOME")
    return Path(chosen).expanduser() if chosen else Path(user_cache_dir("feilun"))


def models_home() -> Path:
    """The folder of pulled backbones, one folder a fingerprint."""
    return feilun_home() / "models"

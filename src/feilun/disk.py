"""What the disk is asked to keep."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old text or the new one, never half of either."""
    aside = path.with_name(f"{path.name}.partial")
    aside.write_text(text, "utf-8")
    aside.replace(path)


def sync_path(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""What every source of backbones has in common, and the simplest one: a folder.

Sources put files into a folder or raise `SourceFailed`; checking what the files are is the caller's business.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from feilun.models.layout import CONFIG, TOKENIZER, WEIGHTS, refuse_pickles

FILES = (CONFIG, TOKENIZER, WEIGHTS)
CONNECT_S = 3.0  # a source that does not answer the door by then is left
MAX_BYTES = 8 << 30
CHUNK = 1 << 20

Progress = Callable[[str, int, int], None]  # file, bytes so far, bytes in all (0 unknown)
Room = Callable[[int], None]  # called with the bytes about to be written; raises when the disk has no room

unreachable: set[str] = set()  # places found closed; not tried again in this process


class SourceFailed(Exception):
    """A source could not give a model; the next one is tried. The text goes into `SourcesUnreachable`."""


def fetch_folder(folder: Path, into: Path, *, room: Room) -> None:
    """Copy the three files of a backbone out of `folder`.

    Raises:
        SourceFailed: one is missing.
        PickledWeights: there are weights, but only as pickles.
    """
    if not (folder / WEIGHTS).is_file():
        refuse_pickles(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise SourceFailed(f"{folder} has no {', '.join(missing)}")
    room(sum((folder / name).stat().st_size for name in FILES))
    for name in FILES:
        shutil.copyfile(folder / name, into / name)

"""Where the audit chain ended at the last commit of ours, in a file beside the database.

Who can write to the database alone may put a whole older one, or an older head with its right signature, in its place;
the file still knows better. It is written after the commit, so it may be behind the chain, never ahead of it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from feilun.store.chain import Head, parse_head

HEAD_NAME = "audit.head"


class KeptHead:
    """The file of one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / HEAD_NAME

    def read(self) -> Head | None:
        """None when there is no file, or one that a crash left half written."""
        try:
            return parse_head(self.path.read_text("ascii"))
        except (OSError, ValueError):
            return None

    def write(self, head: Head) -> None:
        """Not waited for by the disk: a head that is a moment old serves as well."""
        aside = self.path.with_name(f".{HEAD_NAME}.{os.getpid()}.{secrets.token_hex(4)}.partial")
        aside.write_text(str(head), "ascii")
        aside.replace(self.path)

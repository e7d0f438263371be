"""The file with the key that signs the audit chain's head: made once, 256 random bits, its owner's alone.

A new key waits beside the old one until the transaction that introduces it has been committed; whichever of the two
signed the head is the right one, wherever a crash came in between.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from feilun.disk import sync_path
from feilun.store.chain import Head, is_signed

KEY_NAME = "audit.key"
KEY_BYTES = 32


class KeyFile:
    """The key of one workspace. `key` is the one to sign with, once `load` or `renew` was called."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / KEY_NAME
        self._next = workspace / f"{KEY_NAME}.next"
        self._key: bytes | None = None
        self._settled: bytes | None = None  # the key that is known to be in its place

    @property
    def key(self) -> bytes:
        assert self._key is not None, "loaded before"
        return self._key

    @property
    def is_in_use(self) -> bool:
        """Whether a transaction that was signed by a key of this workspace has ever been committed."""
        return self.path.exists()

    def load(self, *, may_make: bool) -> bool:
        """Have a key to sign with; False when there is none and none may be made."""
        if self._key is None:
            self._key = next(iter(self.candidates()), None)
        if self._key is None and may_make:
            self._make()
        return self._key is not None

    def candidates(self) -> list[bytes]:
        """The keys that may have signed the head; the one in use first."""
        coming = read_key(self._next)  # read first: it may take its place between the two
        return [key for key in (read_key(self.path), coming) if key is not None]

    def has_signed(self, head: Head, signature: str) -> bool:
        """Whether a key of this workspace signed `head`; that one is the key from here on."""
        if is_signed(head, self.key, signature):
            return True
        for key in self.candidates():  # another process may have changed it, or died while it did
            if is_signed(head, key, signature):
                self._key = key
                return True
        return False

    def renew(self) -> None:
        """Sign with a new key from here on; it is in use once `committed` was called."""
        _write_aside(self._next).replace(self._next)
        self._key = read_key(self._next)

    def forget(self) -> None:
        """What was signed was not committed: look at the files again before the next time."""
        self._key = None

    def committed(self) -> None:
        """The transaction that was signed is on disk: a new key takes the place of the old one."""
        if self._key != self._settled:
            if self._key == read_key(self._next):
                with contextlib.suppress(FileNotFoundError):  # another process was faster
                    self._next.replace(self.path)
                sync_path(self.path.parent)
            self._settled = self._key

    def _make(self) -> None:
        """A first key, unless another process is faster: then that one's."""
        aside = _write_aside(self._next)
        with contextlib.suppress(FileExistsError):
            os.link(aside, self._next)
        aside.unlink()
        sync_path(self.path.parent)
        self._key = next(iter(self.candidates()))


def read_key(path: Path) -> bytes | None:
    """The key in a file; None when there is none, or nothing that could be one."""
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _write_aside(path: Path) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    return aside

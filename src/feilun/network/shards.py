"""Rows of numbers that were dear to compute, kept on disk under the hash of what they were computed from.

A shard is one safetensors file: `keys` (n, 16) uint8, `starts` (n + 1,) int64 and `values` (n_values, width), row r
being values[starts[r]:starts[r + 1]]. Shards are written aside and renamed, never changed; the longest unused go first
when the folder outgrows its bound. No text is stored.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MAX_BYTES = 1 * 2**30
KEY_BYTES = 16


def key_of(content: bytes) -> bytes:
    """The name of a row: the beginning of the sha256 of what it was computed from."""
    return hashlib.sha256(content).digest()[:KEY_BYTES]


class Shards:
    """The rows that one computation gives: `space` names it with everything it depends on.

    All spaces of a folder share its bound. Safe for several processes at once.
    """

    def __init__(self, folder: Path, space: Sequence[str], *, max_bytes: int = MAX_BYTES) -> None:
        self.root, self.max_bytes = folder, max_bytes
        self.folder = folder / hashlib.sha256("\0".join(space).encode()).hexdigest()[:KEY_BYTES]

    def load(self, wanted: set[bytes]) -> dict[bytes, np.ndarray]:
        """Those of the `wanted` rows that are there: (n_values of the row, width) each."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        found: dict[bytes, np.ndarray] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                shard = load_file(path)
                keys, starts, values = shard["keys"], shard["starts"], shard["values"]
                hits = [(i, key) for i, row in enumerate(keys) if (key := row.tobytes()) in wanted]
                if hits:
                    os.utime(path)  # used: it goes last
            except FileNotFoundError:
                continue  # another process made room
            except (SafetensorError, KeyError):
                path.unlink(missing_ok=True)  # a damaged disk; what it held is computed again
                continue
            found.update((key, values[starts[i] : starts[i + 1]].copy()) for i, key in hits)
        return found

    def save(self, keys: Sequence[bytes], rows: Sequence[np.ndarray]) -> None:
        """Keep `rows`, each (n_values, width), under their `keys`."""
        if not keys:
            return
        from safetensors.numpy import save

        packed = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_BYTES).copy()
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        content = save({"keys": packed, "starts": starts, "values": np.concatenate(list(rows))})
        if len(content) > self.max_bytes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(packed.tobytes()).hexdigest()[:KEY_BYTES]
        aside = self.folder / f"{name}.{os.getpid()}.partial"
        aside.write_bytes(content)
        aside.replace(self.folder / f"{name}.safetensors")
        self._make_room()

    def _make_room(self) -> None:
        shards = []
        for path in self.root.glob("*/*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            shards.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in shards)
        for _, size, path in sorted(shards):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

"""Embeddings of frozen backbones, kept on disk so that no text is ever embedded twice.

A shard is one safetensors file: `keys` (n, 16) uint8, the hashes of the texts, and `embeddings` (n, n_hidden)
float32. Shards are written aside and renamed, never changed, and the longest unused go first when the folder
outgrows its bound. No text is stored.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from feilun.records import Backbone

MAX_BYTES = 1 * 2**30
KEY_BYTES = 16
CHUNK = 256
"""Texts embedded between two looks at the clock."""
SHARD_ROWS = 4096


class EmbeddingCache:
    """The embeddings that one backbone gives with one `max_tokens`. Safe for several processes at once."""

    def __init__(self, folder: Path, backbone: Backbone, *, max_tokens: int, max_bytes: int = MAX_BYTES) -> None:
        info = backbone.info
        space = "\0".join((info.fingerprint, info.pooling, info.prefix, str(max_tokens)))
        self.root, self.max_bytes = folder, max_bytes
        self.folder = folder / hashlib.sha256(space.encode()).hexdigest()[:KEY_BYTES]

    def embed(
        self,
        texts: Sequence[str],
        *,
        run: Callable[[Sequence[str]], np.ndarray],
        order: np.ndarray | None = None,
        go_on: Callable[[int], bool] = lambda n_done: True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Embed `texts`, running the network only for those not seen before.

        Args:
            run: texts -> (n, n_hidden) float32, the network.
            order: the order in which missing texts are embedded; None means as given.
            go_on: asked after every chunk whether to embed another, given the rows that are done.
        Returns:
            (n, n_hidden) float32, and (n,) bool: which rows were done before `go_on` said no.
        """
        keys = [_key(text) for text in texts]
        known = self._load(set(keys))
        missing = [i for i in (range(len(texts)) if order is None else order) if keys[i] not in known]
        unsaved: list[bytes] = []
        for start in range(0, len(missing), CHUNK):
            if not go_on(len(texts) - len(missing) + start):
                break
            fresh = list({keys[i]: i for i in missing[start : start + CHUNK] if keys[i] not in known}.values())
            if fresh:
                vectors = run([texts[i] for i in fresh])
                known.update((keys[i], vector) for i, vector in zip(fresh, vectors, strict=True))
                unsaved += [keys[i] for i in fresh]
            if len(unsaved) >= SHARD_ROWS:
                self._save(unsaved, known)
                unsaved = []
        self._save(unsaved, known)
        done = np.array([key in known for key in keys], dtype=bool)
        n_hidden = len(next(iter(known.values()))) if known else 0
        embeddings = np.zeros((len(texts), n_hidden), dtype=np.float32)
        for row in np.flatnonzero(done):
            embeddings[row] = known[keys[row]]
        return embeddings, done

    def _load(self, wanted: set[bytes]) -> dict[bytes, np.ndarray]:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        found: dict[bytes, np.ndarray] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                shard = load_file(path)
                keys, embeddings = shard["keys"], shard["embeddings"]
                hits = [(i, key) for i, row in enumerate(keys) if (key := row.tobytes()) in wanted]
                if hits:
                    os.utime(path)  # used: it goes last
            except FileNotFoundError:
                continue  # another process made room
            except (SafetensorError, KeyError):
                path.unlink(missing_ok=True)  # a damaged disk; what it held is embedded again
                continue
            found.update((key, embeddings[i].copy()) for i, key in hits)
        return found

    def _save(self, keys: Sequence[bytes], known: dict[bytes, np.ndarray]) -> None:
        if not keys:
            return
        from safetensors.numpy import save

        arrays: dict[str, np.ndarray] = {
            "keys": np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_BYTES).copy(),
            "embeddings": np.stack([known[key] for key in keys]).astype(np.float32),
        }
        content = save(arrays)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(arrays["keys"].tobytes()).hexdigest()[:KEY_BYTES]
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


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]

"""Embeddings of frozen backbones, kept on disk so that no text is ever embedded twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from feilun.network.shards import MAX_BYTES, Shards, key_of
from feilun.records import Backbone

CHUNK = 256
"""Texts embedded between two looks at the clock."""
SHARD_ROWS = 4096


class EmbeddingCache:
    """The embeddings that one backbone gives with one `max_tokens`. Safe for several processes at once."""

    def __init__(self, folder: Path, backbone: Backbone, *, max_tokens: int, max_bytes: int = MAX_BYTES) -> None:
        info = backbone.info
        space = ("embeddings", info.fingerprint, info.pooling, info.prefix, str(max_tokens))
        self.shards = Shards(folder, space, max_bytes=max_bytes)

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
        keys = [key_of(text.encode("utf-8", "surrogatepass")) for text in texts]
        known = {key: row[0] for key, row in self.shards.load(set(keys)).items()}
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

    def _save(self, keys: Sequence[bytes], known: dict[bytes, np.ndarray]) -> None:
        self.shards.save(keys, [known[key][None, :].astype(np.float32) for key in keys])

"""Which rows go together into a batch, and how their tokens are packed without padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from feilun.network.attention import Group

POOL_BATCHES = 8
"""Rows are sorted by length inside random pools of so many batches: nearly equal lengths, still random company."""
MAX_BATCH_TOKENS = 4096
"""Bounds the memory of one update; batches of very long messages hold fewer rows."""


@dataclass(frozen=True)
class Packed:
    """A batch: `rows` in packing order, their `groups` of equal length, and where each token is stored.

    token_index: (n_tokens,) int64 into the flat array of all tokens of the corpus.
    """

    rows: np.ndarray
    groups: tuple[Group, ...]
    token_index: np.ndarray

    @property
    def n_padded(self) -> int:
        """Tokens rounded up by a few per cent, to one of sixteen sizes an octave.

        The matrix library writes itself a program of about a megabyte for every new size; without rounding these grew
        to more than a gigabyte in a few hundred updates. What is added is computed, but nothing reads it.
        """
        n_tokens = len(self.token_index)
        step = max(32, 1 << max(0, n_tokens.bit_length() - 5))
        return -(-n_tokens // step) * step


class Corpus:
    """The token ids of many texts, end to end.

    ids: (n_tokens,) int32; starts: (n_rows + 1,) int64, row r being ids[starts[r]:starts[r + 1]];
    places: where each token is stored, None meaning: where it stands (see `thinned`).
    """

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        rows = [row or [0] for row in rows]  # a text of which nothing is left still needs a place
        self.lengths = np.array([len(row) for row in rows], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)
        self.ids = np.fromiter((i for row in rows for i in row), dtype=np.int32, count=int(self.starts[-1]))
        self.places: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def positions(self, token_index: np.ndarray) -> np.ndarray:
        """Position of each token in its row, from 0."""
        row = np.searchsorted(self.starts, token_index, side="right") - 1
        return np.asarray(token_index - self.starts[row])

    def pack(self, rows: np.ndarray) -> Packed:
        """Bring `rows` into order of length and find their tokens."""
        rows = rows[np.argsort(self.lengths[rows], kind="stable")]
        lengths = self.lengths[rows]
        sizes, counts = np.unique(lengths, return_counts=True)
        offsets = np.concatenate([[0], np.cumsum(lengths)])[:-1]
        token_index = np.repeat(self.starts[rows] - offsets, lengths) + np.arange(int(lengths.sum()))
        if self.places is not None:
            token_index = self.places[token_index]
        groups = tuple(Group(int(n), int(size)) for size, n in zip(sizes, counts, strict=True))
        return Packed(rows=rows, groups=groups, token_index=token_index)

    def thinned(self, share: float, *, rng: np.random.Generator) -> Corpus:
        """The same rows, each token but the first and last of a row left out with probability `share`.

        The tokens that stay keep their positions and their stored activations: a cheap way to never show a network the
        same message twice.
        """
        kept = rng.random(len(self.ids)) >= share
        kept[self.starts[:-1]] = kept[self.starts[1:] - 1] = True
        thin = Corpus([])
        thin.places = np.flatnonzero(kept)
        thin.ids = self.ids[thin.places]
        thin.starts = np.concatenate([[0], np.cumsum(kept)])[self.starts].astype(np.int64)
        thin.lengths = np.diff(thin.starts)
        return thin

    def shuffled(self, rows: np.ndarray, *, batch_size: int, rng: np.random.Generator) -> Iterator[Packed]:
        """Every one of `rows` once, in random batches of at most `batch_size` rows of similar length."""
        rows = rng.permutation(rows)
        batches: list[np.ndarray] = []
        for start in range(0, len(rows), batch_size * POOL_BATCHES):
            pool = rows[start : start + batch_size * POOL_BATCHES]
            batches += self._cut(pool[np.argsort(self.lengths[pool], kind="stable")], batch_size)
        for number in rng.permutation(len(batches)):
            yield self.pack(batches[number])

    def in_order(self, rows: np.ndarray, *, batch_size: int) -> Iterator[Packed]:
        """Every one of `rows` once, shortest first; for inference."""
        for batch in self._cut(rows[np.argsort(self.lengths[rows], kind="stable")], batch_size):
            yield self.pack(batch)

    def n_batches(self, rows: np.ndarray, *, batch_size: int) -> int:
        """About how many batches `shuffled` gives (exactly, unless messages are so long that tokens bound them)."""
        per_batch = max(1, min(batch_size, int(MAX_BATCH_TOKENS / max(self.lengths[rows].mean(), 1))))
        return -(-len(rows) // per_batch)

    def _cut(self, rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
        """Cut rows (sorted by length) into even batches that respect both bounds."""
        batches, start = [], 0
        n_batches = max(1, -(-len(rows) // batch_size))
        size = -(-len(rows) // n_batches)  # even sizes: no tiny last batch with a noisy gradient
        while start < len(rows):
            end = min(start + size, len(rows))
            while end - start > 1 and self.lengths[rows[start:end]].sum() > MAX_BATCH_TOKENS:
                end = start + (end - start + 1) // 2
            batches.append(rows[start:end])
            start = end
        return batches

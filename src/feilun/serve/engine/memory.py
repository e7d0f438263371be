"""Corrections that bite at once: the nearest corrected neighbour of a message, found in a fraction of a prediction.

Looking through 10,000 vectors of 384 numbers by one matrix-vector product takes about as long as a small model takes to
answer. So each vector also has a short sketch: its coordinates in the directions in which the memory varies most, and
the length of what those leave out. Sketches bound the cosine from above (Cauchy-Schwarz); only vectors whose bound
reaches the threshold, and a cosine already found, are compared in full. The result is that of the full product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from feilun.tasks.identity import example_id

MAX_CORRECTIONS = 10_000
N_SKETCH = 64  # directions in a sketch; a sixth of the vector carries most of it for sentences of one domain
SKETCH_FROM = 1024  # with fewer vectors the full product is as fast
ROUNDING = 1e-4  # float32 sums differ by less; a bound this close to the threshold is looked at in full
SLACK = 1024  # rows beyond the cap, so that a full memory moves once in so many corrections
TIE = 1e-6  # cosines closer than this are one distance; the later correction wins


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person said a message's labels are. Corrections with the same normalised text replace each other."""

    feedback_id: str
    text: str
    labels: tuple[str, ...]


class Recall(NamedTuple):
    """The correction that decides, and how near it is: 1.0 for the same text, else the cosine of the embeddings."""

    correction: Correction
    similarity: float


class _Slot(NamedTuple):
    correction: Correction
    row: int
    turn: int  # grows with every correction: the later of two has the larger one


class _Shelf:
    """Vectors in rows, shared by successive memories: a later memory sees more of its rows.

    Only rows beyond what any memory sees are written, save that a forgotten row becomes zero, which no search finds.
    """

    def __init__(self, n_rows: int, n_hidden: int) -> None:
        self.vectors = np.zeros((n_rows, n_hidden), dtype=np.float32)
        self.keys: list[str] = []
        self.basis: np.ndarray | None = None  # (n_hidden, N_SKETCH), orthonormal columns
        self.sketches: np.ndarray | None = (
            None  # (N_SKETCH + 1, n_rows): a column a vector, so that the product is fast
        )

    def put(self, keys: Sequence[str], vectors: np.ndarray) -> None:
        start, end = len(self.keys), len(self.keys) + len(keys)
        self.vectors[start:end] = vectors
        if self.basis is not None and self.sketches is not None:
            self.sketches[:, start:end] = sketch(vectors, self.basis).T
        self.keys.extend(keys)

    def clear(self, row: int) -> None:
        self.vectors[row] = 0
        if self.sketches is not None:
            self.sketches[:, row] = 0

    def make_sketches(self) -> None:
        n_rows, n_hidden = self.vectors.shape
        used = self.vectors[: len(self.keys)]
        _, directions = np.linalg.eigh(used.T @ used)  # ascending: the last ones carry the most
        basis = np.ascontiguousarray(directions[:, -min(N_SKETCH, n_hidden) :])
        sketches = np.zeros((basis.shape[1] + 1, n_rows), dtype=np.float32)
        sketches[:, : len(used)] = sketch(used, basis).T
        self.sketches, self.basis = sketches, basis  # readers look for the basis first: it must come last


def sketch(vectors: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(n, k + 1): coordinates of `vectors` (n, n_hidden) in `basis` (n_hidden, k), and the length of the rest.

    The dot product of two sketches is never below that of the vectors, rounding aside.
    """
    inside = vectors @ basis
    rest = (vectors * vectors).sum(axis=1) - (inside * inside).sum(axis=1)
    return np.column_stack([inside, np.sqrt(np.maximum(rest, 0))])


class Memory:
    """The corrections of a project, embedded by one model. A value: changing it gives another one.

    Any number of threads may read. Only one at a time may make new ones, from the newest.
    """

    def __init__(self, n_hidden: int, *, max_corrections: int = MAX_CORRECTIONS) -> None:
        self._max = max_corrections
        self._slots: dict[str, _Slot] = {}  # by the identity of the text, oldest correction first
        self._shelf = _Shelf(64, n_hidden)
        self._n_rows = 0
        self._turn = 0

    def __len__(self) -> int:
        return len(self._slots)

    def corrections(self) -> tuple[Correction, ...]:
        """All corrections, oldest first."""
        return tuple(slot.correction for slot in self._slots.values())

    def add(self, corrections: Sequence[Correction], embeddings: np.ndarray) -> Memory:
        """A memory that also holds `corrections`, whose unit-length embeddings are (n, n_hidden) float32.

        A later correction of a text replaces the earlier one. Beyond the cap the oldest are forgotten.
        """
        slots, turn = dict(self._slots), self._turn
        fresh: dict[str, int] = {}
        for i, correction in enumerate(corrections):
            key, turn = example_id(correction.text), turn + 1
            known = slots.pop(key, None)
            if known is None:
                fresh[key] = i
            slots[key] = _Slot(correction, -1 if known is None else known.row, turn)
        excess = list(slots)[: max(0, len(slots) - self._max)]
        gone = [slots.pop(key) for key in excess]
        keys = [key for key in fresh if key in slots]
        return self._with(slots, turn, keys, embeddings[[fresh[key] for key in keys]], gone)

    def without(self, corrections: Iterable[Correction]) -> Memory:
        """A memory that has forgotten these; their vectors are wiped, also from the memories it came from."""
        slots = dict(self._slots)
        held = (key for key in (example_id(one.text) for one in corrections) if key in slots)
        gone = [slots.pop(key) for key in dict.fromkeys(held)]
        return self._with(slots, self._turn, [], np.zeros((0, self._shelf.vectors.shape[1]), np.float32), gone)

    def copy(self) -> Memory:
        """The same memory on a shelf of its own, to be changed by another thread than the one that changes this."""
        memory, slots = Memory.__new__(Memory), dict(self._slots)
        memory._max, memory._turn, memory._slots = self._max, self._turn, slots
        memory._shelf = self._moved(slots, n_more=0)
        memory._n_rows = len(memory._shelf.keys)
        return memory

    def recall(self, text: str, embedding: np.ndarray, *, threshold: float) -> Recall | None:
        """The correction that decides `text`: the same normalised text, else the nearest with cosine >= `threshold`.

        Args:
            embedding: (n_hidden,) float32 of unit length, by the model that embedded the corrections.
        """
        if not self._slots:
            return None
        same = self._slots.get(example_id(text))
        if same is not None:
            return Recall(same.correction, 1.0)
        rows = self._candidates(embedding, threshold)
        cosines = (self._shelf.vectors[: self._n_rows] if rows is None else self._shelf.vectors[rows]) @ embedding
        if not cosines.size or cosines.max() < threshold:
            return None
        nearest = np.flatnonzero(cosines >= cosines.max() - TIE)
        keys = (self._shelf.keys[int(i if rows is None else rows[i])] for i in nearest)
        found = [slot for slot in map(self._slots.get, keys) if slot is not None]
        if not found:
            return None
        return Recall(max(found, key=lambda slot: slot.turn).correction, float(min(cosines.max(), 1.0)))

    def _candidates(self, embedding: np.ndarray, threshold: float) -> np.ndarray | None:
        """Rows whose sketch does not rule them out; None for all of them."""
        shelf = self._shelf
        if shelf.basis is None or shelf.sketches is None:
            return None
        bounds = sketch(embedding[None, :], shelf.basis)[0] @ shelf.sketches[:, : self._n_rows]
        # The vector with the best bound is near the nearest: what cannot beat it need not be looked at either.
        best = float(shelf.vectors[int(bounds.argmax())] @ embedding)
        rows = np.flatnonzero(bounds >= max(threshold, best) - ROUNDING)
        return rows if len(rows) < self._n_rows // 4 else None

    def _with(
        self, slots: dict[str, _Slot], turn: int, keys: list[str], vectors: np.ndarray, gone: list[_Slot]
    ) -> Memory:
        memory = Memory.__new__(Memory)
        memory._max, memory._turn, memory._slots = self._max, turn, slots
        shelf = self._shelf
        for slot in gone:
            if slot.row >= 0:
                shelf.clear(slot.row)
        n_rows = self._n_rows + len(keys)
        if n_rows > len(shelf.vectors) or self._n_rows != len(shelf.keys):
            shelf = self._moved(slots, n_more=len(keys))
        for row, key in enumerate(keys, start=len(shelf.keys)):
            slots[key] = slots[key]._replace(row=row)
        shelf.put(keys, vectors)
        memory._shelf, memory._n_rows = shelf, len(shelf.keys)
        if shelf.basis is None and memory._n_rows >= SKETCH_FROM:
            shelf.make_sketches()
        return memory

    def _moved(self, slots: dict[str, _Slot], *, n_more: int) -> _Shelf:
        """A roomier shelf with the rows that are still in use; `slots` learns their new places."""
        kept = [(key, slot) for key, slot in slots.items() if slot.row >= 0]
        n_rows = len(kept) + n_more
        shelf = _Shelf(max(n_rows, min(2 * n_rows, self._max + SLACK)), self._shelf.vectors.shape[1])
        shelf.put([key for key, _ in kept], self._shelf.vectors[[slot.row for _, slot in kept]])
        for row, (key, slot) in enumerate(kept):
            slots[key] = slot._replace(row=row)
        return shelf

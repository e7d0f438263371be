"""Near duplicates, found exactly: set-similarity join over character trigrams with prefix filtering.

Two sets of trigrams with Jaccard similarity >= t share one of their n - ceil(t * n) + 1 rarest members, so only
messages that share a rare trigram are compared. Unlike MinHash nothing is missed near the threshold; measured on
100,000 messages it takes a fraction of the time. The work is bounded: see MAX_TRIGRAMS and WINDOW.

Source: Bayardo, Ma, Srikant 2007, "Scaling Up All Pairs Similarity Search", WWW 2007.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from feilun.tasks.identity import normalise

# All messages together; when there are more, only the beginnings of long messages choose what is compared
# (60 characters each with 100,000 messages); the comparison itself is always on the whole message.
MAX_TRIGRAMS = 6_000_000
MIN_CHARS = 32
# Of the messages that share a rare trigram, each is compared with so many next ones, in alphabetical order.
WINDOW = 16
PAIR_CHUNK = 20_000
HASH_BITS, RARITY_BITS = 20, 20
_MARKS = re.compile(r"[^\w\s]+|_+")  # punctuation and symbols


@dataclass
class NearPairs:
    """Positions (i, j) of near-duplicate messages: of each message, the first near one that was found.

    within: both in one group; j is the one counted as the duplicate. across: i and j in different groups.
    """

    within: list[tuple[int, int]] = field(default_factory=list)
    across: list[tuple[int, int]] = field(default_factory=list)


def trigrams(text: str) -> frozenset[str]:
    """The character trigrams of a message without case, punctuation, symbols and repeated white space."""
    bare = _bare(text)
    return frozenset(bare[i : i + 3] for i in range(max(1, len(bare) - 2)))


def jaccard(a: str, b: str) -> float:
    """Similarity of two messages in [0, 1]."""
    left, right = trigrams(a), trigrams(b)
    return len(left & right) / len(left | right)


def find_near(texts: Sequence[str], *, groups: Sequence[int], threshold: float) -> NearPairs:
    """Near duplicates among `texts`.

    Args:
        groups: one number a text, such as 0 for the holdout and 1 for training.
        threshold: Jaccard similarity in (0, 1] from which two texts count as near duplicates.
    """
    result = NearPairs()
    if len(texts) < 2:
        return result
    most = max(MIN_CHARS, MAX_TRIGRAMS // len(texts))
    bare = [_bare(text[: 2 * most])[:most] for text in texts]
    order = sorted(range(len(texts)), key=bare.__getitem__)
    sets = _TrigramSets([bare[i] for i in order])
    seen = {kind: np.zeros(len(texts), dtype=bool) for kind in ("within", "across")}
    group = np.asarray([groups[i] for i in order])
    for left, right in sets.candidates(threshold):
        crossing = group[left] != group[right]
        fresh = np.where(crossing, ~seen["across"][left] | ~seen["across"][right], ~seen["within"][right])
        a, b = left[fresh], right[fresh]
        similar = sets.similarity(a, b) >= threshold - 1e-9
        for i, j in zip(a[similar].tolist(), b[similar].tolist(), strict=True):
            kind = "within" if group[i] == group[j] else "across"
            done = seen[kind][j] if kind == "within" else seen[kind][i] and seen[kind][j]
            if not done and jaccard(texts[order[i]], texts[order[j]]) >= threshold:
                seen[kind][j] = True
                if kind == "across":
                    seen[kind][i] = True
                getattr(result, kind).append((order[i], order[j]))
    return result


def _bare(text: str) -> str:
    """The normal form without punctuation and symbols; when nothing else is there, with them."""
    normal = normalise(text)
    return " ".join(_MARKS.sub("", normal).split()) or normal


class _TrigramSets:
    """Every message's set of hashed trigrams as one sparse matrix (n_texts, 2^20), members in order of rarity."""

    def __init__(self, bare: Sequence[str]) -> None:
        from scipy.sparse import csr_matrix

        keys = _keys(bare)
        owner = keys >> np.uint64(HASH_BITS + RARITY_BITS)
        self.members = (keys & np.uint64((1 << HASH_BITS) - 1)).astype(np.int32)
        self.sizes = np.bincount(owner.astype(np.int64), minlength=len(bare))
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])
        ones = np.ones(len(self.members), dtype=np.int32)
        self.matrix: Any = csr_matrix((ones, self.members.copy(), self.starts), shape=(len(bare), 1 << HASH_BITS))
        self.matrix.sort_indices()  # rows multiply several times faster so

    def candidates(self, threshold: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Chunks of position pairs (a < b) that share a member of their prefixes and are of like size."""
        n_prefix = self.sizes - np.ceil(threshold * self.sizes - 1e-9).astype(np.int64) + 1
        owner = np.repeat(np.arange(len(self.sizes)), self.sizes)
        place = np.arange(len(owner)) - self.starts[owner]
        in_prefix = place < n_prefix[owner]
        member, owner = self.members[in_prefix], owner[in_prefix]
        by_member = np.lexsort((owner, member))
        member, owner = member[by_member], owner[by_member]
        for step in range(1, min(WINDOW, len(owner) - 1) + 1):
            same = member[:-step] == member[step:]
            a, b = owner[:-step][same], owner[step:][same]
            small, large = np.minimum(self.sizes[a], self.sizes[b]), np.maximum(self.sizes[a], self.sizes[b])
            like = small >= threshold * large - 1e-9
            pairs = _distinct(a[like].astype(np.int64) * len(self.sizes) + b[like])
            for start in range(0, len(pairs), PAIR_CHUNK):
                chunk = pairs[start : start + PAIR_CHUNK]
                yield chunk // len(self.sizes), chunk % len(self.sizes)

    def similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Jaccard similarity of the hashed sets, pair by pair."""
        if not len(a):
            return np.zeros(0)
        shared = np.asarray(self.matrix[a].multiply(self.matrix[b]).sum(axis=1)).ravel()
        return shared / (self.sizes[a] + self.sizes[b] - shared)


def _keys(bare: Sequence[str]) -> np.ndarray:
    """Sorted distinct keys owner | rarity | trigram hash, uint64, of all messages' trigrams."""
    padded = [text.ljust(3, "\0") for text in bare]
    lengths = np.fromiter((len(text) for text in padded), dtype=np.int64, count=len(padded))
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    mixed = codes[:-2] * np.uint32(0x9E3779B1) ^ (codes[1:-1] * np.uint32(0x85EBCA77) + np.uint32(0x165667B1))
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D) + codes[2:] * np.uint32(0xC2B2AE3D)
    hashed = (mixed ^ (mixed >> np.uint32(13))) >> np.uint32(32 - HASH_BITS)
    ends = np.cumsum(lengths)
    inside = np.ones(len(codes) - 2, dtype=bool)  # no trigram reaches over a message's end
    for back in (1, 2):
        reaching = ends[:-1] - back
        inside[reaching] = False
    owner = np.repeat(np.arange(len(padded), dtype=np.uint64), lengths)[: len(inside)][inside]
    hashed = hashed[inside].astype(np.uint64)
    rarity = np.minimum(np.bincount(hashed.astype(np.int64)), (1 << RARITY_BITS) - 1).astype(np.uint64)
    keys = (
        (owner << np.uint64(HASH_BITS + RARITY_BITS))
        | (rarity[hashed.astype(np.int64)] << np.uint64(HASH_BITS))
        | hashed
    )
    return _distinct(keys)


def _distinct(values: np.ndarray) -> np.ndarray:
    """Sorted, each once, sorting in place; numpy's own `unique` hashes, which is slower on so many."""
    values.sort()
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values

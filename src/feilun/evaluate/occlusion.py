"""Which words decided: leave each one out, and see how much less the model holds of its label.

Source:
    Li, Monroe & Jurafsky 2016, "Understanding Neural Networks through Representation Erasure", arXiv 1612.08220,
    whose log-likelihood we replace by log-odds, which still tell words apart where the model is nearly certain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feilun.evaluate.examples import is_han
from feilun.records import Record

MAX_PARTS = 64  # an explanation costs that many messages, and one more
MAX_CHARS = 4000  # what is explained of a longer message: few models read so far
LEAST = 1e-6  # probabilities are kept this far from 0 and 1
# A run of letters, digits and marks with what joins them: don't, user@host, 3.50, C++ without its signs.
_WORD = re.compile(r"[^\W_]+(?:['’.@\-][^\W_]+)*")


@dataclass(frozen=True)
class Part:
    """The text [start, end) that is weighed as one, and the stretches left out together with it to weigh it."""

    start: int
    end: int
    windows: tuple[int, ...]


@dataclass(frozen=True)
class Occlusion:
    """A text cut into parts, and the stretches [start, end) that are left out, each once."""

    text: str
    parts: tuple[Part, ...]
    windows: tuple[tuple[int, int], ...]

    @property
    def variants(self) -> list[str]:
        """The text, then the text without each window."""
        return [self.text, *(self.text[:start] + self.text[end:] for start, end in self.windows)]


class WordWeight(Record):
    """What a stretch [start, end) of a message, in characters, did for the label.

    weight: log-odds that the label loses without it, on average; below 0 it spoke against the label.
    without: probability of the label without it.
    """

    start: int
    end: int
    weight: float
    without: float


class Explanation(Record):
    """Why a model says `label` of a message; the words in the order of the text, what lies between them left out.

    n_read: characters from the beginning that were looked at.
    """

    model_id: str
    label: str
    probability: float
    words: tuple[WordWeight, ...]
    n_read: int


def occlude(text: str) -> Occlusion:
    """Cut a text into at most MAX_PARTS parts.

    A word is left out whole. Chinese is written without spaces, so each character is weighed by the pairs that it makes
    with its neighbours: words have two characters most often, and no dictionary is needed. In longer texts neighbouring
    parts become one.
    """
    spans = _spans(text[:MAX_CHARS])
    if len(spans) > MAX_PARTS:
        per = -(-len(spans) // MAX_PARTS)
        groups = [spans[i : i + per] for i in range(0, len(spans), per)]
        windows = tuple((group[0][0], group[-1][1]) for group in groups)
        return Occlusion(text, tuple(Part(*window, (i,)) for i, window in enumerate(windows)), windows)
    return _in_pairs(text, spans)


def weigh(probs: np.ndarray, cut: Occlusion) -> list[WordWeight]:
    """What each part did for a label.

    Args:
        probs: (1 + n_windows,) probability of the label for each of `cut.variants`.
    """
    odds = _log_odds(probs)
    found = []
    for part in cut.parts:
        places = [1 + window for window in part.windows]
        weight, without = float(np.mean(odds[0] - odds[places])), float(np.mean(probs[places]))
        found.append(WordWeight(start=part.start, end=part.end, weight=weight, without=without))
    return found


def _spans(text: str) -> list[tuple[int, int]]:
    """Words, and single Chinese characters."""
    spans: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        start = match.start()
        for i in range(match.start(), match.end()):
            if is_han(text[i]):
                if start < i:
                    spans.append((start, i))
                spans.append((i, i + 1))
                start = i + 1
        if start < match.end():
            spans.append((start, match.end()))
    return spans


def _in_pairs(text: str, spans: Sequence[tuple[int, int]]) -> Occlusion:
    """Words alone; a Chinese character with the one before it and with the one behind it, where there are such."""
    windows: list[tuple[int, int]] = []
    of_part: list[list[int]] = [[] for _ in spans]
    for i, (start, end) in enumerate(spans):
        behind = spans[i + 1] if i + 1 < len(spans) else None
        if behind is not None and end == behind[0] and is_han(text[start]) and is_han(text[behind[0]]):
            of_part[i].append(len(windows))
            of_part[i + 1].append(len(windows))
            windows.append((start, behind[1]))
        elif not of_part[i]:
            of_part[i].append(len(windows))
            windows.append((start, end))
    parts = (Part(*span, tuple(places)) for span, places in zip(spans, of_part, strict=True))
    return Occlusion(text, tuple(parts), tuple(windows))


def _log_odds(probs: np.ndarray) -> np.ndarray:
    kept = np.clip(np.asarray(probs, dtype=np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(kept) - np.log1p(-kept))

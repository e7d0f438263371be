"""What a group of messages might be called: the words that are frequent in it and rare in the other groups.

English and other spaced scripts by words and pairs of words; Chinese, which has no spaces, by runs of two to six
characters, kept where the run is a unit rather than a slice of a longer one. No dictionary is needed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from feilun.tasks.identity import normalise

N_KEYWORDS = 6
N_IN_NAME = 2
LONGEST_RUN = 6  # Chinese characters in one piece
SLICE = 0.8  # a piece that stands within a longer one so often is a slice of it
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")


def keywords(texts: Sequence[str], of: np.ndarray, *, n_groups: int, n_keywords: int = N_KEYWORDS) -> list[list[str]]:
    """For every group its most telling words or pieces, the best first; a group may have none.

    Args:
        of: (n,) int64, the group of each text.
    Source:
        Grootendorst 2022, "BERTopic: Neural topic modeling with a class-based TF-IDF procedure", arXiv 2203.05794.
    """
    inside = [Counter[str]() for _ in range(n_groups)]
    for text, group in zip(texts, of, strict=True):
        inside[int(group)].update(set(pieces(text)))
    overall = Counter[str]()
    for counts in inside:
        overall.update(counts)
    sizes = np.bincount(of, minlength=n_groups)
    found = []
    for counts, size in zip(inside, sizes, strict=True):
        least = 2 if size >= 4 else 1
        scores = {
            piece: n / size * np.log1p(len(texts) / overall[piece]) * _weight(piece)
            for piece, n in counts.items()
            if n >= least
        }
        found.append(_without_slices(scores, counts, n_keywords))
    return found


def group_names(found: Sequence[Sequence[str]], *, fallback: str) -> list[str]:
    """One name a group, all different, made of its best keywords: "card arrival", "退款 订单".

    A name that is taken gets the next keyword as well, or else a number; a group without keywords is `fallback` and
    its number, counted from 1.
    """
    names: list[str] = []
    for number, words in enumerate(found, start=1):
        choices = [" ".join(words[:n]) for n in range(min(N_IN_NAME, len(words)), len(words) + 1) if n]
        free = [name for name in choices if name not in names]
        names.append(free[0] if free else f"{choices[-1] if choices else fallback} {number}")
    return names


def pieces(text: str) -> Iterable[str]:
    """Words and pairs of words, and runs of Chinese characters, that may name what the text is about."""
    plain = normalise(text)
    words = [word for word in _WORD.findall(_CHINESE.sub(" ", plain)) if len(word) > 1]
    yield from (word for word in words if word not in _stop_words())
    for one, other in pairwise(words):
        if one not in _stop_words() and other not in _stop_words():
            yield f"{one} {other}"
    for run in _CHINESE.findall(plain):
        for part in _split_at_stops(run):
            for length in range(2, min(LONGEST_RUN, len(part)) + 1):
                yield from (part[i : i + length] for i in range(len(part) - length + 1))


def _weight(piece: str) -> float:
    """Longer pieces say more, but not in proportion: a pair of words counts half as much again as one."""
    if _CHINESE.fullmatch(piece):
        return min(1 + 0.25 * (len(piece) - 2), 1.5)
    return 1.5 if " " in piece else 1.0


def _without_slices(scores: dict[str, float], counts: Counter[str], n_keywords: int) -> list[str]:
    """The best pieces; of two of which one holds the other, the longer where it is nearly as frequent."""
    kept: list[str] = []
    for piece in sorted(scores, key=lambda piece: (-scores[piece], -len(piece), piece))[: 20 * n_keywords]:
        longer = [other for other in scores if piece != other and _holds(other, piece)]
        if any(counts[other] >= SLICE * counts[piece] for other in longer):
            continue
        if any(_overlap(piece, other) for other in kept):
            continue
        kept.append(piece)
        if len(kept) == n_keywords:
            break
    return kept


def _holds(longer: str, shorter: str) -> bool:
    return shorter in longer.split(" ") if " " in longer else shorter in longer and bool(_CHINESE.fullmatch(longer))


def _overlap(a: str, b: str) -> bool:
    """Whether two keywords say the same twice: one in the other, or Chinese runs that share two characters."""
    if set(a.split(" ")) & set(b.split(" ")):
        return True
    pairs = [{text[i : i + 2] for i in range(len(text) - 1)} for text in (a, b)]
    return bool(_CHINESE.fullmatch(a)) and bool(pairs[0] & pairs[1])


def _split_at_stops(run: str) -> list[str]:
    """The parts of a Chinese run between words that name nothing (我, 请问, 怎么 …)."""
    return [part for part in _stops_between().split(run) if len(part) > 1]


@cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) | frozenset(_lists()["en"])


@cache
def _stops_between() -> re.Pattern[str]:
    words = sorted(_lists()["zh"], key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words)))


@cache
def _lists() -> dict[str, list[str]]:
    import tomllib

    lists = tomllib.loads((Path(__file__).parent / "stopwords.toml").read_text("utf-8"))
    return {language: str(words["words"]).split() for language, words in lists.items()}

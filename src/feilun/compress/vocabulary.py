"""Fewer pieces: the word table and the tokenizer of a multilingual backbone, cut down to a project's languages.

Kept are: special tokens; every piece without letters (digits, punctuation, emoji) or of a single character, in any
script; the pieces in the script of the languages; the most frequent Latin ones, because foreign names and words occur
in every language; and everything that the project's own texts use. So nothing that could be read becomes unreadable: a
word that has lost its piece falls into shorter ones. A text all of whose pieces are kept is cut up as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

LARGE = 60_000
"""From so many pieces a vocabulary is worth cutting: those of one language have 20 to 30 thousand."""
N_LATIN = 20_000
"""Latin pieces that stay, most frequent first, where the language has another script (see docs/notes/006)."""
BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
MARKS = ("▁", "##")  # how vocabularies mark the beginning of a word, or its continuation

Script = Callable[[str], bool]
_HAN = re.compile(
    "[\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3100-\u312f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_SCRIPTS: dict[str, tuple[Script, int | None]] = {  # language: its script, and how many Latin pieces stay (None: all)
    "zh": (lambda letter: letter.isascii() or _HAN.match(letter) is not None, N_LATIN),
    "en": (str.isascii, None),
}


def choose_pieces(tokenizer: bytes, *, language: str, used: Iterable[int]) -> np.ndarray | None:
    """The ids (n,) int64, ascending, of the pieces that stay; None when there is nothing to cut.

    Nothing is cut from a vocabulary below LARGE or of a kind that cannot lose pieces (byte pairs are built from each
    other), nor when the language is "multi": then messages may come in any.

    Args:
        tokenizer: the content of tokenizer.json.
        used: ids that the project's own texts use.
    """
    document = json.loads(tokenizer)
    pieces = _pieces(document)
    if pieces is None or len(pieces) < LARGE or language not in _SCRIPTS:
        return None
    special = _special(document)
    kept = special | set(used)
    if max(kept) >= len(pieces):
        return None  # tokens added behind the vocabulary would move
    script, n_latin = _SCRIPTS[language]
    latin: list[int] = []
    for number, piece in enumerate(pieces):
        bare = _bare(piece)
        letters = [character for character in bare if character.isalpha()]
        if len(bare) <= 1 or not letters or BYTE.fullmatch(piece):
            kept.add(number)
        elif all(map(str.isascii, letters)):
            latin += [number] if number not in special else []
        elif all(map(script, letters)):
            kept.add(number)
    kept.update(latin[:n_latin])  # vocabularies list the most frequent pieces first
    kept.update(_rarest(document))
    return np.array(sorted(kept), dtype=np.int64)


def cut_tokenizer(tokenizer: bytes, kept: np.ndarray) -> bytes:
    """tokenizer.json with the pieces `kept` alone, numbered from 0 in their old order."""
    document = json.loads(tokenizer)
    new = {int(old): number for number, old in enumerate(kept)}
    model = document["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][old] for old in new]
        model["unk_id"] = None if model["unk_id"] is None else new[model["unk_id"]]
    else:
        model["vocab"] = {piece: new[old] for piece, old in model["vocab"].items() if old in new}
    for token in document["added_tokens"]:
        token["id"] = new[token["id"]]
    _renumber(document.get("post_processor"), new)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _pieces(document: dict[str, Any]) -> list[str] | None:
    """The pieces in the order of their ids; None for a vocabulary that cannot be cut."""
    model = document["model"]
    if model["type"] == "Unigram":
        return [piece for piece, _ in model["vocab"]]
    if model["type"] == "WordPiece" and sorted(model["vocab"].values()) == list(range(len(model["vocab"]))):
        return sorted(model["vocab"], key=model["vocab"].__getitem__)
    return None


def _special(document: dict[str, Any]) -> set[int]:
    ids = {int(token["id"]) for token in document["added_tokens"]}
    model = document["model"]
    unknown = model["unk_id"] if model["type"] == "Unigram" else model["vocab"].get(model["unk_token"])
    return ids if unknown is None else ids | {int(unknown)}


def _rarest(document: dict[str, Any]) -> list[int]:
    """The least likely piece of a Unigram vocabulary: how dear an unknown character is, is measured from it."""
    model = document["model"]
    if model["type"] != "Unigram":
        return []
    return [int(np.argmin([score for _, score in model["vocab"]]))]


def _bare(piece: str) -> str:
    for mark in MARKS:
        piece = piece.removeprefix(mark)
    return piece


def _renumber(processor: Any, new: dict[int, int]) -> None:
    """Give the special tokens that a post-processor puts around texts their new ids."""
    if processor is None:
        return
    for inner in processor.get("processors", ()):
        _renumber(inner, new)
    if processor["type"] == "TemplateProcessing":
        for token in processor["special_tokens"].values():
            token["ids"] = [new[old] for old in token["ids"]]
    for edge in ("sep", "cls"):  # of BertProcessing and RobertaProcessing: [token, id]
        if isinstance(processor.get(edge), list):
            processor[edge][1] = new[processor[edge][1]]

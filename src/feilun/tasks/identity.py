"""When two messages are the same message: the one place that says so."""

from __future__ import annotations

import hashlib
import unicodedata

ID_CHARS = 24  # 96 bits of the hash


def normalise(text: str) -> str:
    """`text` as it is compared: NFKC (full-width letters become plain), white space collapsed, case folded."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def example_id(text: str) -> str:
    """The identity of a message: the first 24 hex digits of the SHA-256 of its normalised text.

    Files, served predictions and feedback all use it, so the same message is the same example wherever it came from.
    Lone surrogates, which UTF-8 cannot carry, are hashed as they are.
    """
    return hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()[:ID_CHARS]

"""Each word is left out once; what the label loses is what the word weighs."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.evaluate import occlude, weigh
from feilun.evaluate.occlusion import MAX_CHARS, MAX_PARTS


def parts_of(text: str) -> list[str]:
    return [text[part.start : part.end] for part in occlude(text).parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("?! 🙂", []),
        ("I don't like it, 3.50!", ["I", "don't", "like", "it", "3.50"]),
        ("退款ASAP吧", ["退", "款", "ASAP", "吧"]),
        ("ｒｅｆｕｎｄ 全角", ["ｒｅｆｕｎｄ", "全", "角"]),
    ],
    ids=["empty", "no word", "English", "mixed", "full width"],
)
def test_a_message_falls_into_words_and_chinese_characters(text, parts):
    assert parts_of(text) == parts


def test_a_word_is_left_out_whole_and_a_character_with_each_neighbour():
    assert occlude("refund me").variants == ["refund me", " me", "refund "]
    assert occlude("退款吧").variants == ["退款吧", "吧", "退"]
    assert [part.windows for part in occlude("退款吧").parts] == [(0,), (0, 1), (1,)]


@pytest.mark.parametrize("text", ["word " * 5000, "退款" * 3000, "a" * 10_000], ids=["words", "Chinese", "one word"])
def test_a_long_message_costs_no_more_than_so_many_questions(text):
    cut = occlude(text)
    assert len(cut.variants) <= MAX_PARTS + 1
    assert all(0 <= part.start < part.end <= MAX_CHARS for part in cut.parts)
    assert all(a.end <= b.start for a, b in zip(cut.parts, cut.parts[1:], strict=False))


def test_the_word_that_the_label_stands_on_weighs_most():
    cut = occlude("please refund me")
    probs = np.array([0.9 if "refund" in text else 0.2 for text in cut.variants], dtype=np.float32)
    please, refund, me = weigh(probs, cut)
    assert (please.weight, me.weight) == (0, 0)
    assert refund.weight == pytest.approx(np.log(9) - np.log(0.25), abs=1e-3)
    assert refund.without == pytest.approx(0.2, abs=1e-3)


def test_certainty_has_no_infinite_weight():
    (only,) = weigh(np.array([1.0, 0.0], dtype=np.float32), occlude("refund"))
    assert np.isfinite(only.weight)

"""The same message has one identity, wherever it came from."""

from __future__ import annotations

import hashlib

import pytest

from feilun.tasks.identity import example_id


@pytest.mark.parametrize(
    "twin",
    ["where is MY card", "  Where is my card ", "Where\u3000is\nmy\tcard", "Where is my card"],
    ids=["case", "margins", "white-space", "full-width"],
)
def test_the_same_message_is_the_same_example(twin):
    assert example_id(twin) == example_id("Where is my card")


def test_the_identity_is_the_hash_that_the_documentation_says():
    assert example_id("我要 退款") == hashlib.sha256("我要 退款".encode()).hexdigest()[:24]
    assert len({example_id(text) for text in ("我要退款", "我要退货", "", "🙂", "\ud800")}) == 5

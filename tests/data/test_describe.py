from __future__ import annotations

import re
from pathlib import Path

import pytest

from feilun.data import describe
from feilun.data.describe import WORDS
from feilun.data.reasons import REASONS
from tests.data.conftest import EN, example, many

DOCS = Path(__file__).parents[2] / "docs"


def test_the_report_in_full(build):
    rows = [*EN, ("", "refund"), ("where is my parcel?", "delivery"), ("hm", "refund"), ("hm", "delivery")]
    files = {"data.csv": rows, "test.csv": [("ship it when?", "delivery"), ("Where is my parcel?", "delivery")]}
    _, report = build(files, holdout="test.csv", corrections=[example("hello", "greeting")])
    assert describe(report, "en") == (
        "Rows: 14\n  training: 8\n    of which corrections: 1\n  holdout: 2\n  unlabelled: 0\n\n"
        "Files\n  data.csv: utf-8\n  test.csv: utf-8\n\n"
        "Classes (training rows, holdout rows): 3\n  refund: 4, 0\n  delivery: 3, 2\n  greeting: 1, 0\n\n"
        "Set aside: 3\n"
        "  data.csv:10  The text cell is empty.\n"
        "  data.csv:12  The same text stands under several labels equally often; "
        "decide which is right and keep that one.\n"
        "  data.csv:13  The same text stands under several labels equally often; "
        "decide which is right and keep that one.\n\n"
        "Exact duplicates, kept once: 1\n  data.csv:2  data.csv:11\n\n"
        "Texts under several labels: 1\n  data.csv:12  data.csv:13\n\n"
        "Leaks: in training and holdout, removed from training: 1\n  data.csv:2  test.csv:3\n\n"
        "What to do\n"
        "  1. 1 message stands under two or more labels, first: data.csv:12 and data.csv:13. "
        "Decide which label is right; ties are left out of training.\n"
        "  2. 3 rows were set aside, first: data.csv:10. The text cell is empty.\n"
        "  3. 1 training message is in the holdout too and so not trained on, first: data.csv:2 and test.csv:3.\n"
        "  4. Class 'greeting' has 1 training row; add at least 4 more.\n"
        "  5. 2 classes ('refund', 'greeting') have no row in the holdout, so accuracy there is not measured; "
        "add rows to test.csv.\n"
        "  6. The holdout has 2 rows: accuracy is known to about ±71 points. More labelled rows sharpen it."
    )


def test_long_lists_say_how_many_more(build):
    _, report = build({"data.csv": [*[row for i in range(40) for row in many(4, f"class{i}")], *[("", "x")] * 30]})
    text = describe(report, "zh")
    assert "  ……另有 10 处" in text
    assert "搁置的行: 30" in text
    assert "  ……另有 20 处" in text


def test_both_languages_have_the_same_words():
    assert WORDS["en"].keys() == WORDS["zh"].keys()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_guide_explains_every_reason(lang):
    page = (DOCS / lang / "data.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(REASONS)

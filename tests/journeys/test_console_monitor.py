"""The monitor in a real browser: what was asked shows, by the day and by the hour, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.journeys.visitor import IN_A_BROWSER, Visitor

pytestmark = IN_A_BROWSER
WORDS = {"en": ("Hour", "Too few to say", "Traffic"), "zh": ("按小时", "样本不足", "流量")}


@pytest.mark.parametrize(("lang", "scheme"), [("en", "light"), ("zh", "dark")])
def test_what_was_asked_is_seen_in_the_monitor(visit: Callable[..., Visitor], lang: str, scheme: str) -> None:
    someone, (hour, too_few, traffic) = visit(lang, color_scheme=scheme), WORDS[lang]
    asked = someone.api.post("/support/predictions", json={"inputs": [{"text": "where is my parcel"}]})
    (label,) = asked.json()["predictions"][0]["labels"]
    someone.go("monitor")
    someone.page.get_by_text(too_few, exact=True).wait_for()
    someone.page.get_by_role("img", name=traffic, exact=True).locator("canvas").wait_for()
    someone.page.locator("tbody").get_by_role("button", name=label, exact=True).wait_for()
    someone.examine()
    someone.page.locator("tbody").get_by_role("button", name=label, exact=True).click()
    someone.page.wait_for_url(f"**label={quote(label)}*")
    someone.page.locator("#answers tbody").get_by_text("where is my parcel").first.wait_for()
    someone.page.get_by_text(hour, exact=True).click()
    someone.page.wait_for_url("**bucket=hour*")
    someone.page.locator("tbody").get_by_role("button", name=label, exact=True).wait_for()
    someone.examine()
    assert someone.troubles == []

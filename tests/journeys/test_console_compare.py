"""Before another model answers, in a real browser: what it fixes, what it breaks; then it is promoted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feilun.project import Project
from tests.journeys.visitor import IN_A_BROWSER, WITHIN_MS, Visitor, playwright
from tests.projects import answer_otherwise

pytestmark = IN_A_BROWSER
WORDS = {
    "en": {"compare": "Compare", "broken": "Broken", "swap": "Swap the two", "why": "Why?", "ask": "Ask a colleague"}
    | {"promote": "Promote the new one", "agree": "Promote"},
    "zh": {"compare": "对比", "broken": "改错", "swap": "交换两个模型", "why": "为什么？", "ask": "请同事确认"}
    | {"promote": "上线新模型", "agree": "上线"},
}


@pytest.mark.parametrize(
    ("lang", "options"),
    [("en", {"color_scheme": "light"}), ("zh", {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}})],
    ids=["English", "Chinese on a phone"],
)
def test_two_models_are_compared_message_by_message_before_one_is_promoted(
    visit: Callable[..., Visitor], tmp_path: Path, lang: str, options: dict[str, object]
) -> None:
    with Project(tmp_path / "console" / "support") as project:
        champion = str(project.get_model()["model_id"])
        other = next(row["model_id"] for row in project.list_models() if row["model_id"] != champion)
        answer_otherwise(project.store.judged_path(other), every=2)
    someone, words = visit(lang, **options), WORDS[lang]
    someone.go("models")
    someone.page.get_by_role("link", name=words["compare"], exact=True).click()
    someone.page.wait_for_url(f"**/models/{champion}/compare/{other}")
    found = someone.api.get(f"/support/models/{champion}/compare/{other}", params={"limit": 50}).json()
    _look_for_what_broke(someone, found, words)
    _hand_one_to_people(someone, words)
    _swap_and_back(someone, found, words)
    someone.page.get_by_role("button", name=words["promote"]).click()
    someone.agree(words["agree"])
    playwright.expect(someone.page.get_by_test_id("side-new").locator(".pill")).to_have_count(1, timeout=WITHIN_MS)
    assert someone.champion == other
    assert someone.troubles == []


def _look_for_what_broke(someone: Visitor, found: dict[str, Any], words: dict[str, str]) -> None:
    page, flips = someone.page, someone.page.get_by_test_id("flip")
    assert found["next_after"] is None  # the first page is all of them
    playwright.expect(flips).to_have_count(len(found["flips"]), timeout=WITHIN_MS)
    someone.examine()
    page.locator(".ant-segmented-item", has_text=words["broken"]).click()
    page.wait_for_url("**kind=broken*")
    broken = [one for one in found["flips"] if one["kind"] == "broken"]
    playwright.expect(flips).to_have_count(len(broken), timeout=WITHIN_MS)
    loser = max(found["classes"], key=lambda one: one["n_right_old"] - one["n_right_new"])["label"]
    page.get_by_test_id("gains").get_by_role("button", name=loser, exact=True).click()
    page.wait_for_url("**gold=*")
    of_class = [one["text"] for one in broken if one["gold"] == [loser]]
    playwright.expect(flips.locator(".words")).to_have_text(of_class, timeout=WITHIN_MS)
    page.reload()  # the address holds what was chosen
    playwright.expect(flips.locator(".words")).to_have_text(of_class, timeout=WITHIN_MS)


def _hand_one_to_people(someone: Visitor, words: dict[str, str]) -> None:
    first = someone.page.get_by_test_id("flip").first
    text = str(first.locator(".words").inner_text())
    first.get_by_role("button", name=words["why"]).click()
    playwright.expect(first.locator(".opinion .stack")).to_have_count(2, timeout=WITHIN_MS)  # each model's own words
    someone.examine()
    first.get_by_role("button", name=words["ask"]).click()
    first.get_by_role("status").wait_for()
    queue = someone.api.get("/support/queue", params={"limit": 100}).json()["queue"]
    assert [row["inputs"]["text"] for row in queue if [one["code"] for one in row["why"]] == ["asked"]] == [text]


def _swap_and_back(someone: Visitor, found: dict[str, Any], words: dict[str, str]) -> None:
    page = someone.page
    swap = page.get_by_role("button", name=words["swap"])
    old, new = found["old"]["model_id"], found["new"]["model_id"]
    for one, other in ((new, old), (old, new)):
        swap.click()
        page.wait_for_url(f"**/models/{one}/compare/{other}?*")
        playwright.expect(page.get_by_test_id("side-new")).to_contain_text(other, timeout=WITHIN_MS)

"""From the report to the single error, in a real browser: why it went wrong, whom to ask, what another model says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.journeys.visitor import IN_A_BROWSER, Visitor, playwright

pytestmark = IN_A_BROWSER
WORDS = {
    "en": {
        "cheapest": "Least cost",
        "why": "Why?",
        "all": "All",
        "ask": "Ask a colleague",
        "wrong": "The label is wrong",
    },
    "zh": {"cheapest": "成本最低", "why": "为什么？", "all": "全部", "ask": "请同事确认", "wrong": "标签有误"},
}


@pytest.mark.parametrize(
    ("lang", "options"),
    [("en", {"color_scheme": "light"}), ("zh", {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}})],
    ids=["English", "Chinese on a phone"],
)
def test_an_error_is_traced_from_the_report_to_its_words_and_handed_to_people(
    visit: Callable[..., Visitor], lang: str, options: dict[str, object]
) -> None:
    someone, words = visit(lang, **options), WORDS[lang]
    model_id = someone.champion
    _choose_a_threshold(someone, model_id, words)
    text = _look_at_an_error(someone, model_id, words)
    _compare_two_models(someone, text, words)
    assert someone.troubles == []


def _choose_a_threshold(someone: Visitor, model_id: str, words: dict[str, str]) -> None:
    page = someone.page
    someone.go(f"models/{model_id}")
    slider = page.locator("input[type=range]")
    curve = someone.api.get(f"/support/models/{model_id}/thresholds").json()
    is_lowest = curve["threshold"] == curve["points"][0]["threshold"]
    slider.focus()
    page.keyboard.press("End" if is_lowest else "Home")
    page.wait_for_url("**threshold=*")
    chosen = curve["points"][-1 if is_lowest else 0]
    assert float(page.url.partition("threshold=")[2].partition("&")[0]) == pytest.approx(chosen["threshold"])
    wrong = page.locator("label.cost input").first
    wrong.fill("0")
    page.wait_for_url("**wrong=0*")
    cheapest = page.get_by_role("button", name=words["cheapest"])
    if is_lowest:  # else it is there already
        cheapest.click()
    playwright.expect(slider).to_have_value("0")  # a wrong answer costs nothing: answer all
    playwright.expect(cheapest).to_be_disabled()
    page.reload()  # the address holds what was chosen
    playwright.expect(wrong).to_have_value("0")
    someone.examine()


def _look_at_an_error(someone: Visitor, model_id: str, words: dict[str, str]) -> str:
    """Through a cell of the matrix to its messages; gives the text of one."""
    page = someone.page
    cells = someone.api.get(f"/support/models/{model_id}/confusion").json()["cells"]
    cell = max(cells, key=lambda one: (one["gold"] != one["predicted"], one["count"]))
    kind = "wrong" if cell["gold"] != cell["predicted"] else "right"
    page.locator(f".matrix td.{kind} a").first.click()
    page.wait_for_url("**/errors?*")
    shown = page.get_by_test_id("example")
    shown.first.wait_for()
    someone.go(f"models/{model_id}/errors")
    page.locator(".ant-segmented-item", has_text=words["all"]).click()
    page.wait_for_url("**show=all*")
    shown.first.wait_for()
    text = str(shown.first.locator(".words").inner_text())
    shown.first.get_by_role("button", name=words["why"]).click()
    shown.first.get_by_test_id("words").wait_for()
    shown.first.locator(".decisive li").first.wait_for()
    someone.examine()
    shown.first.get_by_role("button", name=words["ask"]).click()
    shown.first.get_by_role("status").wait_for()
    queue = someone.api.get("/support/queue", params={"limit": 100}).json()["queue"]
    asked = [row for row in queue if [one["code"] for one in row["why"]] == ["asked"]]
    assert [row["inputs"]["text"] for row in asked] == [text]
    shown.first.get_by_label(words["wrong"]).click()
    page.keyboard.press("Enter")
    playwright.expect(shown.first.get_by_role("status")).to_have_count(2)
    latest = someone.api.get("/support/feedback", params={"latest": True}).json()["feedback"][0]
    assert latest["inputs"]["text"] == text and latest["labels"]
    return text


def _compare_two_models(someone: Visitor, text: str, words: dict[str, str]) -> None:
    page = someone.page
    other = next(
        row["model_id"]
        for row in someone.api.get("/support/models").json()["models"]
        if row["model_id"] != someone.champion
    )
    someone.go(f"playground?with={other}")
    page.locator("#try").fill(text)
    page.keyboard.press("Enter")
    page.get_by_test_id("answer").wait_for()
    beside = page.get_by_test_id("other-answer")
    beside.wait_for()
    said = someone.api.post(f"/support/models/{other}/answers", json={"inputs": [{"text": text}]}).json()["answers"][0]
    assert beside.locator(".answer-label").inner_text() == said["label"]
    beside.get_by_role("button", name=words["why"]).click()
    beside.get_by_test_id("words").wait_for()
    someone.examine()

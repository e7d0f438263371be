"""From an empty folder to a better champion, with mouse and keyboard alone, in English and in Chinese."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.journeys.conftest import FEW_LABELS, Server, read_sample
from tests.journeys.visitor import IN_A_BROWSER, Visitor, playwright

pytestmark = [*IN_A_BROWSER, pytest.mark.backbone]
N_LABELLED = 30
N_ASKED = 60
TURN_MS = 240_000
WORDS = {
    "en": {"make": "Make the project and train", "ask": "Ask for a turn", "promote": "Promote", "back": "Roll back"}
    | {"compare": "Compare", "pause": "Pause", "resume": "Resume"},
    "zh": {"make": "创建项目并训练", "ask": "运行一轮", "promote": "上线", "back": "回滚"}
    | {"compare": "对比", "pause": "暂停", "resume": "继续"},
}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_from_an_empty_folder_to_a_better_champion(
    tmp_path: Path, serve: Callable[..., Server], visit_at: Callable[..., Visitor], lang: str
) -> None:
    someone, words = visit_at(serve(tmp_path / "not-there-yet"), lang), WORDS[lang]
    page = someone.page
    page.goto(someone.url)
    page.wait_for_url("**/console/start")
    page.locator(".machine dl").wait_for()
    someone.examine()
    _hand_over(someone, words)
    first = _wait_for_the_first_model(someone)
    _look_at_the_data(someone)
    gold = _let_people_ask(someone)
    _label(someone, gold)
    second = _turn_again(someone, words, first=first)
    _compare_promote_and_go_back(someone, words, models={first, second})
    assert someone.troubles == []


def _hand_over(someone: Visitor, words: dict[str, str]) -> None:
    page = someone.page
    file = io.StringIO()
    rows = [row for row in read_sample("banking77/start.csv") if row["label"] in FEW_LABELS]
    out = csv.writer(file)
    out.writerow(["note", "wrote", "topic"])
    out.writerows(["x", row["text"], row["label"]] for row in rows)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="file" if words is WORDS["en"] else "文件").click()
    chooser.value.set_files({"name": "客服 may.csv", "mimeType": "text/csv", "buffer": file.getvalue().encode()})
    page.locator(".start-form").wait_for()
    assert page.locator(".column").all_inner_texts() == ["wrote", "topic"]
    someone.examine()
    page.locator(".start-form input").first.fill("support")
    page.get_by_role("button", name=words["make"], exact=True).click()
    page.wait_for_url("**/console/projects/support/first")


def _wait_for_the_first_model(someone: Visitor) -> str:
    page = someone.page
    page.locator(".steps .done").first.wait_for(timeout=TURN_MS)
    page.reload()  # what was seen before is there again
    page.locator(".code pre").first.wait_for(timeout=TURN_MS)
    assert "/v1/projects/support/predictions" in page.locator(".code pre").first.inner_text()
    someone.examine()
    return someone.champion


def _look_at_the_data(someone: Visitor) -> None:
    someone.go("data")
    someone.page.locator(".classes li").first.wait_for()
    assert someone.page.locator(".classes li").count() == len(FEW_LABELS)
    someone.examine()


def _let_people_ask(someone: Visitor) -> dict[str, str]:
    """Messages come in from the team's own software; which label each has."""
    rows = [row for row in read_sample("banking77/traffic.csv") if row["label"] in FEW_LABELS][:N_ASKED]
    inputs = [{"text": row["text"]} for row in rows]
    answers = someone.api.post("/support/predictions", json={"inputs": inputs}).raise_for_status().json()["predictions"]
    for answer in answers:
        thumb = {"prediction_id": answer["prediction_id"], "thumb": "down"}
        someone.api.post("/support/feedback", json=thumb).raise_for_status()
    return {row["text"]: row["label"] for row in rows}


def _label(someone: Visitor, gold: dict[str, str]) -> None:
    """Search each label by its name, take it with Enter."""
    page = someone.page
    someone.go("queue")
    page.get_by_test_id("message").wait_for()
    said = 0
    while said < N_LABELLED:
        before = someone.message
        page.keyboard.press("/")
        page.keyboard.type(gold.get(before, FEW_LABELS[0]))
        page.keyboard.press("Enter")
        someone.wait_past(before)
        said += 1
    someone.go("turns")  # leaving sends what still waits
    playwright.expect(page.locator("h1")).to_be_visible()
    _wait_for_labels(someone.api)


def _wait_for_labels(api: httpx.Client) -> None:
    for _ in range(200):
        rows = api.get("/support/feedback", params={"limit": 1000}).json()["feedback"]
        if sum(row["labels"] is not None for row in rows) >= N_LABELLED:
            return
    raise AssertionError("the labels did not come")


def _turn_again(someone: Visitor, words: dict[str, str], *, first: str) -> str:
    page = someone.page
    someone.go("turns")
    page.get_by_role("button", name=words["ask"], exact=True).click()
    someone.agree(words["ask"])
    page.locator(".turn-list a").nth(1).wait_for(timeout=TURN_MS)
    page.get_by_role("button", name=words["pause"], exact=True).click()
    page.get_by_role("button", name=words["resume"], exact=True).wait_for()
    someone.examine()
    page.get_by_role("button", name=words["resume"], exact=True).click()
    page.locator(".turn-outcome").wait_for(timeout=TURN_MS)
    page.locator(".turn-log summary").click()
    page.locator(".turn-log li", has_text="turn.paused").wait_for()
    page.locator(".turn-log li", has_text="turn.done").wait_for()
    someone.examine()
    models = [row["model_id"] for row in someone.api.get("/support/models").json()["models"]]
    assert len(models) == 2 and first in models
    return next(model for model in models if model != first)


def _compare_promote_and_go_back(someone: Visitor, words: dict[str, str], *, models: set[str]) -> None:
    """Whatever the gate thought of the second model: the other one goes live by hand, and back."""
    page, live = someone.page, someone.champion
    someone.go("models")
    for model in models:
        page.get_by_role("link", name=model).first.wait_for()
    someone.examine()
    page.get_by_role("link", name=words["compare"], exact=True).first.click()
    page.wait_for_url("**/compare/**")
    page.get_by_test_id("side-new").wait_for()
    someone.examine()
    someone.go("models")
    page.locator(".log li").first.wait_for()
    n_entries = page.locator(".log li").count()
    page.get_by_role("button", name=words["promote"], exact=True).click()
    page.locator("dialog[open] textarea").fill("tried by hand 手动")
    someone.agree(words["promote"])
    page.locator(".log li").nth(n_entries).wait_for()
    assert {live, someone.champion} == models
    page.get_by_role("button", name=words["back"], exact=True).click()
    someone.agree(words["back"])
    page.locator(".log li").nth(n_entries + 1).wait_for()
    assert someone.champion == live

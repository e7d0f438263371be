"""The console in a real browser: labels by keys alone, a turn, a promotion and back, in English and in Chinese."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit

from feilun.trust import create_key
from tests.journeys.conftest import Server
from tests.journeys.visitor import IN_A_BROWSER, LOCALES, WITHIN_MS, Visitor, playwright

pytestmark = IN_A_BROWSER
WORDS = {
    "en": {
        "queue": "Queue",
        "promote": "Promote",
        "rollback": "Roll back",
        "stop": "Stop",
        "beside": "Beside, unseen",
        "shadow": "Begin a shadow",
        "ask": "Ask for a turn",
        "asked": "is asked",
    },
    "zh": {
        "queue": "待审队列",
        "promote": "上线",
        "rollback": "回滚",
        "stop": "停止",
        "beside": "旁路（影子）",
        "shadow": "开始影子运行",
        "ask": "运行一轮",
        "asked": "已请求",
    },
}
N_LABELLED = 10


@pytest.mark.parametrize(("lang", "scheme"), [("en", "light"), ("zh", "dark")])
def test_the_wheel_is_turned_by_hand_in_the_console(visit: Callable[..., Visitor], lang: str, scheme: str) -> None:
    someone, words = visit(lang, color_scheme=scheme), WORDS[lang]
    someone.page.goto(someone.url)
    someone.page.wait_for_url("**/console/projects/support")
    assert someone.page.locator("html").get_attribute("lang") == LOCALES[lang].replace("-GB", "")
    someone.page.locator(".wheel-score").get_by_text("%").wait_for()
    someone.examine()
    _label(someone, words)
    _try_a_message(someone)
    _promote_and_go_back(someone, words)
    _begin_a_shadow_watch_it_and_stop_it(someone, words)
    _ask_for_a_turn(someone, words)
    someone.go("data")
    someone.page.locator(".feedback-text").first.wait_for()
    someone.examine()
    assert someone.troubles == []


def _label(someone: Visitor, words: dict[str, str]) -> None:
    page = someone.page
    someone.go("queue")
    assert page.locator("h1").inner_text() == words["queue"]
    page.get_by_test_id("message").wait_for()
    someone.examine()
    labels = page.locator(".labels ol .label span").all_inner_texts()
    given: dict[str, str] = {}
    for n in range(N_LABELLED):
        suggested = page.locator(".label.on span").first.inner_text()
        key = ["1", "2", "3", "Enter"][n % 4]
        given[someone.press(key)] = suggested if key == "Enter" else labels[int(key) - 1]
    _compose(someone)
    taken_back = someone.press("3")
    someone.press("u")
    assert someone.message == taken_back
    skipped = someone.press("s")
    page.keyboard.press("/")
    page.keyboard.type(labels[1][:4])
    before = someone.message
    page.keyboard.press("Enter")
    someone.wait_past(before)
    given[before] = labels[1]
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    someone.examine()
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
    given[someone.press("1")] = labels[0]
    given |= _label_alike(someone)
    someone.go("playground")  # leaving sends what still waits
    assert _said(someone, len(given)) == given
    waiting = {
        row["inputs"]["text"] for row in someone.api.get("/support/queue", params={"limit": 100}).json()["queue"]
    }
    assert taken_back == skipped and skipped not in waiting and not waiting & given.keys()


def _label_alike(someone: Visitor) -> dict[str, str]:
    """One label for a message and another that is like it; taken back together, and given again."""
    page, before = someone.page, someone.message
    for is_meant in (False, True):
        page.keyboard.press("a")
        sheet = page.locator("dialog[open]")
        sheet.locator(".alike li").first.wait_for()
        someone.examine()
        for box in sheet.get_by_role("checkbox").all():
            box.uncheck()
        sheet.get_by_role("checkbox").first.check()
        label = sheet.locator(".ant-select-content, .ant-select-selection-item").first.inner_text()
        other = sheet.locator(".alike li span").first.inner_text()
        sheet.locator("footer .ant-btn-primary").click()
        sheet.wait_for(state="detached")
        someone.wait_past(before)
        if not is_meant:
            page.keyboard.press("u")
            playwright.expect(page.get_by_test_id("message")).to_have_text(before)
    return {before: label, other: label}


def _compose(someone: Visitor) -> None:
    """Write Chinese by pinyin: the keys that compose it are no shortcuts, nor is the one that ends it."""
    page, before = someone.page, someone.message
    for key in ("1", "s", "u", "/", "?", "Enter"):
        for composing in ({"isComposing": True}, {"keyCode": 229}):
            page.evaluate(
                "event => document.body.dispatchEvent(new KeyboardEvent('keydown', {...event, bubbles: true}))",
                {"key": key, **composing},
            )
    page.keyboard.press("/")
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "tuikuan", "selectionStart": 7, "selectionEnd": 7})
    page.evaluate(
        "document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
    )
    keyboard.send("Input.insertText", {"text": "退款"})
    assert page.locator("#find-label").input_value() == "退款"
    assert someone.message == before
    page.keyboard.press("Escape")


def _said(someone: Visitor, n: int) -> dict[str, str]:
    """What the server has on disk: message -> label, once n labels are there."""
    deadline = time.monotonic() + WITHIN_MS / 1000
    while time.monotonic() < deadline:
        rows = someone.api.get("/support/feedback", params={"limit": 1000}).json()["feedback"]
        said = {row["inputs"]["text"]: row["labels"][0] for row in rows if row["labels"]}
        if len(said) >= n:
            return said
        time.sleep(0.2)
    raise AssertionError(f"{len(said)} of {n} labels came")


def _try_a_message(someone: Visitor) -> None:
    page = someone.page
    someone.go("playground")
    page.locator("#try").fill("where is my parcel")
    page.keyboard.press("Enter")
    page.get_by_test_id("answer").locator(".answer-label").wait_for()
    assert "where is my parcel" in page.locator(".code pre").first.inner_text()
    for language in ("Python", "JavaScript"):
        page.get_by_text(language, exact=True).click()
        page.locator(".code pre").filter(has_text="urllib" if language == "Python" else "fetch").wait_for()
    someone.examine()


def _promote_and_go_back(someone: Visitor, words: dict[str, str]) -> None:
    page = someone.page
    first = someone.champion
    someone.go("models")
    someone.examine()
    page.get_by_role("button", name=words["promote"], exact=True).click()
    page.locator("dialog[open] textarea").fill("it does better on parcels 包裹")
    someone.examine()
    someone.agree(words["promote"])
    page.locator(".log li").nth(2).wait_for()
    second = someone.champion
    assert second != first
    assert "包裹" in page.locator(".log li").first.inner_text()
    page.get_by_role("link", name=second).first.click()
    page.locator(".lineage").wait_for()
    someone.examine()
    page.go_back()
    page.get_by_role("button", name=words["rollback"], exact=True).click()
    someone.agree(words["rollback"])
    page.locator(".log li").nth(3).wait_for()
    assert someone.champion == first
    assert [row["action"] for row in someone.api.get("/support/releases").json()["releases"]][:2] == [
        "rollback",
        "promote",
    ]


def _begin_a_shadow_watch_it_and_stop_it(someone: Visitor, words: dict[str, str]) -> None:
    page, champion = someone.page, someone.champion
    other = next(
        row["model_id"] for row in someone.api.get("/support/models").json()["models"] if row["model_id"] != champion
    )
    someone.go("models")
    page.get_by_role("button", name=words["promote"], exact=True).click()
    page.locator("dialog[open]").get_by_text(words["beside"], exact=True).click()
    page.locator("dialog[open] input[type=range]").fill("50")
    someone.examine()
    someone.agree(words["shadow"])
    assert someone.api.get("/support/traffic").json()["challenge"]["share"] == 0.5
    stop = page.get_by_role("button", name=words["stop"], exact=True)
    stop.wait_for()
    beside = page.locator(".card").filter(has=stop)
    assert [beside.locator("tbody a.mono").nth(n).inner_text() for n in range(2)] == [champion, other]
    assert page.locator(".log li").first.get_by_role("link").inner_text() == other
    someone.examine()
    stop.click()
    page.locator("dialog[open] textarea").fill("seen enough 看够了")
    someone.agree(words["stop"])
    stop.wait_for(state="detached")
    assert someone.api.get("/support/traffic").json()["challenge"] is None
    assert "看够了" in someone.api.get("/support/releases").json()["releases"][0]["reason"]
    assert someone.champion == champion


def _ask_for_a_turn(someone: Visitor, words: dict[str, str]) -> None:
    page = someone.page
    someone.go("turns")
    page.get_by_role("button", name=words["ask"], exact=True).click()
    someone.agree(words["ask"])
    page.locator(".turn-list a").nth(2).wait_for()
    page.locator(".steps .done").first.wait_for()
    page.reload()  # what was seen before is there again
    page.locator(".steps .done").first.wait_for()
    page.locator(".steps .done").nth(5).wait_for()
    page.locator(".turn-outcome").wait_for()
    page.locator(".candidate").first.wait_for()
    someone.examine()


def test_against_the_goal_a_model_is_promoted_with_a_reason_and_a_name(
    turned: Path, tmp_path: Path, serve: Callable[..., Server], visit_at: Callable[..., Visitor]
) -> None:
    shutil.copytree(turned.parent, tmp_path / "strict")
    settings = tmp_path / "strict" / "support" / "feilun.toml"
    document = tomlkit.parse(settings.read_text("utf-8"))
    document["goal"] = {"max_size_mb": 0.001}
    settings.write_text(tomlkit.dumps(document), "utf-8")
    someone = visit_at(serve(settings.parent), "en")
    page, first = someone.page, someone.champion
    someone.go("models")
    page.get_by_role("button", name="Promote", exact=True).click()
    sheet = page.locator("dialog[open]")
    promote = sheet.locator("footer").get_by_role("button", name="Promote", exact=True)
    promote.click()
    sheet.get_by_role("alert").wait_for()
    assert someone.champion == first
    sheet.get_by_role("checkbox").check()
    sheet.locator("textarea").fill("small enough for now")
    playwright.expect(promote).to_be_disabled()  # nobody has signed yet
    sheet.get_by_label("Your name").fill("Ann Lee")
    someone.examine()
    promote.click()
    page.locator(".log li").filter(has_text="Ann Lee").wait_for()
    assert someone.champion != first
    assert someone.api.get("/support/releases").json()["releases"][0]["actor"] == "Ann Lee"
    assert [trouble for trouble in someone.troubles if "409" not in trouble] == []


def test_who_is_not_on_this_machine_is_asked_for_a_key_and_keeps_it_no_longer_than_the_tab(
    server: Server, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    from feilun.project import Project

    with Project(tmp_path / "console" / "support") as project:
        secret = create_key(project.store, name="console", scopes=["admin"])[1]
    someone = visit("en", extra_http_headers={"X-Forwarded-For": "192.0.2.7"})
    page = someone.page
    page.goto(someone.url)
    page.get_by_role("button", name="Use a key instead").click()
    page.locator("main input").fill("fl_wrong")
    page.keyboard.press("Enter")
    page.locator("main [role=alert]").wait_for()
    someone.examine()
    page.locator("main input").fill(secret)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/projects/support")
    page.locator(".wheel-score").get_by_text("%").wait_for()
    assert page.evaluate("localStorage.length && JSON.stringify(localStorage)").find(secret) == -1
    assert page.context.cookies() == []
    other = page.context.new_page()
    other.goto(someone.url)
    other.get_by_role("button", name="Use a key instead").wait_for()
    assert someone.troubles == []

"""A project's settings are changed, a backup is made, fetched and deleted, and what works is seen: with a browser."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from tests.journeys.visitor import IN_A_BROWSER, WITHIN_MS, Visitor, playwright

pytestmark = IN_A_BROWSER


def test_settings_backup_and_jobs(visit: Any, tmp_path: Path):
    visitor: Visitor = visit("en")
    page, expect = visitor.page, playwright.expect
    visitor.go("settings")
    goal = page.get_by_role("textbox", name="goal.at_least")
    goal.fill("7")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("goal.at_least = 7", timeout=WITHIN_MS)
    goal.fill("0.25")
    visitor.examine()
    page.get_by_role("button", name="Save", exact=True).click()
    # Not until the button has gone: while it is busy it has another name.
    expect(page.get_by_role("region", name="not saved yet")).to_have_count(0, timeout=WITHIN_MS)
    expect(goal).to_have_value("0.25", timeout=WITHIN_MS)
    told = visitor.api.get("/support/settings").json()
    assert {one["name"]: one["value"] for part in told["sections"] for one in part["settings"]}["goal.at_least"] == 0.25

    visitor.api.patch("/support/settings", json={"changes": {"label.batch": 9}}).raise_for_status()
    goal.fill("0.3")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("has changed since you read it", timeout=WITHIN_MS)
    page.get_by_role("button", name="Read the file again").click()
    expect(page.get_by_role("textbox", name="label.batch")).to_have_value("9", timeout=WITHIN_MS)
    expect(goal).to_have_value("0.3", timeout=WITHIN_MS)  # what was meant is kept

    page.goto(f"{visitor.url}/console/settings/backup")
    page.get_by_role("button", name="Back up now").click()
    with page.expect_download(timeout=WITHIN_MS) as fetched:
        page.get_by_role("button", name="Download").click()
    fetched.value.save_as(tmp_path / "fetched.zip")
    with zipfile.ZipFile(tmp_path / "fetched.zip") as archive:
        assert "feilun.db" in archive.namelist()
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("status")).to_have_text("No problems.", timeout=WITHIN_MS)
    visitor.examine()
    page.get_by_role("button", name="Delete").click()
    visitor.agree("Delete")
    expect(page.get_by_role("heading", name="No backup yet")).to_be_visible(timeout=WITHIN_MS)

    page.goto(f"{visitor.url}/console/settings/jobs")
    expect(page.get_by_role("heading", name="Nothing works, nothing waits")).to_be_visible(timeout=WITHIN_MS)
    visitor.examine()
    # The refusals are the test's own; a browser writes each to its console.
    assert [one for one in visitor.troubles if "422" not in one and "412" not in one] == []


def test_the_screens_fit_a_phone_in_chinese(visit: Any):
    visitor: Visitor = visit("zh", viewport={"width": 390, "height": 844}, color_scheme="dark")
    for screen in ("projects/support/settings", "projects/support/data/snapshots", "settings/backup", "settings/jobs"):
        visitor.page.goto(f"{visitor.url}/console/{screen}")
        visitor.page.locator("h1").wait_for()
        visitor.examine()
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert visitor.troubles == []

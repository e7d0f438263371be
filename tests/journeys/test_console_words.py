"""Every screen with texts half as long again: nothing is cut off, no page is too wide, and axe finds nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.journeys.conftest import Server
from tests.journeys.visitor import IN_A_BROWSER, Visitor

pytestmark = IN_A_BROWSER
SCREENS = (
    "",
    "/queue",
    "/playground",
    "/monitor",
    "/models",
    "/models/MODEL",
    "/models/MODEL/errors",
    "/models/OTHER/compare/MODEL",
    "/turns",
    "/data",
    "/data/snapshots",
    "/settings",
    "/first",
)
SETTINGS = ("", "/people", "/keys", "/usage", "/audit", "/tenants", "/jobs", "/backup")
# Boxes whose own text does not fit and is hidden. A list's chosen item may be cut: it opens whole.
CUT_OFF = """() => [...document.querySelectorAll("body *")].filter((box) => {
  const own = [...box.childNodes].some((node) => node.nodeType === 3 && node.data.includes("\u27e6"));
  if (!own || box.closest(".ant-select, .sr, [aria-hidden=true]")) return false;
  const style = getComputedStyle(box);
  const hides = [style.overflowX, style.overflowY].some((how) => how === "hidden" || how === "clip");
  return hides && (box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1);
}).map((box) => box.textContent.slice(0, 60))"""
TOO_WIDE = "() => document.documentElement.scrollWidth - innerWidth"


# English is the longer of the two, so it has the narrow window.
@pytest.mark.parametrize(("lang", "width", "scheme"), [("en", 390, "light"), ("zh", 1280, "dark")])
def test_texts_that_are_half_as_long_again_fit_and_every_screen_can_be_read_by_all(
    server: Server, visit_at: Callable[..., Visitor], lang: str, width: int, scheme: str
) -> None:
    someone = visit_at(server, lang, viewport={"width": width, "height": 844}, color_scheme=scheme)
    page, model = someone.page, someone.champion
    other = next(
        row["model_id"] for row in someone.api.get("/support/models").json()["models"] if row["model_id"] != model
    )
    paths = [f"/projects/support{one.replace('MODEL', model).replace('OTHER', other)}" for one in SCREENS]
    paths += [f"/settings{one}" for one in SETTINGS] + ["/start"]
    wrong = []
    for path in paths:
        page.goto(f"{someone.url}/console{path}?pseudo")
        page.locator("h1").first.wait_for()
        page.locator(".ant-skeleton").first.wait_for(state="detached")
        page.get_by_text("\u27e6").first.wait_for()
        wrong += [(path, cut) for cut in page.evaluate(CUT_OFF)]
        if (beyond := page.evaluate(TOO_WIDE)) > 0:
            wrong.append((path, f"{beyond} px wider than the window"))
        someone.examine()
    assert wrong == [] and someone.troubles == []

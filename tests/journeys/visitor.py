"""A person with a browser, as the console's journeys need one; what must not happen to them is noted."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from feilun.console import read_console
from tests.journeys.conftest import SAMPLES

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = SAMPLES.parent / "web" / "node_modules" / "axe-core" / "axe.min.js"
IN_A_BROWSER = [
    pytest.mark.journey,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium fonts-noto-cjk"),
    pytest.mark.skipif(read_console() is None or not AXE.is_file(), reason="the console is not built: make console"),
]
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
WITHIN_MS = 60_000  # patience on a busy machine, not a promise
SETTLED_MS = 5_000


@dataclass
class Visitor:
    """A person with a browser, and what must not happen to them."""

    page: Any
    url: str
    api: httpx.Client
    troubles: list[str] = field(default_factory=list)

    def go(self, screen: str = "") -> None:
        self.page.goto(f"{self.url}/console/projects/support{screen and '/' + screen}")
        self.page.locator("h1").wait_for()

    @property
    def message(self) -> str:
        return str(self.page.get_by_test_id("message").inner_text())

    @property
    def champion(self) -> str:
        return str(self.api.get("/support").json()["champion"])

    def press(self, key: str) -> str:
        """Press a key in the queue and wait for the next message; gives the one that was there."""
        before = self.message
        self.page.keyboard.press(key)
        self.wait_past(before)
        return before

    def wait_past(self, message: str) -> None:
        """Until another message lies on the desk; by a locator, as the page's policy lets no string become code."""
        here = self.page.get_by_test_id("message")
        playwright.expect(here).not_to_have_text(message, timeout=WITHIN_MS)

    def agree(self, name: str) -> None:
        """Press the open dialog's own button of that name, and wait until the dialog has gone."""
        sheet = self.page.locator("dialog[open]")
        sheet.locator("footer").get_by_role("button", name=name, exact=True).click()
        sheet.wait_for(state="detached")

    def examine(self) -> None:
        """Hold the screen against axe's rules; what it calls serious or critical counts."""
        self.page.locator(".ant-skeleton").first.wait_for(state="detached")
        # Half-way through a change of colour the contrast is another one. What turns for ever is not waited for, and
        # nothing for long: an animation that gets no frames never ends.
        self.page.evaluate(
            "(most) => Promise.race([new Promise((go) => setTimeout(go, most)), Promise.all(document.getAnimations()"
            ".filter((one) => one.effect.getComputedTiming().endTime !== Infinity)"
            ".map((one) => one.finished.catch(() => null)))])",
            SETTLED_MS,
        )
        # by evaluate, not by a script element: the page's policy would refuse that, as it should
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
        for one in found:
            if one["impact"] in ("serious", "critical"):
                places = [node["target"] for node in one["nodes"]][:3]
                self.troubles.append(
                    f"{self.page.url}: {one['id']}: {json.dumps(places)} {one['nodes'][0]['failureSummary']}"
                )

    def watch(self) -> None:
        """Note every console error, every exception and every request to another host."""
        page, own = self.page, self.url
        page.on("console", lambda said: said.type in ("error", "warning") and self.troubles.append(said.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith((own, "data:")) or self.troubles.append(asked.url))

#!/usr/bin/env python3
"""Make a picture of every screen, in both languages, light and dark, and as a phone shows them.

python web/screenshots.py                      of the demo's projects (`make demo` makes them); into web/screenshots
python web/screenshots.py FOLDER --out DIR     of other projects

Serves the folder on a free port and drives the system's Chromium, so what is seen is what users see.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SCREENS = (
    "",
    "queue",
    "playground",
    "models",
    "report",
    "errors",
    "compare",
    "turns",
    "monitor",
    "data",
    "data/snapshots",
    "settings",
)
SETTINGS = ("account", "people", "keys", "usage", "jobs", "audit", "tenants", "backup")
STRANGER = {"X-Forwarded-For": "203.0.113.1"}  # an address of documentation: somebody from elsewhere
SIZES = {"": (1360, 900), "phone": (390, 844)}
MESSAGES = {"en": "My card has not arrived yet", "zh": "明天早上七点叫我起床"}


def main() -> int:
    """Serve, look, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "demo" / "work")
    parser.add_argument("--out", type=Path, default=ROOT / "web" / "screenshots")
    parser.add_argument("--en", default="banking77", help="the project for the English pictures")
    parser.add_argument("--zh", default="massive-zh-cn", help="the project for the Chinese pictures")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with serving(given.folder) as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium())
        for (lang, name), scheme, size in product((("en", given.en), ("zh", given.zh)), ("light", "dark"), SIZES):
            if size and scheme == "dark":
                continue
            for screen, page in screens(browser, f"{address}/console/projects/{quote(name)}", lang, scheme, size):
                shown = screen.replace("/", "-") or "home"
                path = given.out / f"{'.'.join(filter(None, (shown, lang, scheme, size)))}.png"
                page.screenshot(path=path, full_page=screen not in ("queue", "errors", "compare"))
                sys.stdout.write(f"{path}\n")
    return 0


def screens(browser: Browser, address: str, lang: str, scheme: str, size: str) -> Iterator[tuple[str, Page]]:
    """Each screen, once everything on it has come."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="zh-CN" if lang == "zh" else "en-GB",
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and sys.stderr.write(f"{message.text}\n"))
    for screen in SCREENS:
        if screen == "report":
            page.locator("td a.mono").first.click()
        elif screen == "errors":
            page.locator("a[href$='/errors']").first.click()
            page.locator(".example button").first.click()
            page.locator(".decisive").wait_for()
        elif screen == "compare":
            page.goto(f"{address}/models")
            page.locator("a[href*='/compare/']").first.click()
            page.get_by_test_id("verdict").wait_for()
        else:
            page.goto(f"{address}/{screen}".rstrip("/"))
        if screen == "playground":
            page.locator("#try").fill(MESSAGES[lang])
            page.keyboard.press("Enter")
            page.get_by_test_id("answer").locator("button").first.click()
            page.locator(".decisive").wait_for()
        if screen == "report":
            page.locator(".threshold canvas").wait_for()
        yield screen, settled(page)
    server = address.partition("/console/")[0]
    for screen in SETTINGS:
        page.goto(f"{server}/console/settings/{'' if screen == 'account' else screen}")
        yield f"settings-{screen}", settled(page)
    page.goto(f"{server}/console/invitation#fi_0123456789")
    yield "invitation", settled(page)
    page.set_extra_http_headers(STRANGER)
    page.goto(f"{server}/console/")
    yield "sign-in", settled(page)
    context.close()


def settled(page: Page) -> Page:
    """The page, once everything on it has come."""
    page.wait_for_load_state("load")
    page.locator("h1").first.wait_for()
    page.locator(".ant-skeleton").first.wait_for(state="detached")
    page.wait_for_timeout(900)  # charts draw themselves in a quarter of a second
    return page


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """`feilun serve` on a free port; gives its address."""
    command = [sys.executable, "-m", "feilun", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit("the server did not start")
        yield address
    finally:
        process.terminate()
        process.wait(20)


def chromium() -> str:
    """The system's browser.

    Raises:
        SystemExit: there is none.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("Chromium is missing. On Debian: apt install chromium fonts-noto-cjk")
    return found


if __name__ == "__main__":
    raise SystemExit(main())

#!/usr/bin/env python3
"""How fast the console is to the one who uses it: the first screen, a key in the queue, and labels a minute.

    python benchmarks/console.py [--project FOLDER] [--name banking77] [--labels 60] [--out FILE]

FOLDER holds projects as `make demo` leaves them (default: demo/work); they are copied, so nothing of theirs changes.
Serves the copy and drives the system's Chromium. A visit to the first screen begins with an empty cache and ends when
the score in the wheel can be read. A key lasts from its event until the next message is painted, as the page's own
clock says; the queue is driven as fast as it follows, half of the labels by `Enter` and half by a number.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from common import public
from serve import Record, percentile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "web"))
from screenshots import chromium, serving  # noqa: E402 - it lies beside the screens

N_VISITS = 9
PATIENCE_S = 120
WIDE = {"width": 1360, "height": 900}
# From the event of a key to the paint after the message has changed; the page's policy lets no string become code,
# so the watch is laid by the driver.
WATCH = """() => {
  window.took = [];
  let since = 0;
  addEventListener("keydown", (event) => { since = event.timeStamp; }, true);
  const seen = () => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => { if (since) window.took.push(performance.now() - since); since = 0; };
    channel.port2.postMessage(0);
  });
  new MutationObserver(seen).observe(document.querySelector(".desk").parentElement,
    {subtree: true, childList: true, characterData: true});
}"""


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=ROOT / "demo" / "work", help="folder with projects")
    parser.add_argument("--name", default="banking77", help="which of them (default: %(default)s)")
    parser.add_argument("--labels", type=int, default=60, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as play:
        copy = Path(shutil.copytree(given.project, Path(scratch) / "projects"))
        with serving(copy) as address:
            fill_queue(address, given.name, n=given.labels + 40)
            browser = play.chromium.launch(executable_path=chromium())
            at = f"{address}/console/projects/{given.name}"
            found = first_screen(browser, at) | queue(browser, at, n=given.labels)
            browser.close()
    print(json.dumps(found))
    if given.out:
        given.out.write_text(json.dumps({"command": public(sys.argv), **found}, indent=1), "utf-8")
    return 0


def fill_queue(address: str, name: str, *, n: int) -> None:
    """Messages that somebody disliked, so that enough wait."""
    with (ROOT / "samples" / name / "traffic.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row, _ in zip(csv.DictReader(file), range(n), strict=False)]
    with httpx.Client(base_url=f"{address}/v1/projects/{name}", timeout=60) as api:
        body = {"inputs": [{"text": text} for text in texts]}
        for answer in api.post("/predictions", json=body).raise_for_status().json()["predictions"]:
            said = {"prediction_id": answer["prediction_id"], "thumb": "down"}
            api.post("/feedback", json=said).raise_for_status()


def first_screen(browser: Browser, at: str) -> Record:
    """Seconds from the request until the first screen's score stands there, and until the first paint."""
    took: list[float] = []
    painted: list[float] = []
    for _ in range(N_VISITS):
        page = newcomer(browser)
        started = time.perf_counter()
        page.goto(at)
        page.locator(".wheel-score").get_by_text("%").wait_for()
        took.append(time.perf_counter() - started)
        painted.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000)
        page.context.close()
    return {
        "first_screen_s": round(statistics.median(took), 3),
        "first_screen_slowest_s": round(max(took), 3),
        "first_paint_s": round(statistics.median(painted), 3),
    }


def queue(browser: Browser, at: str, *, n: int) -> Record:
    """Milliseconds from a key to the next message, and how many labels a minute can be given."""
    page = newcomer(browser)
    page.goto(f"{at}/queue")
    page.get_by_test_id("message").wait_for()
    page.evaluate(WATCH)
    started = time.perf_counter()
    for i in range(n):
        page.keyboard.press("Enter" if i % 2 else "1")
        while page.evaluate("window.took.length") <= i:
            assert time.perf_counter() - started < PATIENCE_S, f"key {i} changed nothing"
    wall_s = time.perf_counter() - started
    took = sorted(page.evaluate("window.took"))
    page.context.close()
    return {
        "key_p50_ms": round(percentile(took, 0.5), 1),
        "key_p95_ms": round(percentile(took, 0.95), 1),
        "key_longest_ms": round(took[-1], 1),
        "labels_a_minute": round(60 * n / wall_s),
    }


def newcomer(browser: Browser) -> Page:
    """A page of somebody who was never here."""
    context: Any = browser.new_context(viewport=WIDE, locale="en-GB")
    return context.new_page()


if __name__ == "__main__":
    sys.exit(main())

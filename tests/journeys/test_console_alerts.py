"""Alerts in a real browser: an empty card teaches, a test arrives, a rule that fires shows, and so does what failed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.visitor import IN_A_BROWSER
from tests.receiver import receiving, tell, write_settings

pytestmark = IN_A_BROWSER
WORDS = {
    "en": ("Nobody is told yet", "Send a test", "Did not arrive: elsewhere", "1 firing", "Given up"),
    "zh": ("目前不会通知任何人", "发送测试", "未送达：elsewhere", "1 条告警中", "已放弃"),
}


@pytest.mark.parametrize("look", [("en", "light"), ("zh", "dark")], ids="-".join)
def test_who_is_told_is_seen_and_tried(
    turned: Path, tmp_path: Path, serve: Callable[..., Any], visit_at: Callable[..., Any], look: tuple[str, str]
) -> None:
    shutil.copytree(turned.parent, tmp_path / "console")
    lang, scheme = look
    folder, (nobody, test, missed, firing, given_up) = tmp_path / "console" / "support", WORDS[lang]
    elsewhere = {"name": "elsewhere", "url": "https://internal.example/x"}
    with receiving() as receiver:
        write_settings(folder, serve=tell(folder, receiver.port))
        write_settings(folder, alerts={"to": []})
        server = serve(folder, more={"OPS_SECRET": "words", "FEILUN_LANG": lang})
        someone = visit_at(server, lang, color_scheme=scheme)
        someone.go("monitor")
        someone.page.get_by_text(nobody, exact=True).wait_for()
        someone.examine()
        tell(folder, receiver.port, elsewhere, disk_left_mb=1e12)
        someone.page.get_by_text(firing, exact=True).wait_for()
        assert json.loads(receiver.wait().body)["data"]["rule"] == "disk_left_mb"
        someone.page.get_by_role("button", name=test, exact=True).click()
        someone.page.get_by_text(missed, exact=True).wait_for()
        assert json.loads(receiver.wait().body)["type"] == "alert.test"
        someone.page.locator(".alert-log").get_by_text(given_up, exact=True).first.wait_for()
        someone.examine()
        assert someone.troubles == []

"""The page of promises names tests that exist, the same ones in both languages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def named(lang: str) -> list[str]:
    page = (ROOT / "docs" / lang / "security.md").read_text("utf-8")
    return re.findall(r"`(?:tests/[\w/]+/)?(test_\w+\.py)`", page)


def test_every_test_behind_a_promise_is_there_and_every_hardening_test_has_its_promise() -> None:
    everywhere = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(named("en")) <= everywhere and named("en") == named("zh")
    here = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert here - set(named("en")) == {Path(__file__).name}

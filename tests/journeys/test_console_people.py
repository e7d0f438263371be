"""An owner lets somebody in; they choose a password, label, see no more than their role opens, and leave."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from feilun.project import Workspace
from tests.journeys.conftest import Server
from tests.journeys.test_console import (  # noqa: F401 (fixtures)
    LOCALES,
    Visitor,
    playwright,
    pytestmark,
    server,
    turned,
    visit_at,
)

OWNERS, THEIRS = "correct horse battery", "staple of the second drawer"
WORDS = {
    "en": {
        "code": "Code",
        "new": "New password",
        "again": "Once more",
        "accept": "Choose password and sign in",
        "name": "Sign-in name",
        "password": "Password",
        "sign_in": "Sign in",
        "add": "Add a person",
        "invite": "Invite",
        "kept": "I have kept it",
        "invited": "invited",
        "has_password": "has a password",
        "out": "Sign out",
        "wrong": "do not match",
        "keys": "Keys",
        "people": "People",
    },
    "zh": {
        "code": "邀请码",
        "new": "新密码",
        "again": "再次输入",
        "accept": "设置密码并登录",
        "name": "登录名",
        "password": "密码",
        "sign_in": "登录",
        "add": "添加人员",
        "invite": "邀请",
        "kept": "我已保存",
        "invited": "已邀请",
        "has_password": "已设置密码",
        "out": "退出登录",
        "wrong": "不匹配",
        "keys": "密钥",
        "people": "人员",
    },
}


@pytest.fixture
def locked(server: Server, tmp_path: Path, serve: Callable[..., Server]) -> tuple[Server, str]:  # noqa: F811
    """The served project, to which everybody is a stranger, and the code of its owner's invitation."""
    server.kill(signal.SIGTERM)
    folder = tmp_path / "console" / "support"
    settings = tomlkit.parse((folder / "feilun.toml").read_text("utf-8"))
    settings.setdefault("serve", tomlkit.table())["require_key"] = True
    (folder / "feilun.toml").write_text(tomlkit.dumps(settings), "utf-8")
    with Workspace(folder) as workspace:
        code = workspace.add_person("head", role="owner", name="Head of support")["code"]
    return serve(folder), code


def accept(visitor: Visitor, words: dict[str, str], password: str) -> None:
    page = visitor.page
    page.get_by_label(words["new"], exact=True).fill(password)
    page.get_by_label(words["again"], exact=True).fill(password)
    visitor.examine()
    page.get_by_role("button", name=words["accept"]).click()
    page.wait_for_url("**/projects/support")


def sign_in(visitor: Visitor, words: dict[str, str], name: str, password: str) -> None:
    page = visitor.page
    page.get_by_label(words["name"], exact=True).fill(name)
    page.get_by_label(words["password"], exact=True).fill(password)
    page.get_by_role("button", name=words["sign_in"], exact=True).click()


@pytest.mark.parametrize("lang", LOCALES)
def test_a_person_is_invited_labels_and_sees_no_keys(
    locked: tuple[Server, str],
    visit_at: Callable[..., Any],  # noqa: F811
    tmp_path: Path,
    lang: str,
) -> None:
    (served, code), words = locked, WORDS[lang]
    owner: Visitor = visit_at(served, lang)
    owner.page.goto(f"{owner.url}/console/invitation#{code}")
    accept(owner, words, OWNERS)
    owner.page.goto(f"{owner.url}/console/settings/people")
    owner.page.get_by_role("button", name=words["add"]).click()
    sheet = owner.page.locator("dialog[open]")
    sheet.get_by_label(words["name"], exact=True).fill("desk1")
    sheet.get_by_role("button", name=words["invite"]).click()
    link = owner.page.locator("dialog[open] pre", has_text="/console/invitation#").inner_text()
    owner.examine()
    owner.agree(words["kept"])
    row = owner.page.locator("tr", has_text="desk1")
    playwright.expect(row).to_contain_text(words["invited"])

    desk: Visitor = visit_at(served, lang)
    desk.page.goto(link)
    accept(desk, words, THEIRS)
    desk.go("queue")
    desk.press("1")
    desk.page.goto(f"{desk.url}/console/settings")
    side = desk.page.locator("nav.side")
    side.locator("a").first.wait_for()
    assert side.get_by_role("link", name=words["people"]).count() == 0
    assert side.get_by_role("link", name=words["keys"]).count() == 0
    desk.examine()
    desk.page.locator("button.me").click()
    desk.page.get_by_role("button", name=words["sign_in"], exact=True).wait_for()
    desk.examine()

    before, desk.troubles[:] = list(desk.troubles), []
    sign_in(desk, words, "desk1", OWNERS)
    playwright.expect(desk.page.get_by_role("alert")).to_contain_text(words["wrong"])
    assert all("403" in one for one in desk.troubles)  # the browser's own note of the refusal
    desk.troubles[:] = before
    sign_in(desk, words, "DESK1", THEIRS)
    desk.page.wait_for_url("**/projects/support")

    owner.page.reload()
    playwright.expect(row).to_contain_text(words["has_password"])
    for screen in ("keys", "usage", "audit", "tenants", ""):
        owner.page.goto(f"{owner.url}/console/settings/{screen}")
        owner.page.locator("h1").wait_for()
        owner.examine()
    with Workspace(tmp_path / "console" / "support") as workspace:
        assert workspace.store.list_latest_feedback("support")[0]["actor"] == "desk1"
    assert owner.troubles == desk.troubles == []

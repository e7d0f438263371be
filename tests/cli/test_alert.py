"""Alerts from the command line, in both languages; its exit code says whether a test arrived."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.receiver import receiving, write_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "support" / ".feilun").mkdir(parents=True)
    (tmp_path / "support" / "feilun.toml").write_text('[project]\nname = "support"\n', "utf-8")
    return tmp_path / "support"


def test_rules_are_listed_and_a_test_arrives_or_says_why_not(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    place = str(folder)
    assert "Nobody is told" in run("--lang", "en", "alert", "list", place).out
    refused = run("--lang", "zh", "alert", "test", place)
    assert (refused.exit_code, "没有告警目标" in refused.err) == (2, True)
    with receiving() as receiver:
        monkeypatch.setenv("CHAT", f"http://127.0.0.1:{receiver.port}/secret-path")
        serve = {"alert_hosts": [f"127.0.0.1:{receiver.port}"], "alert_networks": ["127.0.0.0/8"]}
        write_settings(folder, alerts={"to": [{"name": "ops", "format": "slack", "url": "env:CHAT"}]}, serve=serve)
        listed = run("alert", "list", place, "--json").json
        target = {"name": "ops", "format": "slack", "host": "127.0.0.1", "is_signed": False, "trouble": None}
        assert listed["targets"] == [target]
        assert {one["rule"] for one in listed["rules"]} == {
            "drift",
            "failed_requests",
            "disk_left_mb",
            "rolled_back",
            "turn_failed",
        }
        (sent,) = run("alert", "test", place, "--json").json
        assert (sent["state"], sent["event"], len(receiver.got)) == ("delivered", "test", 1)
    missed = run("--lang", "zh", "alert", "test", place, "--to", "ops")
    assert missed.exit_code == 1 and "无法建立连接" in missed.out
    log = run("--lang", "zh", "alert", "log", place).out
    assert "已送达" in log and "已放弃" in log and "secret-path" not in log


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({"name": "ops", "format": "wecom", "url": "https://qyapi.weixin.qq.com/x?key=1"}, "is a secret"),
        ({"name": "ops", "url": "https://a.example/x", "secret": "plain words"}, "secret"),
        ({"name": "ops", "url": "https://a.example/x", "format": "irc"}, "format"),
        ({"name": "ops"}, "url"),
    ],
    ids=["a robot's address", "a secret itself", "no such chat", "no address"],
)
def test_a_secret_in_the_settings_is_refused_and_the_line_is_named(folder: Path, run: Run, target: dict, told: str):
    write_settings(folder, alerts={"to": [target]})
    refused = run("--lang", "en", "alert", "list", str(folder))
    assert refused.exit_code == 2 and told in refused.err and "plain words" not in refused.err

"""The settings of a project: explained in both languages, changed where that is safe, never half, never unseen."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from feilun.config import load_settings
from feilun.config_words import all_settings
from feilun.project import Project
from feilun.project.errors import SettingInFile, SettingsOutdated, SettingsRefused, SettingUnknown
from feilun.project.settings import _editable, effect_of
from tests.cli.conftest import Run, run  # noqa: F401

WRITTEN = """# ours
[project]
name = "support"  # in addresses

[goal]
at_least = 0.5  # half

[train]
budget_s = 60
[train.tune]
enabled = false

[store]
url = ""
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "support"
    (made / ".feilun").mkdir(parents=True)
    (made / "feilun.toml").write_text(WRITTEN, "utf-8")
    return made


@pytest.fixture
def project(folder: Path):
    with Project(folder) as opened:
        yield opened


def rows(project: Project, lang: str = "en") -> dict[str, dict]:
    return {one["name"]: one for part in project.describe_settings(lang)["sections"] for one in part["settings"]}


def test_every_setting_is_explained_and_what_may_hold_a_password_is_not_shown(project: Project, folder: Path):
    for lang in ("en", "zh"):
        told = rows(project, lang)
        assert set(told) == {name for name in all_settings() if not name.startswith("store.")}
        assert all(one["meaning"] for one in told.values())
    at_least = told["goal.at_least"]
    assert (at_least["value"], at_least["default"], at_least["is_default"]) == (0.5, 0.0, False)
    assert (at_least["allowed"], at_least["least"], at_least["most"]) == ("数字 ≥ 0 且 ≤ 1", 0, 1)
    assert told["goal.max_size_mb"]["may_be_empty"] and told["release.guards"]["kind"] == "choices"
    secret = '[serve]\ntraces = "http://ann:secret@127.0.0.1:4318/"\n[backbone]\nmodel = "dir:/home/ann/bert"\n'
    (folder / "feilun.toml").write_text(WRITTEN + secret, "utf-8")
    told = rows(project)
    assert told["serve.traces"]["value"] is None and told["serve.traces"]["is_hidden"]
    assert told["backbone.model"]["value"] == "dir:bert"
    assert "secret" not in str(told) and "/home" not in str(told)


def test_a_change_keeps_the_comments_holds_in_the_open_project_and_is_in_the_audit_log(project: Project, folder: Path):
    changes = {"goal.at_least": 0.9, "goal.max_p99_ms": 20, "train.tune.enabled": None, "label.batch": 7}
    changed = project.change_settings(changes | {"train.seed": 0}, actor="ann")
    assert changed == {
        "goal.at_least": (0.5, 0.9),
        "goal.max_p99_ms": (None, 20.0),
        "train.tune.enabled": (False, True),
        "label.batch": (20, 7),
    }
    text = (folder / "feilun.toml").read_text("utf-8")
    assert (
        text.startswith("# ours\n") and 'name = "support"  # in addresses' in text and "at_least = 0.9  # half" in text
    )
    assert project.settings.label.batch == 7
    settings = load_settings(folder)
    assert (settings.goal.at_least, settings.goal.max_p99_ms, settings.train.tune.enabled) == (0.9, 20.0, True)
    entry = project.audit(limit=1)[0]
    assert (entry["action"], entry["actor"], entry["project"]) == ("settings.changed", "ann", "support")
    assert entry["details"]["goal.at_least"] == [0.5, 0.9]
    assert project.change_settings(changes) == {} and project.audit(limit=1)[0] == entry


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"goal.at_lest": 0.9}, SettingUnknown, "goal.at_least"),
        ({"goal": {"at_least": 0.9}}, SettingUnknown, "goal."),
        ({"store.url": "postgresql://x/y"}, SettingInFile, "store.url"),
        ({"serve.host": "0.0.0.0"}, SettingInFile, "serve.host"),
        ({"data.sources": []}, SettingInFile, "data.sources"),
        ({"goal.at_least": 1.5, "label.batch": "7", "train.seed": True}, SettingsRefused, "label.batch = 7"),
        ({"goal.at_least": 1.5, "label.batch": "7", "train.seed": True}, SettingsRefused, "goal.at_least = 1.5"),
        ({"goal.at_least": float("nan")}, SettingsRefused, "a number ≥ 0 and ≤ 1"),
        ({"train.budget_s": 90_000}, SettingsRefused, "≤ 86400"),
        ({"improve.schedule": "dayly"}, SettingsRefused, "never, hourly, daily, weekly"),
        ({"release.guards": ["failed", "x" * 999]}, SettingsRefused, "hand_over"),
        ({"goal.metric": None, "goal.at_least": [0.5]}, SettingsRefused, "goal.at_least"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(project: Project, folder: Path, changes, error, named):
    n_entries = len(project.audit())
    with pytest.raises(error) as refused:
        project.change_settings(changes | {"evaluate.n_bootstrap": 200})
    assert named in refused.value.message("en") and len(refused.value.message("zh")) < 400
    assert (folder / "feilun.toml").read_text("utf-8") == WRITTEN and len(project.audit()) == n_entries


def test_nobody_s_change_is_written_over(project: Project, folder: Path):
    etag = project.describe_settings()["etag"]
    project.change_settings({"label.batch": 7}, etag=etag)
    with pytest.raises(SettingsOutdated):
        project.change_settings({"label.batch": 8}, etag=etag)
    assert load_settings(folder).label.batch == 7
    names = [f"evaluate.{one}" for one in ("label_doubts", "learning_curve")] + ["compress.int8", "train.full.enabled"]
    threads = [threading.Thread(target=project.change_settings, args=({name: False},)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = rows(project)
    assert [told[name]["value"] for name in names] == [False] * 4 and told["label.batch"]["value"] == 7


def test_a_project_takes_up_what_another_process_wrote_but_not_whose_it_is_or_what_it_learns(
    project: Project, folder: Path
):
    changed = WRITTEN.replace('"support"', '"other"').replace("0.5", "0.7") + "[task]\nmulti_label = true\n"
    (folder / "feilun.toml").write_text(changed, "utf-8")
    project.refresh()
    assert project.settings.goal.at_least == 0.7
    assert (project.settings.project.name, project.settings.task.multi_label) == ("support", False)
    (folder / "feilun.toml").write_text("[goal", "utf-8")
    project.refresh()
    assert project.settings.goal.at_least == 0.7


def test_what_may_be_changed_exists_and_names_no_place():
    named = [*_editable()["now"], *_editable()["next_turn"]]
    assert len(named) == len(set(named)) and set(named) <= set(all_settings())
    kinds = {all_settings()[name].kind for name in named if name != "goal.metric"}
    assert kinds == {"switch", "whole", "number", "choice", "choices"}  # no text, in which a path could stand
    assert set(_editable()["hidden"]) <= set(all_settings()) and set(_editable()["most"]) <= set(named)
    tables = {name.partition(".")[0] for name in named}
    assert tables.isdisjoint({"project", "task", "backbone", "store"}) and effect_of("serve.port") == "file"


def test_the_command_line_shows_sets_and_unsets(folder: Path, run: Run):  # noqa: F811
    shown = run("config", "show", folder)
    assert shown.exit_code == 0 and "goal.at_least" in shown.out and "goal.metric" not in shown.out
    assert "goal.metric" in run("config", "show", folder, "--all").out
    done = run("config", "set", "improve.schedule", "daily", folder, "--json")
    assert done.json == {"changed": {"improve.schedule": ["never", "daily"]}, "effect": "now"}
    assert "next turn" in run("config", "set", "goal.at_least", "0.9", folder).out
    assert "already" in run("config", "set", "goal.at_least", "0.9", folder).out
    assert run("config", "set", "release.guards", '["failed"]', folder).exit_code == 0
    assert run("config", "unset", "goal.at_least", folder).exit_code == 0
    settings = load_settings(folder)
    assert (settings.goal.at_least, settings.improve.schedule, settings.release.guards) == (0, "daily", ("failed",))
    refused = run("config", "set", "serve.port", "1", folder)
    assert refused.exit_code == 2 and "feilun.toml itself" in refused.err

"""Workspace: tenants and keys from Python and the command line, in one project or many."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from feilun import Project, Workspace
from feilun.project import WorkspaceMissing
from feilun.store import EVERYWHERE, TenantUnknown
from feilun.trust import KeyInvalid, check_key
from tests.cli.conftest import Run

GUIDE = (Path(__file__).parents[2] / "docs" / "en" / "server.md").read_text("utf-8")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder that holds the projects of two tenants, one of whom nobody has made yet."""
    for project, tenant in (("support", "acme"), ("bot", "globex")):
        (tmp_path / project).mkdir()
        config = f'[project]\nname = "{project}"\ntenant = "{tenant}"\n'
        (tmp_path / project / "feilun.toml").write_text(config, "utf-8")
    with Workspace(tmp_path, make=True) as workspace:
        workspace.create_tenant("acme", name="Acme GmbH")
    return tmp_path


def test_a_project_opens_once_its_tenant_was_made_and_not_before(shop: Path, run: Run):
    Project(shop / "support").close()
    with pytest.raises(TenantUnknown):
        Project(shop / "bot")
    refused = run("release", "list", shop / "bot")
    assert (refused.exit_code, "feilun tenant create globex" in refused.err) == (2, True)
    assert run("tenant", "create", "globex", shop / "bot").exit_code == 0
    Project(shop / "bot").close()
    listed = run("tenant", "list", shop, "--json").json
    assert {row["tenant"]: (row["name"], row["projects"]) for row in listed} == {
        "acme": ("Acme GmbH", ["support"]),
        "globex": ("globex", ["bot"]),
        "house": ("House", []),
    }
    assert not (shop / "bot" / ".feilun").exists()


def test_a_project_that_was_refused_leaves_no_workspace_behind(tmp_path: Path, run: Run):
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "feilun.toml").write_text('[project]\nname = "support"\ntenant = "acme"\n', "utf-8")
    assert run("release", "list", tmp_path / "support").exit_code == 2
    assert run("tenant", "create", "acme", tmp_path).exit_code == 0
    assert run("release", "list", tmp_path / "support").exit_code == 0


def test_keys_of_a_project_a_tenant_and_the_operator(shop: Path, run: Run):
    Project(shop / "support").close()
    made = [
        run("key", "create", shop / "support", "--json").json,
        run("key", "create", shop, "--tenant", "acme", "--role", "owner", "--days", "9", "--json").json,
        run("key", "create", shop / "support", "--every-project", "--scope", "admin", "--json").json,
    ]
    assert [(row["tenant"], row["project"], row["role"]) for row in made] == [
        ("acme", "support", None),
        ("acme", None, "owner"),
        (None, None, "maintainer"),
    ]
    shown = run("key", "list", shop)
    assert all(row["key_id"] in shown.out and row["key"] not in shown.out for row in made)
    assert "hash" not in run("key", "list", shop, "--json").out


def test_a_key_is_rotated_on_the_command_line(shop: Path, run: Run):
    Project(shop / "support").close()
    first = run("key", "create", shop / "support", "--json").json
    second = run("key", "rotate", first["key_id"], shop, "--grace", "0s", "--json").json
    assert (second["key_id"], second["scopes"]) == (first["key_id"], first["scopes"])
    with Workspace(shop) as workspace:
        assert check_key(workspace.store, second["key"], scope="predict", project="support")
        with pytest.raises(KeyInvalid):
            check_key(workspace.store, first["key"], scope="predict", project="support")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("key", "create", "--tenant", "never", "--role", "viewer"), "There is no tenant 'never'"),
        (("key", "create", "--tenant", "acme", "--every-project"), "either --tenant or --every-project"),
        (("key", "create", "--tenant", "acme", "--role", "king"), "a role (viewer, labeller, maintainer, owner)"),
        (("key", "create", "--tenant", "acme", "--role", "viewer", "--scope", "admin"), "either a role"),
        (("key", "rotate", "key_404"), "There is no API key 'key_404'"),
        (("key", "rotate", "key_404", "--grace", "soon"), "'soon' is no time"),
        (("key", "revoke", "key_404", "--yes"), "There is no API key 'key_404'"),
        (("tenant", "create", "acme"), "There is a tenant 'acme' already"),
        (("tenant", "create", "a b"), "letters, digits"),
        (("tenant", "disable", "never", "--yes"), "There is no tenant 'never'"),
        (("tenant", "disable", "acme"), "--yes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
):
    monkeypatch.chdir(shop)
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert said in " ".join(refused.err.replace("│", " ").split())
    with Workspace(shop) as workspace:
        assert workspace.list_keys() == []
        assert [row["tenant"] for row in workspace.list_tenants() if row["disabled_at"] is None] == ["acme", "house"]


def test_a_tenant_is_disabled_and_enabled_again(shop: Path, run: Run):
    disabled = run("tenant", "disable", "acme", shop, "--yes", "--json").json
    assert disabled["disabled_at"] is not None
    assert run("tenant", "disable", "acme", shop, "--yes", "--json").json == disabled  # the first time counts
    assert run("tenant", "rename", "acme", "Acme AG", shop, "--json").json == disabled | {"name": "Acme AG"}
    assert run("tenant", "enable", "acme", shop, "--json").json["disabled_at"] is None


def test_where_no_workspace_is_none_is_made(tmp_path: Path, run: Run):
    if any((folder / ".feilun").exists() for folder in tmp_path.parents):
        pytest.skip("there is a workspace above the temporary folder")
    with pytest.raises(WorkspaceMissing):
        Workspace(tmp_path)
    with pytest.raises(WorkspaceMissing):
        Workspace(tmp_path / "typo", make=True)
    assert run("key", "list", tmp_path).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_python_of_the_guide_runs(shop, capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    exec(block.replace("/srv/feilun", str(shop)), {})
    assert re.fullmatch(r"key_[0-9a-f]{24} fl_\w{32}\n", capsys.readouterr().out)
    with Workspace(shop) as workspace:
        assert workspace.get_tenant("initech")["disabled_at"] is not None
        assert [row["tenant"] for row in workspace.store.list_keys(EVERYWHERE)] == ["initech"]

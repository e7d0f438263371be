"""The doctor finds what is wrong, says what to do, changes nothing, and needs nothing to be in order."""

from __future__ import annotations

import tomllib
from contextlib import closing
from pathlib import Path

import pysqlite3
import pytest

from feilun.operate import examine
from feilun.operate.findings import TEXTS, Finding
from feilun.project import Project
from feilun.trust import create_key
from tests.cli.conftest import Run, run  # noqa: F401

MACHINE = ("disk", "memory", "extra")  # what depends on the machine that runs the tests


def by_code(folder: Path) -> dict[str, Finding]:
    return {one.code: one for one in examine(folder) if one.code.split(".")[0] not in MACHINE}


def rewrite(folder: Path, more: str) -> None:
    (folder / "feilun.toml").write_text(f'[project]\nname = "support"\n{more}', "utf-8")


def test_a_sound_workspace_has_no_problems(folder: Path):
    found = by_code(folder)
    assert {code: one.level for code, one in found.items()} == dict.fromkeys(
        (
            "settings.whole",
            "sqlite.sound",
            "database.whole",
            "schema.current",
            "models.whole",
            "datasets.whole",
            "leftovers.none",
            "keys.expire",
            "audit.whole",
            "server.local",
        ),
        "ok",
    )


def test_a_damaged_live_model_and_a_missing_dataset_are_problems(folder: Path):
    (model,) = (folder / ".feilun/models").glob("m_*")
    content = bytearray((model / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (model / "model.onnx").write_bytes(content)
    (folder / ".feilun/datasets/ds_1.jsonl").unlink()
    found = by_code(folder)
    assert {one.code for one in found.values() if one.level == "problem"} == {
        "models.champion_damaged",
        "datasets.missing",
    }
    assert "rollback" in found["models.champion_damaged"].action("en")
    assert model.name in found["models.champion_damaged"].found("zh")


def test_a_damaged_database_is_found_and_the_rest_is_still_looked_at(folder: Path):
    path = folder / ".feilun/feilun.db"
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"x" * (len(content) - 4096)
    path.write_bytes(content)
    found = by_code(folder)
    assert found["database.damaged"].level == "problem"
    assert found["server.local"].level == "ok"


def test_an_audit_log_that_was_edited_and_a_key_that_others_read_are_problems(folder: Path):
    workspace = folder / ".feilun"
    (workspace / "audit.key").chmod(0o644)
    with closing(pysqlite3.connect(str(workspace / "feilun.db"))) as db:
        db.execute("DROP TRIGGER audit_no_update")
        db.execute("UPDATE audit SET actor = 'eve' WHERE action = 'release.promote'")
        db.commit()
    found = by_code(folder)
    assert {one.code for one in found.values() if one.level == "problem"} == {"audit.broken", "audit.key_open"}
    assert "is not what was written" in found["audit.broken"].found("en")
    assert "与写入时不符" in found["audit.broken"].found("zh")


def test_leftovers_eternal_keys_and_an_open_server_are_named(folder: Path):
    (folder / ".feilun/turns/turn_gone").mkdir()
    (folder / ".feilun/models/.incoming-import").mkdir()
    with Project(folder) as project:
        key, _ = create_key(project.store, name="old", scopes=["read"])
    rewrite(folder, '[serve]\nhost = "0.0.0.0"\n')
    found = by_code(folder)
    assert found["leftovers.some"].fields == {"n_paths": 2, "names": "models/.incoming-import, turns/turn_gone"}
    assert found["keys.forever"].fields == {"n_keys": 1, "names": key["key_id"]}
    assert (found["server.open"].level, found["server.open"].fields) == ("problem", {"host": "0.0.0.0"})
    rewrite(folder, '[serve]\nhost = "0.0.0.0"\nrequire_key = true\n')
    assert by_code(folder)["server.guarded"].level == "ok"


def test_a_server_for_others_without_a_key_is_a_notice(tmp_path: Path):
    (tmp_path / ".feilun").mkdir()
    rewrite(tmp_path, '[serve]\nhost = "::"\n')
    Project(tmp_path).close()
    assert by_code(tmp_path)["keys.none"].level == "notice"


def test_another_database_is_not_examined(folder: Path):
    rewrite(folder, '[store]\nurl = "postgresql://ann:hush@nowhere/x"\n')
    found = by_code(folder)
    assert found["database.elsewhere"].fields == {"database": "postgresql"}
    assert "models.whole" not in found


def test_an_empty_folder_is_examined_and_stays_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    goal = tmp_path / "none"
    goal.mkdir()
    codes = {one.code: one.level for one in examine(goal)}
    assert (codes["settings.broken"], codes["database.none"]) == ("problem", "notice")
    assert list(goal.iterdir()) == []


def test_every_finding_has_words_in_both_languages():
    groups = tomllib.loads(TEXTS.read_text("utf-8"))
    source = (TEXTS.parent / "doctor.py").read_text("utf-8")
    for group, entries in groups.items():
        for name, entry in entries.items():
            assert f'"{group}.{name}"' in source, f"{group}.{name} is never found"
            for part in entry.values():
                assert set(part) == {"en", "zh"}


# the command line


def test_the_doctor_leaves_with_1_when_there_is_a_problem(folder: Path, run: Run):  # noqa: F811
    assert run("doctor", folder).exit_code == 0
    rewrite(folder, '[serve]\nhost = "0.0.0.0"\n')
    said = run("doctor", folder, "--json")
    assert (said.exit_code, said.json["n_problems"], said.err) == (1, 1, "Problems: 1.\n")
    (problem,) = [one for one in said.json["findings"] if one["level"] == "problem"]
    assert problem["action"] == "Set [serve] require_key = true."
    assert "require_key" in run("--lang", "zh", "doctor", folder).out


def test_backup_and_restore_from_the_command_line(folder: Path, tmp_path: Path, run: Run):  # noqa: F811
    made = run("backup", tmp_path / "b.zip", folder, "--json")
    assert (made.exit_code, made.json["projects"], made.json["left_out"]) == (0, ["support"], [])
    restored = run("restore", tmp_path / "b.zip", tmp_path / "new")
    assert restored.exit_code == 0 and "Every checksum matches." in restored.out
    again = run("restore", tmp_path / "b.zip", tmp_path / "new", "--json")
    assert (again.exit_code, again.json["error"]["code"]) == (2, "backup.folder_not_empty")

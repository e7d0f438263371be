"""Backups that the workspace keeps: few, one at a time, and told of when they came to nothing."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from feilun.network.machine import MB
from feilun.operate import MOST_KEPT, KeptBackups, examine_workspace
from feilun.operate.errors import BackupUnderWay, BackupUnknown, NoRoom, TooManyBackups
from feilun.process import identity
from feilun.project import Project
from feilun.store.verbs import new_id

GONE = identity().rpartition(" ")[0] + " 1"  # our number, at a time when we had not begun


@pytest.fixture
def project(folder: Path):
    with Project(folder) as opened:
        yield opened


def test_a_kept_backup_is_listed_with_its_checksum_and_can_be_restored(project: Project, tmp_path: Path):
    workspace = project.workspace
    made = workspace.keep_backup(actor="ann")
    archive = workspace.open_backup(made["backup_id"], actor="bo")
    assert workspace.list_backups() == [made] and made["state"] == "done" and made["projects"] == ["support"]
    assert made["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest() and made["size"] == archive.stat().st_size
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600 and stat.S_IMODE(archive.parent.stat().st_mode) == 0o700
    manifest = Project.restore(archive, tmp_path / "restored")
    assert not any("backups" in member.name for member in manifest.members)
    workspace.remove_backup(made["backup_id"], actor="bo")
    assert workspace.list_backups() == [] and list(archive.parent.iterdir()) == []
    told = [(row["action"], row["actor"], row["subject"]) for row in project.audit(limit=3)]
    assert told == [
        ("backup.made", "ann", f"{made['backup_id']}.zip"),
        ("backup.fetched", "bo", made["backup_id"]),
        ("backup.removed", "bo", made["backup_id"]),
    ]


def test_what_there_is_to_back_up_is_what_the_archive_comes_to(project: Project):
    told = project.workspace.size_of_backup()
    parts = [told[name] for name in ("database", "models", "datasets", "projects")]
    size = project.workspace.keep_backup()["size"]
    assert min(parts) > 0 and 0.9 * size < sum(parts) < 1.1 * size + MB


def test_one_is_made_at_a_time_and_one_whose_process_died_is_told_of_and_swept_away(project: Project):
    kept = KeptBackups(project.store)
    begun = kept.begin(new_id("bk"), actor="ann")
    assert [job["kind"] for job in project.workspace.list_jobs()] == ["backup"]
    with pytest.raises(BackupUnderWay):
        kept.begin(new_id("bk"), actor="bo")
    with pytest.raises(BackupUnderWay):
        kept.remove(begun.backup_id, actor="bo")
    with pytest.raises(BackupUnknown):
        kept.open(begun.backup_id, actor="bo")
    kept._write(begun.model_copy(update={"holder": GONE}))
    leftover = project.store.workspace / "backups" / f".{begun.backup_id}.zip.1.partial"
    leftover.write_text("half")
    (dead,) = project.workspace.list_backups()
    assert (dead["state"], dead["code"]) == ("failed", "backup.interrupted") and project.workspace.list_jobs() == []
    made = project.workspace.keep_backup()
    assert [one["backup_id"] for one in project.workspace.list_backups()] == [made["backup_id"]]
    assert not leftover.exists()


def test_one_that_fails_says_why(project: Project):
    champion = project.store.model_path(str(project.store.find_champion("support")))
    (champion / "report.json").write_text("{}")
    made = project.workspace.keep_backup()
    assert (made["state"], made["code"], made["sha256"]) == ("failed", "bundle.damaged", "")
    assert champion.name in made["en"] and champion.name in made["zh"]
    assert list((project.store.workspace / "backups").glob("*.zip")) == []


def test_no_more_are_kept_than_may_be_and_none_is_begun_without_room(project: Project, monkeypatch):
    for _ in range(MOST_KEPT):
        project.workspace.keep_backup()
    with pytest.raises(TooManyBackups):
        project.workspace.keep_backup()
    project.workspace.remove_backup(project.workspace.list_backups()[-1]["backup_id"])
    monkeypatch.setattr("feilun.operate.backup.disk_left_mb", lambda _: 10.0)
    with pytest.raises(NoRoom):
        project.workspace.keep_backup()
    assert len(project.workspace.list_backups()) == MOST_KEPT - 1


def test_an_id_is_never_a_path(project: Project):
    project.workspace.keep_backup()
    for backup_id in ("", "../feilun.db", "bk_" + "0" * 24, "bk_" + "0" * 24 + "/..", "bk_" + "g" * 24):
        for verb in (project.workspace.open_backup, project.workspace.remove_backup):
            with pytest.raises(BackupUnknown):
                verb(backup_id)


def test_the_doctor_looks_at_every_project_of_a_workspace_or_at_none(project: Project, tmp_path: Path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "feilun.toml").write_text("[project]\n", "utf-8")
    levels = {one.code: one.level for one in project.workspace.doctor([project.folder, tmp_path / "broken"])}
    assert (levels["settings.whole"], levels["settings.broken"], levels["models.whole"]) == ("ok", "problem", "ok")
    assert "settings.broken" not in {one.code for one in examine_workspace(tmp_path / ".feilun", [])}


def test_of_a_workspace_on_postgresql_it_is_made_alike_and_holds_sqlite(
    project: Project, tmp_path: Path, postgres_url: str
):
    project.backup(tmp_path / "moving.zip")
    Project.restore(tmp_path / "moving.zip", tmp_path / "moved", url=postgres_url)
    with Project(tmp_path / "moved") as moved:
        told = moved.workspace.size_of_backup()
        assert told["is_postgres"] and told["database"] > 0 and told["models"] > 0
        made = moved.workspace.keep_backup()
        assert (made["state"], moved.workspace.list_jobs()) == ("done", [])
        Project.restore(moved.workspace.open_backup(made["backup_id"]), tmp_path / "back")
        models = [row["model_id"] for row in moved.list_models()]
    with Project(tmp_path / "back") as back:
        assert not back.store.is_postgres and [row["model_id"] for row in back.list_models()] == models

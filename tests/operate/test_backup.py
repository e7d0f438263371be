"""A backup holds all that was acknowledged, and whatever is not whole is refused before anything is written."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from feilun.config import load_settings
from feilun.models.bundle import BundleMissing, verify_bundle
from feilun.operate.archive import BackupManifest, Packer, Parcel
from feilun.operate.errors import BackupExists, BackupMissing, BackupRefused, BackupTooNew, FolderNotEmpty
from feilun.project import Project
from feilun.records import Bill, Usage
from feilun.store import EVERYWHERE, Store, StoreTooNew, utc_now
from feilun.store import tables as t
from feilun.store.chain import Unaudited
from feilun.store.copies import DatabaseNotEmpty, _poured
from feilun.trust import verify_audit
from tests.operate.conftest import TEXTS

INPUTS = [{"text": text} for text in TEXTS]


def said(project: Project) -> list[tuple[object, ...]]:
    rows = project.answer(INPUTS, record=False)
    return [(row.labels, row.confidence, row.decision, row.model_version) for row in rows]


def correct(store: Store, n: int) -> str:
    row, _ = store.add_feedback(
        "support", inputs={"text": f"message {n} 你好"}, labels=["refund"], actor="ann", body_hash=str(n),
        example_id=f"e{n}", prediction_id=None,
    )  # fmt: skip
    return str(row["feedback_id"])


def test_a_backup_under_writes_holds_every_acknowledged_row_and_answers_alike(folder: Path, tmp_path: Path):
    done = threading.Event()
    acknowledged: list[str] = []

    def write(store: Store) -> None:
        while not done.is_set():
            acknowledged.append(correct(store, len(acknowledged)))

    with Project(folder) as project:
        answers = said(project)
        limit = project.workspace.set_limit(tenant="house", per_minute=600)
        project.store.add_usage(Usage(Bill(utc_now(), "house", "support", "", "predict", "srv_1"), 1, 3, 42)).result()
        usage = project.workspace.usage()
        writer = threading.Thread(target=write, args=(project.store,))
        writer.start()
        try:
            while len(acknowledged) < 20:
                done.wait(0.001)
            before = list(acknowledged)
            manifest = project.backup(tmp_path / "b.zip")
        finally:
            done.set()
            writer.join()
        keys, releases, models = project.store.list_keys(EVERYWHERE), project.list_releases(), project.list_models()
        live = project.store.find_champion("support")
    assert live is not None
    assert Project.restore(tmp_path / "b.zip", tmp_path / "new") == manifest
    with Project(tmp_path / "new") as again:
        kept = [row["feedback_id"] for row in again.store.list_corrections("support")]
        assert kept == acknowledged[: len(kept)]
        assert kept[: len(before)] == before
        assert (again.store.list_keys(EVERYWHERE), again.list_releases(), again.list_models()) == (
            keys,
            releases,
            models,
        )
        assert verify_bundle(again.store.model_path(live)) == verify_bundle(folder / ".feilun/models" / live)
        snapshot = folder / ".feilun/datasets/ds_1.jsonl"
        assert again.store.dataset_path("ds_1").read_bytes() == snapshot.read_bytes()
        assert (again.workspace.limits(), again.workspace.usage()) == ([limit], usage)
        with pytest.raises(sa.exc.IntegrityError, match="append-only"):
            again.store.writer.write(lambda c: c.execute(t.usage.delete()), audit=Unaudited("a test's own hand"))
        assert correct(again.store, 10**6) not in acknowledged
    for name in ("feilun.toml", "消息.csv"):
        assert (tmp_path / "new" / name).read_bytes() == (folder / name).read_bytes()
    with Project(tmp_path / "new") as again:
        assert [row[3] for row in answers] == [row[3] for row in said(again)] == [live] * len(TEXTS)


def test_a_restored_audit_log_is_whole_tells_of_both_and_its_key_stayed_behind(folder: Path, tmp_path: Path):
    with Project(folder) as project:
        project.backup(tmp_path / "b.zip", actor="ann")
        told, head = project.audit(), project.audit_head()
    key = (folder / ".feilun/audit.key").read_bytes()
    assert key not in (tmp_path / "b.zip").read_bytes()
    Project.restore(tmp_path / "b.zip", tmp_path / "new", actor="bo")
    with Project(tmp_path / "new") as again:
        entries = again.audit()
        assert again.verify_audit().is_whole
        # The copy was made before the entry that tells of it; the head from then is no longer part of the log.
        assert [row["hash"] for row in entries[: len(told) - 1]] == [row["hash"] for row in told[:-1]]
        news = [(row["action"], row["actor"]) for row in entries[len(told) - 1 :]]
        restored = [("audit.key_made", "bo"), ("workspace.restored", "bo"), ("project.moved", "feilun")]
        assert (told[-1]["action"], told[-1]["actor"], news) == ("backup.made", "ann", restored)
        assert [fault.code for fault in again.verify_audit(head=head).faults] == ["head_other"]
    assert (tmp_path / "new/.feilun/audit.key").read_bytes() != key
    assert [row.code for row in Project.doctor(tmp_path / "new") if row.code.startswith("audit")] == ["audit.whole"]


def test_the_restored_model_gives_the_same_answers_to_the_last_bit(folder: Path, tmp_path: Path):
    with Project(folder) as project:
        answers = said(project)
        project.backup(tmp_path / "b.zip")
    Project.restore(tmp_path / "b.zip", tmp_path / "new")
    with Project(tmp_path / "new") as again:
        assert said(again) == answers


def test_an_archive_is_its_owners_alone_and_holds_no_logs_caches_or_leftovers(folder: Path, tmp_path: Path):
    for name in ("logs/server.log", "cache/vectors.bin", "turns/turn_1"):
        (folder / ".feilun" / name).parent.mkdir(exist_ok=True)
        (folder / ".feilun" / name).write_text("secret")
    with Project(folder) as project:
        manifest = project.backup(tmp_path / "b.zip")
        live = project.store.find_champion("support")
    tops = {member.name.split("/")[0] for member in manifest.members}
    assert tops == {"feilun.db", "datasets", "models", "projects"}
    assert {member.name.split("/")[1] for member in manifest.members if member.name.startswith("models/")} == {live}
    assert (tmp_path / "b.zip").stat().st_mode & 0o777 == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_several_projects_come_back_as_sub_folders_of_one_workspace(folder: Path, tmp_path: Path):
    (tmp_path / "both").mkdir()
    (folder / ".feilun").rename(tmp_path / "both" / ".feilun")
    for name in ("billing", "support"):
        (tmp_path / "both" / name).mkdir()
        (tmp_path / "both" / name / "feilun.toml").write_text(f'[project]\nname = "{name}"\n')
        Project(tmp_path / "both" / name).close()
    with Project(tmp_path / "both" / "support") as project:
        assert project.backup(tmp_path / "b.zip").projects == ("billing", "support")
    Project.restore(tmp_path / "b.zip", tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [".feilun", "billing", "support"]


def test_an_old_model_that_is_gone_is_named_and_a_live_one_stops_the_backup(folder: Path, tmp_path: Path):
    with Project(folder) as project:
        project.store.add_model("support", model_id="m_0", turn_id="t", dataset_id="ds_0", report={}, size_mb=1.0)
        assert project.backup(tmp_path / "b.zip").left_out == ("datasets/ds_0.jsonl", "models/m_0")
        live = project.store.find_champion("support")
        project.store.model_path(str(live)).rename(tmp_path / "taken")
        with pytest.raises(BundleMissing):
            project.backup(tmp_path / "c.zip")
    assert not list(tmp_path.glob("*c.zip*"))


def test_a_backup_is_never_written_over(folder: Path, tmp_path: Path):
    (tmp_path / "b.zip").write_text("mine")
    with Project(folder) as project, pytest.raises(BackupExists):
        project.backup(tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_text() == "mine"


# from one database to another


def rows_of(store: Store) -> dict[str, list[dict]]:
    """Every row but those of the audit log, to which a backup and a restore add."""
    return {table.name: store._list(sa.select(table)) for table in _poured() if not table.name.startswith("audit")}


def test_nobody_is_signed_in_to_a_workspace_that_came_from_a_backup(folder: Path, tmp_path: Path):
    with Project(folder) as project:
        person = {"name": "Desk", "role": "labeller", "tenant": None, "code_hash": "c", "actor": "ann"}
        made = project.store.add_person(sign_in_name="desk1", code_until=utc_now(), **person)
        project.store.add_session(EVERYWHERE, made["person_id"], token_hash="t" * 64)
        project.backup(tmp_path / "b.zip")
        assert project.store.find_session("t" * 64) is not None
    Project.restore(tmp_path / "b.zip", tmp_path / "again")
    with Project(tmp_path / "again") as project:
        assert project.store.find_session("t" * 64) is None
        assert [row["action"] for row in project.audit(limit=3)][:2] == ["session.all_ended", "workspace.restored"]


def test_a_workspace_moves_to_postgresql_and_back_with_every_row_in_its_place(
    folder: Path, tmp_path: Path, postgres_url: str
):
    with Project(folder) as project:
        for n in range(3):
            correct(project.store, n)
        answers = said(project)
        project.backup(tmp_path / "laptop.zip")
    Project.restore(tmp_path / "laptop.zip", tmp_path / "server", url=postgres_url)
    assert not list((tmp_path / "server/.feilun").glob("feilun.db*"))
    with Project(tmp_path / "server") as project:
        assert project.store.is_postgres and said(project) == answers
        assert (project.list_feedback()[-1]["seq"], project.store.find_champion("support")) == (3, answers[0][3])
        correct(project.store, 3)  # numbered after those that came with the move
        before, log = rows_of(project.store), project.audit(after=0, limit=1000)
        project.backup(tmp_path / "server.zip")
    Project.restore(tmp_path / "server.zip", tmp_path / "again")
    assert load_settings(tmp_path / "again").store.url == ""
    with Store(tmp_path / "again/.feilun") as store:
        assert not store.is_postgres and rows_of(store) == before
        assert store.list_audit(EVERYWHERE, after=0, limit=1000)[: len(log)] == log and verify_audit(store).is_whole
        assert [row["seq"] for row in store.list_feedback("support")] == [1, 2, 3, 4]


def test_an_archive_does_not_say_where_the_database_is(folder: Path, tmp_path: Path, postgres_url: str):
    text = (folder / "feilun.toml").read_text("utf-8")
    (folder / "feilun.toml").write_text(f'{text}\n[store]\nurl = "{postgres_url}"\n', "utf-8")
    with Project(folder) as project:
        project.store.add_turn("support", settings=project.settings.model_dump(mode="json"), seed=0, budget_s=1,
                               requested_by="test")  # fmt: skip
        project.backup(tmp_path / "b.zip")
    assert b"postgresql" not in (tmp_path / "b.zip").read_bytes()


def test_a_database_with_rows_is_not_restored_into(folder: Path, tmp_path: Path, postgres_url: str):
    with Project(folder) as project:
        project.backup(tmp_path / "b.zip")
    with Store(tmp_path / "other/.feilun", url=postgres_url) as store:
        correct(store, 1)
        with pytest.raises(DatabaseNotEmpty):
            Project.restore(tmp_path / "b.zip", tmp_path / "new", url=postgres_url)
        assert not (tmp_path / "new").exists() and len(store.list_feedback("support")) == 1


# refusals


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    with Project(folder) as project:
        project.backup(tmp_path / "b.zip")
    return tmp_path / "b.zip"


def refused(archive: Path, tmp_path: Path) -> BackupRefused:
    goal = tmp_path / "elsewhere" / "new"
    with pytest.raises(BackupRefused) as raised:
        Project.restore(archive, goal)
    assert not goal.parent.exists()
    return raised.value


def test_a_flipped_bit_anywhere_is_refused(archive: Path, tmp_path: Path):
    content = archive.read_bytes()
    bad = tmp_path / "bad.zip"
    places = [*range(0, len(content), len(content) // 60), *range(len(content) - 90, len(content), 3)]
    for place in places:
        bad.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        refused(bad, tmp_path)


def test_damage_names_the_member(archive: Path, tmp_path: Path):
    with zipfile.ZipFile(archive) as packed:
        info = packed.getinfo("datasets/ds_1.jsonl")
    content = bytearray(archive.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + 40] ^= 1
    archive.write_bytes(content)
    assert refused(archive, tmp_path).fields["member"] == "'datasets/ds_1.jsonl'"


@pytest.mark.parametrize("cut", [0, 1, 64, 1000])
def test_an_archive_cut_short_is_refused(cut: int, archive: Path, tmp_path: Path):
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) - cut] if cut else b"")
    refused(archive, tmp_path)


def packed(path: Path, names: list[str], **changes: object) -> Path:
    """An archive of members that all hold the same, with its manifest and seal in order."""
    source = path.with_name("content")
    source.write_bytes(b"hello")
    packer = Packer(path)
    for name in names:
        packer.add(source, name)
    manifest = {"format_version": 1, "feilun": "0", "schema_version": "0001", "created_at": "", "projects": ()}
    packer.seal(BackupManifest.model_validate({**manifest, "members": tuple(packer.members), **changes}))
    packer.close()
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "a/../../evil",
        "projects/x/..",
        "a//b",
        "./a",
        "a\\..\\evil",
        "c:evil",
        "a\nb",
        "a" * 1001,
    ],
    ids=repr,
)
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path):
    error = refused(packed(tmp_path / "b.zip", ["feilun.db", name]), tmp_path)
    assert error.fields["what"] == "name"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(tmp_path: Path):
    assert refused(packed(tmp_path / "b.zip", ["feilun.db", "Feilun.db"]), tmp_path).fields["what"] == "twice"


def test_what_the_manifest_does_not_know_and_what_is_missing_is_refused(tmp_path: Path):
    assert refused(packed(tmp_path / "a.zip", ["feilun.db"], members=()), tmp_path).fields["what"] == "unlisted"
    assert refused(packed(tmp_path / "b.zip", ["datasets/x"]), tmp_path).fields["what"] == "missing"


def test_links_and_compressed_members_are_refused(tmp_path: Path):
    for mode, compression in ((0o120777, zipfile.ZIP_STORED), (0o100600, zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(tmp_path / "b.zip", "w") as made:
            info = zipfile.ZipInfo("feilun.db")
            info.external_attr = mode << 16
            made.writestr(info, "/etc/passwd", compress_type=compression)
        assert refused(tmp_path / "b.zip", tmp_path).fields["what"] == "kind"


def test_a_declared_size_beyond_the_archive_is_refused(tmp_path: Path):
    path = packed(tmp_path / "b.zip", ["feilun.db"])
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02") + 20  # compressed and real size in the central directory
    path.write_bytes(content[:at] + (2**31).to_bytes(4, "little") * 2 + content[at + 8 :])
    assert refused(path, tmp_path).fields["what"] == "size"


def test_later_formats_and_schemas_name_the_upgrade(tmp_path: Path):
    with pytest.raises(BackupTooNew, match="pip install -U feilun"):
        Parcel(packed(tmp_path / "a.zip", ["feilun.db"], format_version=2))
    with pytest.raises(StoreTooNew):
        Project.restore(packed(tmp_path / "b.zip", ["feilun.db"], schema_version="9999"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_left_alone_and_an_empty_one_is_taken(archive: Path, tmp_path: Path):
    goal = tmp_path / "new"
    goal.mkdir()
    (goal / "mine").write_text("x")
    with pytest.raises(FolderNotEmpty):
        Project.restore(archive, goal)
    assert [path.name for path in goal.iterdir()] == ["mine"]
    (goal / "mine").unlink()
    Project.restore(archive, goal)
    assert (goal / "feilun.toml").is_file()


def test_an_archive_that_is_not_there_is_said_so(tmp_path: Path):
    with pytest.raises(BackupMissing):
        Project.restore(tmp_path / "none.zip", tmp_path / "new")

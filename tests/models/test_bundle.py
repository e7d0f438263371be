"""A bundle is whole or it is refused; it is published whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from feilun.models.bundle import (
    ArchiveExists,
    ArchiveRefused,
    ArchiveUnknown,
    BundleDamaged,
    BundleMissing,
    BundleTooNew,
    export_bundle,
    import_bundle,
    list_entries,
    model_id_of,
    publish,
    read_manifest,
    verify_bundle,
    write_manifest,
)
from feilun.models.manifest import FAULTS
from feilun.records import BackboneInfo, Manifest

CONTENT = {
    "model.onnx": bytes(range(256)) * 40,
    "labels.json": b'["refund", "\xe9\x80\x80\xe8\xb4\xa7"]',
    "NOTICE": b"whose",
}


def make(folder: Path, *, content: dict[str, bytes] = CONTENT, format_version: int = 1) -> str:
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return write_manifest(folder, manifest_of(folder, format_version=format_version))


def manifest_of(folder: Path, *, format_version: int = 1) -> Manifest:
    return Manifest(
        format_version=format_version,
        task="classify",
        labels=("refund", "退货"),
        multi_label=False,
        max_tokens=32,
        backbone=BackboneInfo(alias="tiny", fingerprint="f", source="dir:x", licence="MIT", languages=("en",)),
        lineage={"turn_id": "t1"},
        files=list_entries(folder),
    )


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_name_is_the_content(tmp_path):
    model_id = make(tmp_path / "one")
    assert make(tmp_path / "two") == model_id == model_id_of(tmp_path / "one")
    assert make(tmp_path / "three", content={**CONTENT, "NOTICE": b"other"}) != model_id
    assert verify_bundle(tmp_path / "one") == read_manifest(tmp_path / "one") == manifest_of(tmp_path / "one")


def append(folder: Path) -> None:
    (folder / "NOTICE").write_bytes(CONTENT["NOTICE"] + b"!")


def swap_bytes(folder: Path) -> None:
    (folder / "NOTICE").write_bytes(b"other")


def add_file(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"x")


def add_folder(folder: Path) -> None:
    (folder / "inner").mkdir()


def link(folder: Path) -> None:
    shutil.copy(folder / "NOTICE", folder.parent / "elsewhere")
    (folder / "NOTICE").unlink()
    (folder / "NOTICE").symlink_to(folder.parent / "elsewhere")


def remove(folder: Path) -> None:
    (folder / "NOTICE").unlink()


def rename(folder: Path) -> None:
    (folder / "NOTICE").rename(folder / "NO TICE")


@pytest.mark.parametrize(
    ("damage", "file", "what"),
    [
        (append, "NOTICE", "size"),
        (swap_bytes, "NOTICE", "sha256"),
        (add_file, "extra.bin", "unlisted"),
        (add_folder, "inner", "not_a_file"),
        (link, "NOTICE", "not_a_file"),
        (remove, "NOTICE", "missing"),
        (rename, "'NO TICE'", "unsafe_name"),
    ],
)
def test_damage_is_refused_with_the_file_and_the_fault(tmp_path, damage: Callable[[Path], None], file, what):
    make(tmp_path / "bundle")
    damage(tmp_path / "bundle")
    if what == "sha256":
        assert len(b"other") == len(CONTENT["NOTICE"])
    with pytest.raises(BundleDamaged) as refused:
        verify_bundle(tmp_path / "bundle")
    assert (refused.value.fields["file"], refused.value.fields["what"]) == (file, what)
    for lang, spoken in (("en", FAULTS[what][0]), ("zh", FAULTS[what][1])):
        assert spoken in refused.value.message(lang) and file in refused.value.message(lang)


def test_a_folder_named_like_another_model_is_refused(tmp_path):
    make(tmp_path / "m_000000000000")
    with pytest.raises(BundleDamaged) as refused:
        verify_bundle(tmp_path / "m_000000000000")
    assert refused.value.fields["what"] == "another_model"


def test_a_bundle_of_a_newer_feilun_says_so(tmp_path):
    make(tmp_path / "bundle", format_version=7)
    with pytest.raises(BundleTooNew) as refused:
        verify_bundle(tmp_path / "bundle")
    assert refused.value.fields == {"folder": str(tmp_path / "bundle"), "found": 7, "known": 1}


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a/b", "", ".hidden", "manifest.json", "a\\b"])
def test_a_manifest_cannot_name_files_elsewhere(tmp_path, name):
    folder = tmp_path / "bundle"
    make(folder)
    manifest = read_manifest(folder)
    entry = manifest.files[0].model_copy(update={"name": name})
    write_manifest(folder, manifest.model_copy(update={"files": (entry,)}))
    with pytest.raises(BundleDamaged) as refused:
        verify_bundle(folder)
    assert refused.value.fields["what"] == "unsafe_name"


def test_what_is_not_there_is_missing(tmp_path):
    with pytest.raises(BundleMissing):
        verify_bundle(tmp_path / "nowhere")


def test_publishing_moves_the_whole_bundle_and_may_be_repeated(tmp_path):
    models = tmp_path / "models"
    model_id = make(tmp_path / "aside")
    whole = files_in(tmp_path / "aside")
    assert publish(tmp_path / "aside", models, model_id) == models / model_id
    assert not (tmp_path / "aside").exists()
    assert publish(tmp_path / "aside", models, model_id) == models / model_id  # the crash came after the rename
    make(tmp_path / "again")
    assert publish(tmp_path / "again", models, model_id) == models / model_id
    assert files_in(models / model_id) == whole
    assert [path.name for path in models.iterdir() if not path.name.startswith(".")] == [model_id]


def test_publishing_refuses_what_is_not_whole_and_leaves_nothing(tmp_path):
    model_id = make(tmp_path / "aside")
    swap_bytes(tmp_path / "aside")
    with pytest.raises(BundleDamaged):
        publish(tmp_path / "aside", tmp_path / "models", model_id)
    make(tmp_path / "other")
    with pytest.raises(BundleDamaged):
        publish(tmp_path / "other", tmp_path / "models", "m_ffffffffffff")
    assert not [path for path in (tmp_path / "models").iterdir() if path.name != ".publish.lock"]


def test_publishing_mends_a_damaged_copy_and_clears_what_a_crash_left(tmp_path):
    models = tmp_path / "models"
    model_id = make(tmp_path / "aside")
    publish(tmp_path / "aside", models, model_id)
    swap_bytes(models / model_id)
    (models / ".incoming-m_dead").mkdir()
    make(tmp_path / "again")
    publish(tmp_path / "again", models, model_id)
    assert verify_bundle(models / model_id)
    assert {path.name for path in models.iterdir()} <= {model_id, ".publish.lock"}


def test_publishing_to_another_disk_copies_then_renames(tmp_path, monkeypatch):
    model_id = make(tmp_path / "aside")
    real = Path.rename

    def across_disks(self: Path, target: Path) -> Path:
        if self.name == "aside":
            raise OSError(18, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", across_disks)
    final = publish(tmp_path / "aside", tmp_path / "models", model_id)
    assert verify_bundle(final) and not (tmp_path / "aside").exists()


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_export_comes_back_as_the_same_model(tmp_path, suffix):
    model_id = make(tmp_path / "bundle")
    out = export_bundle(tmp_path / "bundle", tmp_path / f"out{suffix}")
    again = export_bundle(tmp_path / "bundle", tmp_path / f"again{suffix}")
    assert out.read_bytes() == again.read_bytes()
    with pytest.raises(ArchiveExists):
        export_bundle(tmp_path / "bundle", out)
    folder = import_bundle(out, tmp_path / "models")
    assert folder == tmp_path / "models" / model_id and files_in(folder) == files_in(tmp_path / "bundle")
    assert not list(tmp_path.glob(".*partial"))


def test_a_damaged_bundle_is_not_exported(tmp_path):
    make(tmp_path / "bundle")
    swap_bytes(tmp_path / "bundle")
    with pytest.raises(BundleDamaged):
        export_bundle(tmp_path / "bundle", tmp_path / "out.zip")
    with pytest.raises(ArchiveUnknown):
        export_bundle(make_in(tmp_path / "whole"), tmp_path / "out.rar")
    assert not list(tmp_path.glob("*out*"))


def make_in(folder: Path) -> Path:
    make(folder)
    return folder


def zip_of(path: Path, members: dict[str, bytes], *, mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            out.writestr(info, data)
    return path


def tar_of(
    path: Path, members: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE, form: int = tarfile.USTAR_FORMAT
) -> Path:
    with tarfile.open(path, "w:gz", format=form) as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data) if kind == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            out.addfile(info, io.BytesIO(data))
    return path


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "zip-traversal": (lambda d: zip_of(d / "a.zip", {"../../evil": b"x"}), "name"),
    "zip-absolute": (lambda d: zip_of(d / "a.zip", {"/tmp/evil": b"x"}), "name"),
    "zip-two-folders": (lambda d: zip_of(d / "a.zip", {"a/x": b"x", "b/x": b"x"}), "name"),
    "zip-same-name-twice": (lambda d: zip_of(d / "a.zip", {"a": b"x", "./a": b"x"}), "name"),
    "zip-link": (lambda d: zip_of(d / "a.zip", {"a/x": b"/etc/passwd"}, mode=0o120777), "kind"),
    "zip-bomb": (lambda d: zip_of(d / "a.zip", {"a/x": bytes(8 << 20)}), "size"),
    "zip-many": (lambda d: zip_of(d / "a.zip", {f"a/{i}": b"" for i in range(200)}), "count"),
    "zip-cut": (lambda d: cut(zip_of(d / "a.zip", CONTENT)), "broken"),
    "tar-traversal": (lambda d: tar_of(d / "a.tar.gz", {"../evil": b"x"}), "name"),
    "tar-symlink": (lambda d: tar_of(d / "a.tar.gz", {"a/x": b""}, kind=tarfile.SYMTYPE), "kind"),
    "tar-hardlink": (lambda d: tar_of(d / "a.tar.gz", {"a/x": b""}, kind=tarfile.LNKTYPE), "kind"),
    "tar-device": (lambda d: tar_of(d / "a.tar.gz", {"a/x": b""}, kind=tarfile.CHRTYPE), "kind"),
    "tar-extension": (lambda d: tar_of(d / "a.tar.gz", {"a/" + "x" * 300: b"x"}, form=tarfile.PAX_FORMAT), "kind"),
    "tar-bomb": (lambda d: tar_of(d / "a.tar.gz", {"a/x": bytes(8 << 20)}), "size"),
    "tar-cut": (lambda d: cut(tar_of(d / "a.tar.gz", CONTENT)), "broken"),
    "tar-not-gzip": (lambda d: write(d / "a.tar.gz", b"hello"), "broken"),
    "tar-garbage": (lambda d: write(d / "a.tar.gz", gzip.compress(os.urandom(4096))), "broken"),
}


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused_and_leave_nothing(tmp_path, case):
    build, what = HOSTILE[case]
    (tmp_path / "in").mkdir()
    archive = build(tmp_path / "in")
    with pytest.raises(ArchiveRefused) as refused:
        import_bundle(archive, tmp_path / "models")
    assert refused.value.fields["what"] == what
    assert [path.name for path in (tmp_path / "models").iterdir()] in ([], [".publish.lock"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "models"]


def test_an_archive_larger_than_allowed_is_refused(tmp_path):
    make(tmp_path / "bundle")
    out = export_bundle(tmp_path / "bundle", tmp_path / "out.zip")
    with pytest.raises(ArchiveRefused) as refused:
        import_bundle(out, tmp_path / "models", max_bytes=1000)
    assert refused.value.fields["what"] == "size"

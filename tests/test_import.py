"""A model from elsewhere: checked and tried before it has a place, live only when somebody says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from feilun.config import Strategy
from feilun.errors import FeilunError
from feilun.models.bundle import (
    ArchiveMissing,
    BundleDamaged,
    export_bundle,
    list_entries,
    read_manifest,
    write_manifest,
)
from feilun.operate import examine
from feilun.project import Project
from feilun.project.errors import ModelUnfit, NoModel, ReportUnreadable
from feilun.records import Backbone
from tests.bundles import MESSAGES, make_bundle
from tests.cli.conftest import Run, run  # noqa: F401

SETTINGS = '[project]\nname = "support"\nlanguage = "multi"\n'


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "bundle"
    make_bundle(folder, tiny_backbone)
    return folder


@pytest.fixture
def archive(sealed: Path, tmp_path: Path) -> Path:
    return export_bundle(sealed, tmp_path / "elsewhere.zip")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "support/.feilun").mkdir(parents=True)
    (tmp_path / "support/feilun.toml").write_text(SETTINGS, "utf-8")
    return tmp_path / "support"


def resealed(sealed: Path, to: Path, **content: bytes) -> Path:
    """An archive of the same bundle with other files in it, sealed as if all were well."""
    folder = Path(shutil.copytree(sealed, to / "resealed"))
    for name, data in content.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    manifest = read_manifest(sealed)
    write_manifest(folder, manifest.model_copy(update={"files": list_entries(folder)}))
    return export_bundle(folder, to / "resealed.tar.gz")


def test_an_imported_model_waits_until_it_is_promoted_and_then_answers(folder: Path, archive: Path) -> None:
    with Project(folder) as project:
        model_id = project.import_model(archive)
        assert project.import_model(archive) == model_id
        assert [row["model_id"] for row in project.list_models()] == [model_id]
        assert project.store.find_champion("support") is None and project.report(model_id).model_id == model_id
        project.promote(model_id, actor="ann", override=True, reason="brought from the laptop")
        text = MESSAGES["refund"][0]
        assert project.predict([text])[0].label == "refund"
    assert not [finding for finding in examine(folder) if finding.level == "problem"]


@pytest.mark.parametrize("strategy", Strategy.__args__)
def test_what_to_label_is_said_although_nothing_is_labelled_here(folder: Path, archive: Path, strategy: str) -> None:
    with Project(folder) as project:
        project.promote(project.import_model(archive), actor="ann", override=True, reason="brought from the laptop")
        project.ask([{"text": text} for texts in MESSAGES.values() for text in texts], deadline_s=60).result()
        project.store.writer.flush()  # answers are recorded behind the reply
        batch = project.suggest(limit=5, strategy=strategy)
        assert len(batch.suggestions) == 5


def test_what_is_no_sound_model_of_this_task_is_not_taken_over(folder: Path, sealed: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.zip"
    whole = export_bundle(sealed, tmp_path / "whole.zip").read_bytes()
    damaged.write_bytes(whole[:-2000])
    spec = json.loads((sealed / "model.json").read_bytes())
    spec["task"]["multi_label"] = True
    cases = {
        "missing": (tmp_path / "nowhere.zip", ArchiveMissing),
        "cut": (damaged, FeilunError),
        "no graph": (resealed(sealed, tmp_path / "a", model__onnx=b"no graph"), FeilunError),
        "other labels": (resealed(sealed, tmp_path / "b", labels__json=b'["a"]'), BundleDamaged),
        "no settings": (resealed(sealed, tmp_path / "c", model__json=b"[1"), BundleDamaged),
        "no report": (resealed(sealed, tmp_path / "d", report__json=b"{}"), ReportUnreadable),
        "other task": (resealed(sealed, tmp_path / "e", model__json=json.dumps(spec).encode()), ModelUnfit),
    }
    with Project(folder) as project:
        for name, (archive, error) in cases.items():
            with pytest.raises(error):
                project.import_model(archive)
            assert project.list_models() == [], name
            assert not [path for path in project.store.models_dir.iterdir() if path.name != ".publish.lock"], name
        with pytest.raises(NoModel):
            project.get_model()


def test_the_command_line_imports_and_says_what_to_do_next(folder: Path, archive: Path, run: Run) -> None:  # noqa: F811
    said = run("model", "import", archive, folder, "--json")
    assert said.exit_code == 0 and said.json["model_id"].startswith("m_")
    again = run("model", "import", archive, folder)
    assert again.out.strip() == said.json["model_id"]
    assert f"feilun release promote {folder} --model {said.json['model_id']}" in again.err

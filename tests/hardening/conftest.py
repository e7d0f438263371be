"""A project with two models, one of them live, made without a turn; servers around it, in this process and beside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feilun.models.bundle import export_bundle
from feilun.project import Project
from feilun.records import Backbone
from tests.bundles import MESSAGES, make_bundle
from tests.journeys.conftest import serve as serve_process
from tests.journeys.conftest import tiny_project, tiny_spec
from tests.serve.api.conftest import client, serve

__all__ = ["client", "serve", "serve_process", "tiny_project", "tiny_spec"]
SETTINGS = '[project]\nname = "support"\nlanguage = "multi"\n\n[[data.sources]]\npath = "messages.csv"\n'


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone) -> list[Path]:
    """The folders of two sealed models."""
    root = tmp_path_factory.mktemp("sealed")
    for seed, name in enumerate("ab"):
        make_bundle(root / name, tiny_backbone, seed=seed)
    return [root / "a", root / "b"]


@pytest.fixture
def bundle(bundles: list[Path]) -> Path:
    """The folder of a sealed model. To be left as it was."""
    return bundles[0]


@pytest.fixture(scope="session")
def archives(bundles: list[Path]) -> list[Path]:
    """The two models as `feilun model export` writes them."""
    return [export_bundle(one, one.with_suffix(".tar.gz")) for one in bundles]


@pytest.fixture
def folder(tmp_path: Path, archives: list[Path]) -> Path:
    """A project: both models are in it, the first one is live."""
    return make_project(tmp_path / "support", archives)


def make_project(folder: Path, archives: list[Path]) -> Path:
    (folder / ".feilun").mkdir(parents=True)  # a workspace of its own, whatever lies above
    (folder / "feilun.toml").write_text(SETTINGS, "utf-8")
    rows = [f"{text},{label}\n" for label, texts in MESSAGES.items() for text in texts]
    (folder / "messages.csv").write_text("text,label\n" + "".join(rows), "utf-8")
    with Project(folder) as project:
        first, _ = [project.import_model(archive) for archive in archives]
        project.promote(first, actor="test", override=True, reason="for the tests")
        turn = project.store.add_turn("support", settings={}, seed=0, budget_s=1, requested_by="test")
        error = {"code": "test", "en": "No.", "zh": "否。"}
        project.store.finish_turn("support", turn["turn_id"], status="failed", error=error)
    return folder


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    with Project(folder) as opened:
        yield opened

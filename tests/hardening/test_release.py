"""What goes out: everything that a server installs has a checksum and a licence that somebody has looked at."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", DEPLOY / "release.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_holds_all_that_a_server_needs_with_checksums(release: ModuleType) -> None:
    release.check_lock()


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("alembic==", "another=="),
        ("numpy==", "numpy==0."),
        ("--hash=sha256:", "--hash=md5:"),
        (" \\\n    --hash", "\n#"),
    ],
)
def test_a_lock_that_lags_or_lacks_a_checksum_is_found(
    release: ModuleType, was: str, becomes: str, tmp_path: Path
) -> None:
    text = release.LOCK.read_text("utf-8")
    assert was in text
    release.LOCK = tmp_path / "requirements.lock"
    release.LOCK.write_text(text.replace(was, becomes), "utf-8")
    with pytest.raises(release.NotFit):
        release.check_lock()


def test_every_licence_has_been_looked_at(release: ModuleType) -> None:
    release.check_licences()


def test_a_licence_that_nobody_has_looked_at_is_found(release: ModuleType, tmp_path: Path) -> None:
    rules = (DEPLOY / "licences.toml").read_text("utf-8")
    release.HERE = tmp_path
    (tmp_path / "licences.toml").write_text(rules.replace('    "PSF-2.0",\n', ""), "utf-8")
    with pytest.raises(release.NotFit, match=r"typing-extensions: PSF-2\.0"):
        release.check_licences()


def test_the_image_is_made_from_the_lock() -> None:
    lines = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert "--require-hashes -r requirements.lock" in lines

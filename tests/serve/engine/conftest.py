"""Two sealed bundles that the engine's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from feilun.records import Backbone
from tests.bundles import make_bundle


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone) -> dict[str, Path]:
    """Folders of two bundles of different models, by model id. Not to be changed."""
    root = tmp_path_factory.mktemp("bundles")
    return {make_bundle(root / name, tiny_backbone, seed=seed)[0]: root / name for seed, name in enumerate("ab")}

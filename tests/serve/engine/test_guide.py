"""The Python in the guide to bundles runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from feilun.models.bundle import export_bundle

GUIDE = Path(__file__).parents[3] / "docs" / "en" / "bundle.md"


def test_the_guide_imports_loads_swaps_and_remembers(bundles, tmp_path, monkeypatch):
    model_id, folder = next(iter(bundles.items()))
    export_bundle(folder, tmp_path / "support.tar.gz")
    (tmp_path / "support/.feilun").mkdir(parents=True)
    (tmp_path / "support/feilun.toml").write_text('[project]\nname = "support"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    said: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    for block in blocks:
        exec(compile(block.replace("m_0123456789ab", model_id), str(GUIDE), "exec"), said)
    assert len(blocks) == 3
    assert (said["model_id"], said["answers"][0].label) == (model_id, "lost_parcel")

"""A project on the tiny backbone that was really turned, in seconds: what servers and consoles are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tomlkit
from safetensors.numpy import load_file, save_file

import feilun
from feilun.models import pull
from feilun.project import Project
from feilun.records import Backbone
from tests.bundles import MESSAGES


def turned_twice(root: Path, backbone: Backbone, *, home: Path) -> Path:
    """The folder of project "support" below `root`: its first model is live, the second one was not better."""
    (root / "support" / ".feilun").mkdir(parents=True)  # a workspace of its own, whatever lies above
    rows = [f"{text} {n},{label}" for label, texts in MESSAGES.items() for text in texts for n in range(4)]
    (root / "messages.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEILUN_HOME", str(home))
        patch.setenv("PYTHONPATH", str(Path(feilun.__file__).parents[1]))  # for the turn's own process
        folder = root / "support"
        Project.init(folder, data=root / "messages.csv", name="support", language="en", pull=False).close()
        document = tomlkit.parse((folder / "feilun.toml").read_text("utf-8"))
        document["backbone"]["model"] = backbone.info.source
        document["train"]["tune"]["enabled"] = False
        (folder / "feilun.toml").write_text(tomlkit.dumps(document), "utf-8")
        pull(backbone.info.source, language="en")
        with Project(folder) as project:
            assert project.turn(seed=0).released
            assert not project.turn(seed=1).released
    return folder


def answer_otherwise(judged: Path, *, every: int) -> None:
    """As if the model whose kept answers are in `judged` had given every so many-th held-out message another label."""
    kept = load_file(judged)
    kept["logits"][::every] = np.roll(kept["logits"][::every], 1, axis=1)
    save_file(kept, judged)

"""A workspace with a real model that is live, a dataset, keys and feedback."""

from __future__ import annotations

from pathlib import Path

import pytest

from feilun.data import write_snapshot
from feilun.models.bundle import model_id_of, publish
from feilun.project import Project
from feilun.records import Backbone
from feilun.trust import create_key
from tests.bundles import dataset_of, make_bundle

TEXTS = ["where is my parcel", "我要退款", "thanks", "谢谢你"]


@pytest.fixture
def folder(tmp_path: Path, tiny_backbone: Backbone) -> Path:
    made = tmp_path / "support"
    (made / ".feilun").mkdir(parents=True)
    (made / "消息.csv").write_text("text,label\n我要退款,refund\n", "utf-8")
    (made / "feilun.toml").write_text('[project]\nname = "support"\n[[data.sources]]\npath = "消息.csv"\n', "utf-8")
    sealed = tmp_path / "sealed"
    sealed.mkdir()
    make_bundle(sealed, tiny_backbone)
    with Project(made) as project:
        store, model_id = project.store, model_id_of(sealed)
        publish(sealed, store.models_dir, model_id)
        write_snapshot(dataset_of(), store.dataset_path("ds_1"))
        turn = store.add_turn("support", settings={}, seed=0, budget_s=1, requested_by="test")
        store.add_model(
            "support", model_id=model_id, turn_id=turn["turn_id"], dataset_id="ds_1", report={}, size_mb=1.0
        )
        store.finish_turn("support", turn["turn_id"], status="done")
        words = {"reason_code": "by_hand", "en": "By hand.", "zh": "手动。"}
        store.add_release("support", action="promote", model_id=model_id, actor="ann", **words)
        create_key(store, name="website", scopes=["predict"], expires_in_days=90)
    return made

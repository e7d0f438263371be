"""Float networks are kept for the champion and the latest models, and no more."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from feilun.compress.students import TooManyLayers, TorchMissing, WidthNotSmaller
from feilun.models import read_config
from feilun.records import CompressWish
from feilun.store import Store
from feilun.wheel.networks import NetworkGone, find_network, keep_network
from feilun.wheel.shrink import choose_students


def test_the_champions_network_and_the_three_latest_are_kept_and_a_gone_one_names_those(tmp_path):
    with Store(tmp_path / ".feilun") as store:
        for number in range(1, 7):
            model_id, left = f"m_{number}", tmp_path / "left"
            left.mkdir()
            (left / "network.safetensors").write_text(model_id)
            store.add_model("p", model_id=model_id, turn_id="t", dataset_id="d", report={}, size_mb=1.0)
            if number == 2:
                words = {"actor": "li", "reason_code": "by_hand", "en": "", "zh": ""}
                store.add_release("p", action="promote", model_id=model_id, **words)
            keep_network(store, project="p", model_id=model_id, folder=left)
            assert not left.exists()
        kept = sorted(path.name for path in (tmp_path / ".feilun" / "networks").iterdir())
        assert kept == ["m_2", "m_4", "m_5", "m_6"]
        keep_network(store, project="p", model_id="m_6", folder=tmp_path / "left")  # again, after a crash
        assert (find_network(store, project="p", model_id="m_6") / "network.safetensors").read_text() == "m_6"
        with pytest.raises(NetworkGone) as gone:
            find_network(store, project="p", model_id="m_1")
        assert gone.value.fields == {"model_id": "m_1", "n_kept": 3, "known": "m_6, m_5, m_4, m_2"}


def test_students_are_half_the_layers_unless_asked_for_and_need_torch(monkeypatch, tiny_backbone):
    six = replace(read_config(tiny_backbone.folder), n_layers=6)

    def students(n_layers=None, widths=(), of=six):
        made = choose_students(CompressWish(n_layers=n_layers, widths=widths), of=of)
        return made.n_layers, made.widths

    assert (students(), students(of=replace(six, n_layers=1)), students(())) == (((3,), ()), ((), ()), ((), ()))
    assert students((2, 4, 2)) == ((4, 2), ())
    assert students(widths=(0.25, 0.5, 0.25)) == ((), (0.5, 0.25))
    assert students((3,), (0.5,)) == ((3,), (0.5,))
    with pytest.raises(TooManyLayers, match="1 to 5"):
        students((3, 6))
    with pytest.raises(WidthNotSmaller, match="4 heads and 64"):
        students(widths=(0.5, 1.0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert (students(), students(())) == (((), ()), ((), ()))
    for wish in ({"n_layers": (3,)}, {"widths": (0.5,)}):
        with pytest.raises(TorchMissing, match=r"feilun\[train\]"):
            students(**wish)

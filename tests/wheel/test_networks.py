"""Float networks are kept for the champion and the latest models, and no more."""

from __future__ import annotations

import importlib.util

import pytest

from feilun.compress.points import TooManyLayers, TorchMissing
from feilun.store import Store
from feilun.wheel.networks import NetworkGone, find_network, keep_network
from feilun.wheel.shrink import _students


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


def test_students_are_half_the_layers_unless_asked_for_and_need_torch(monkeypatch):
    assert (_students(None, of=6), _students(None, of=1), _students([], of=6)) == ([3], [], [])
    assert _students([2, 4, 2], of=6) == [4, 2]
    with pytest.raises(TooManyLayers, match="1 to 5"):
        _students([3, 6], of=6)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert (_students(None, of=6), _students([], of=6)) == ([], [])
    with pytest.raises(TorchMissing, match=r"feilun\[train\]"):
        _students([3], of=6)

"""The rungs above tune, the weighing of classes, what a turn takes, and turns that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from feilun.models import read_tensors
from feilun.tasks import get_task
from feilun.train import NotEnoughRoom, preflight
from tests.train.conftest import MANY, dataset_of, examples_of, settings_of

FAST = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "min_updates": 0}
ADAPT_ONLY = {
    "probe": {"enabled": False},
    "tune": {"enabled": False},
    "full": {"enabled": False},
    "adapt": {**FAST, "enabled": True, "rank": 2, "learning_rate": 1e-2},
    "n_folds": 2,
}


def _lines(result) -> dict[str, object]:
    return {line.method: line for line in result.leaderboard}


def test_full_learns_every_layer_and_leaves_the_embedding_tables(run_train, tiny_backbone):
    full = {**FAST, "min_rows": 0}
    result = run_train(
        train={"probe": {"enabled": False}, "tune": {"enabled": False}, "full": full, "n_folds": 2, "seed": 1}
    )
    network = load_file(result.folder / "network.safetensors")
    before = read_tensors(tiny_backbone.folder)
    changed = {name for name, tensor in network.items() if name in before and not np.array_equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith("encoder.layer.")}
    assert _lines(result)["full"].params["n_frozen"] == 0


def test_full_is_not_tried_on_few_rows_and_says_from_how_many(run_train):
    line = _lines(run_train(train={"tune": {"enabled": False}}))["full"]
    assert (line.status, line.cpu_s) == ("skipped", 0)
    assert "2000" in line.note_en
    assert "2000" in line.note_zh


def test_an_adapter_lies_beside_the_merged_network_and_both_say_the_same(run_train, tiny_backbone):
    result = run_train(dataset_of(examples_of(MANY)), train=ADAPT_ONLY)
    assert _lines(result)["adapt"].chosen
    merged = load_file(result.folder / "network.safetensors")
    adapter = load_file(result.folder / "adapter_model.safetensors")
    config = json.loads((result.folder / "adapter_config.json").read_text("utf-8"))
    assert (config["r"], config["layers_to_transform"], config["inference_mode"]) == (2, [1], True)
    query = "encoder.layer.1.attention.self.query"
    a, b = (adapter[f"base_model.model.{query}.lora_{letter}.weight"] for letter in "AB")
    before = read_tensors(tiny_backbone.folder)[f"{query}.weight"]
    np.testing.assert_allclose(merged[f"{query}.weight"], before + config["lora_alpha"] / 2 * b @ a, atol=1e-6)
    assert np.abs(b).max() > 0


def test_an_older_adapter_is_not_taken_for_a_new_one(run_train):
    run_train(train=ADAPT_ONLY)
    folder = run_train(train={"tune": {"enabled": False}}).folder
    assert not list(folder.glob("adapter*"))


def test_without_peft_the_line_names_the_command(run_train, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    result = run_train(train={**ADAPT_ONLY, "probe": {}})
    line = _lines(result)["adapt"]
    assert line.status == "skipped"
    assert "pip install 'feilun[adapt]'" in line.note_en
    assert "pip install 'feilun[adapt]'" in line.note_zh


def _unequal(n_rare: int) -> dict[str, list[str]]:
    return {"refund": MANY["refund"] + [f"{t} now" for t in MANY["refund"]], "card": MANY["card"][:n_rare]}


def test_weights_of_classes_are_tried_only_when_classes_are_unequal(run_train):
    probes = {"tune": {"enabled": False}, "probe": {"c": [10.0]}}
    equal = run_train(dataset_of(examples_of(MANY)), train=probes, folder="equal")
    assert [line.params for line in equal.leaderboard if line.method == "probe"] == [{"c": 10.0}]
    unequal = run_train(dataset_of(examples_of(_unequal(4))), train=probes, folder="unequal")
    probe_lines = [line for line in unequal.leaderboard if line.method == "probe"]
    assert [line.params for line in probe_lines] == [{"c": 10.0}, {"c": 10.0, "class_weight": "balanced"}]
    assert probe_lines[1].note_en
    assert probe_lines[1].note_zh


def test_the_metric_of_the_goal_decides_on_the_weights(run_train):
    probes = {"tune": {"enabled": False}, "probe": {"c": [0.001]}}
    result = run_train(dataset_of(examples_of(_unequal(4))), train=probes, goal={"metric": "macro_f1"})
    plain, balanced = [line for line in result.leaderboard if line.method == "probe"]
    wins = balanced.validation["macro_f1"] > plain.validation["macro_f1"]
    assert (plain.chosen, balanced.chosen) == (not wins, wins)
    assert wins  # so weak a head answers the large class always, unless rare rows count more


def test_folds_end_when_the_lead_is_clear(run_train, monkeypatch):
    monkeypatch.setattr("feilun.train.tuning.LEAST_TO_LOSE", 1)
    for room in ("tuning", "scoring"):
        monkeypatch.setattr(f"feilun.train.{room}.lead", lambda tuned, probe: -1e9)
    result = run_train(train={"tune": FAST, "n_folds": 3})
    tuned = _lines(result)["tune"]
    assert tuned.validation["n_rows"] == 6  # one fold of three
    assert "fold 1" in tuned.note_en
    assert next(line.method for line in result.leaderboard if line.chosen) == "probe"


def _preflight(tmp_path: Path, backbone, *, budget_s: float, **train):
    settings = settings_of(train=train)
    return preflight(
        dataset_of(examples_of(MANY)),
        backbone,
        settings,
        task=get_task(settings.task),
        budget_s=budget_s,
        workdir=tmp_path / "not" / "there",
    )


def test_looking_ahead_judges_every_rung_and_leaves_nothing_behind(tmp_path, tiny_backbone):
    ahead = _preflight(tmp_path, tiny_backbone, budget_s=1e6)
    assert [rung.method for rung in ahead.rungs] == ["probe", "tune", "full"]
    for rung in ahead.rungs[:2]:
        assert [need.what for need in rung.needs] == ["time", "memory", "disk"]
        assert all(need.needs > 0 for need in rung.needs)
        assert rung.needs[0].verdict == "AMPLE"
    assert (ahead.rungs[2].needs, "2000" in ahead.rungs[2].note_zh) == ((), True)
    assert not list(tmp_path.iterdir())


def test_looking_ahead_says_over_when_not_even_the_shortest_plan_fits(tmp_path, tiny_backbone):
    ahead = _preflight(tmp_path, tiny_backbone, budget_s=1e-6)
    assert {rung.method: rung.needs[0].verdict for rung in ahead.rungs[:2]} == {"probe": "OVER", "tune": "OVER"}


def test_a_full_disk_stops_before_anything_is_begun_and_names_the_numbers(run_train, tmp_path, monkeypatch):
    monkeypatch.setattr("feilun.train.room.disk_left_mb", lambda folder: 0.01)
    with pytest.raises(NotEnoughRoom) as caught:
        run_train()
    assert caught.value.fields["has_mb"] == 0
    assert "disk space" in caught.value.message("en")
    assert "磁盘空间" in caught.value.message("zh")
    assert not (tmp_path / "out").exists()


def test_a_rung_that_memory_does_not_allow_is_left_out_and_the_probe_stands(run_train, monkeypatch):
    monkeypatch.setattr("feilun.train.room.memory_left_mb", lambda: 400.0)  # enough without torch
    result = run_train(train={"tune": FAST})
    line = _lines(result)["tune"]
    assert (line.status, "400 MB" in line.note_en, "400 MB" in line.note_zh) == ("skipped", True, True)
    assert next(line.method for line in result.leaderboard if line.chosen) == "probe"


TURN = """
import os, sys
from pathlib import Path
from feilun.network import loop
from feilun.records import Backbone, BackboneInfo
from feilun.tasks import get_task
from feilun.train import train
from tests.train.conftest import MESSAGES, dataset_of, examples_of, settings_of

loop.CHECKPOINT_EVERY_S = 0.0
loop.Bookmark.__init__.__kwdefaults__["every_s"] = 0.0
loop.REPORT_EVERY = 1
kill_at = sys.argv[3]
seen = 0

def on_event(kind, data):
    global seen
    seen += kind == "train.update"
    if kind == "train.update" and str(seen) == kill_at:
        os.kill(os.getpid(), 9)

info = BackboneInfo(alias="tiny", fingerprint="0" * 64, source="test", licence="Apache-2.0", languages=("en",))
rung = {"epochs": 2, "batch_size": 4, "min_updates": 0, "learning_rate": 1e-3}
settings = settings_of(train={"n_folds": 2, "probe": {"enabled": False}, "tune": rung, "full": {"enabled": False}})
train(
    dataset_of(examples_of(MESSAGES)),
    Backbone(Path(sys.argv[1]), info),
    settings,
    task=get_task(settings.task),
    workdir=Path(sys.argv[2]),
    budget_s=600,
    seed=0,
    on_event=on_event,
)
print(seen)
"""


def _turn(backbone, workdir: Path, *, kill_at: int) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(TURN), str(backbone.folder), str(workdir), str(kill_at)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_turn_killed_in_the_middle_of_a_fit_goes_on_and_ends_with_the_same_bytes(tiny_backbone, tmp_path):
    undisturbed = _turn(tiny_backbone, tmp_path / "whole", kill_at=0)
    n_updates = int(undisturbed.stdout)
    kill_at = n_updates * 3 // 4  # inside the second fold: the first is finished by then
    assert _turn(tiny_backbone, tmp_path / "killed", kill_at=kill_at).returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "train.json").exists()
    resumed = _turn(tiny_backbone, tmp_path / "killed", kill_at=0)
    assert int(resumed.stdout) < n_updates - kill_at + 2  # what was done is not done again
    for name in ("network.safetensors", "validation.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
    assert not (tmp_path / "killed" / "checkpoints").exists()

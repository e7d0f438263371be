"""The benchmarks' own arithmetic: which rows teach and judge, what a peer is told, what the table says."""

from __future__ import annotations

import csv
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
RUNNABLE = sorted(path.stem for path in FOLDER.glob("*.py") if "ArgumentParser(" in path.read_text("utf-8"))
RUN = {"set": "snips", "shots": 5, "subset": "drawn", "detail": "", "macro_f1": 0.5, "peak_mb": 100.0}


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark as `python benchmarks/NAME.py` does: its folder is on the path."""
    monkeypatch.syspath_prepend(FOLDER)

    def one(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield one
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


def _write(path: Path, head: str, *rows: tuple[object, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head.split(","), *rows])


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_benchmark_that_can_be_run_says_how(name):
    done = subprocess.run([sys.executable, FOLDER / f"{name}.py", "--help"], capture_output=True, text=True, check=True)
    assert "usage:" in done.stdout


def test_published_and_drawn_shots_are_the_rows_that_the_file_names(load, tmp_path):
    sets = load("sets")
    _write(tmp_path / "banking77" / "train.csv", "text,label", *[(f"t{i}", f"c{i % 2}") for i in range(6)])
    _write(tmp_path / "banking77" / "test.csv", "text,label", ("q", "c0"))
    draws = {"published": {"train_5": [4, 1]}, "5": {"3": [0, 5]}}
    (tmp_path / "banking77" / "fewshot.json").write_text(json.dumps(draws), "utf-8")
    published, drawn = sets.tasks(tmp_path, names=["banking77"], shots=[5], subsets=[], seeds=[3])
    assert sets.teaching_rows(published) == (["t4", "t1"], ["c0", "c1"])
    assert sets.teaching_rows(drawn) == (["t0", "t5"], ["c0", "c1"])
    assert sets.judging_rows(drawn) == (["q"], ["c0"])


def test_a_fold_either_teaches_or_judges(load, tmp_path):
    sets = load("sets")
    rows = [(f"t{i}", "yes" if i % 3 else "no", i % 10) for i in range(200)]
    _write(tmp_path / "subjectivity" / "data.csv", "text,label,fold", *rows)
    tasks = sets.tasks(tmp_path, names=["subjectivity"], shots=[8], subsets=[], seeds=[0, 1])
    first, second = (sets.teaching_rows(task) for task in tasks)
    judges = sets.judging_rows(tasks[0])
    assert sorted(judges.texts) == sorted(text for text, _, fold in rows if fold == 0)
    assert not set(first.texts) & set(judges.texts)
    assert sorted(first.labels) == ["no"] * 8 + ["yes"] * 8
    assert first.texts != second.texts
    assert sets.teaching_rows(tasks[0]) == first


def test_a_set_gives_only_the_subsets_it_has(load, tmp_path):
    sets = load("sets")
    assert sets.tasks(tmp_path, names=["snips"], shots=[], subsets=["published"], seeds=[0]) == []
    whole = sets.tasks(tmp_path, names=["sib200_zh"], shots=[], subsets=[], seeds=[0])
    assert [(task["shots"], task["subset"], task["language"]) for task in whole] == [(0, "all", "zh")]


def test_the_table_sets_every_method_against_the_one_it_is_told(load):
    common = load("common")
    runs = [
        {**RUN, "method": "chosen", "seed": 0, "accuracy": 0.8, "cpu_s": 10.0},
        {**RUN, "method": "chosen", "seed": 1, "accuracy": 0.9, "cpu_s": 30.0},
        {**RUN, "method": "setfit", "seed": 0, "accuracy": 0.7, "cpu_s": 400.0},
    ]
    ours, theirs = common.summarise(runs, against="chosen")
    assert (ours["accuracy"], ours["n_runs"], ours["cpu_s"]) == (pytest.approx(0.85), 2, 20.0)
    assert ours["accuracy_std"] == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert (theirs["accuracy_gain"], theirs["cpu_ratio"]) == (pytest.approx(-0.15), 20.0)
    assert "accuracy_gain" not in ours
    assert "-15.00   20.0" in common.as_text([ours, theirs])


def test_scores_of_two_classes_name_the_rarer_one(load):
    score = load("common").judged(["ham", "ham", "ham", "spam"], ["ham", "ham", "spam", "spam"])
    assert score == {"accuracy": 0.75, "macro_f1": pytest.approx((0.8 + 2 / 3) / 2), "n_test": 4, "rarer_f1": 2 / 3}


def test_a_published_command_tells_no_folder_of_ours(load):
    common = load("common")
    told = ["/home/me/benchmarks/peers.py", "--data", "/home/me/data", "--seeds", "0", "--out", "/home/me/x.json"]
    assert common.public(told) == ["benchmarks/peers.py", "--data", "FOLDER", "--seeds", "0", "--out", "FILE"]


def test_every_peer_gets_the_same_rows_and_its_own_settings(load, tmp_path):
    peers = load("peers")
    (tmp_path / "banking77").mkdir()
    line = ["--data", str(tmp_path), "--shots", "10", "--subsets", "published", "--seeds", "0", "--trainer-epochs", "3"]
    jobs = peers.jobs(peers.arguments().parse_args(line))
    assert [job["method"] for job in jobs] == ["chosen", "baseline", "tfidf", "setfit", "trainer"]
    assert len({(job["set"], job["shots"], job["subset"], job["seed"]) for job in jobs}) == 1
    assert jobs[3]["settings"] == {"batch_size": 16, "num_iterations": 5, "learning_rate": 1e-4}
    assert jobs[4]["settings"]["epochs"] == 3


def test_an_unknown_peer_is_refused_with_the_names_there_are(load, tmp_path, capsys):
    peers = load("peers")
    with pytest.raises(SystemExit) as refused:
        peers.jobs(peers.arguments().parse_args(["--data", str(tmp_path), "--peers", "setfitt"]))
    assert refused.value.code == 2
    assert "setfitt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"), [("snipss", "there are banking77"), ("snips", "no folder")], ids=["unknown set", "no such folder"]
)
def test_a_set_that_is_not_there_is_refused_before_anything_runs(load, tmp_path, name, said):
    peers = load("peers")
    with pytest.raises(SystemExit, match=said):
        peers.jobs(peers.arguments().parse_args(["--data", str(tmp_path), "--sets", name]))


def test_model_flops_are_the_products_that_torch_is_seen_to_make(load, tiny_backbone):
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from feilun.models import read_config, read_tensors
    from feilun.network.attention import Group
    from feilun.network.encoder import LayerStack

    loop = load("loop")
    config, groups = read_config(tiny_backbone.folder), (Group(4, 6), Group(2, 4))
    layers = LayerStack(config, first=0, last=config.n_layers).load(read_tensors(tiny_backbone.folder))
    x = torch.randn(32, config.n_hidden)
    with torch.no_grad(), FlopCounterMode(display=False) as forward:
        layers(x, groups, precision=torch.float32)
    assert forward.get_total_flops() == loop.frozen_flops(groups, config, n_layers=config.n_layers)
    with FlopCounterMode(display=False) as both:
        layers(x, groups, precision=torch.float32).sum().backward()
    assert both.get_total_flops() == loop.learning_flops(groups, config, n_layers=config.n_layers)

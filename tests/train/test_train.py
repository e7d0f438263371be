"""The door: candidates, choice, files, refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from feilun.config import TaskSettings
from feilun.models import Encoder, build_graph, read_config, read_tensors
from feilun.tasks.classify import ClassifyTask
from feilun.train import NoCandidate, NothingToLearn, ResultDamaged, load_result
from tests.train.conftest import MANY, MESSAGES, dataset_of, examples_of

FAST_TUNE = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "min_updates": 0}
TUNE_ONLY = {"probe": {"enabled": False}, "tune": FAST_TUNE, "n_folds": 3}
PROBE_ONLY = {"tune": {"enabled": False}, "probe": {"c": [10.0, 1.0]}, "n_folds": 3}


def _arrays(result):
    return load_file(result.folder / "network.safetensors"), load_file(result.folder / "validation.safetensors")


def test_a_result_holds_what_the_record_promises(run_train):
    result = run_train(train={"tune": FAST_TUNE, "n_folds": 3})
    assert result.labels == ("card", "delivery", "refund")
    assert [line.method for line in result.leaderboard] == ["probe"] * 4 + ["tune", "full"]
    assert sum(line.chosen for line in result.leaderboard) == 1
    network, validation = _arrays(result)
    assert network["head.weight"].shape == (3, 32)
    assert network["head.bias"].shape == (3,)
    assert validation["rows"].tolist() == list(range(18))
    assert validation["logits"].shape == (18, 3)
    assert validation["targets"].dtype == np.uint8
    assert validation["targets"].sum(axis=1).tolist() == [1] * 18
    np.testing.assert_allclose(np.linalg.norm(validation["embeddings"], axis=1), 1, atol=1e-5)
    assert load_result(result.folder) == result
    assert not list(result.folder.rglob("*.partial"))
    assert not (result.folder / "scratch").exists()


def test_the_probe_leaves_the_backbone_alone_and_beats_chance(run_train):
    result = run_train(dataset_of(examples_of(MANY)), train=PROBE_ONLY)
    network, validation = _arrays(result)
    assert set(network) == {"head.weight", "head.bias"}
    hits = validation["logits"].argmax(axis=1) == validation["targets"].argmax(axis=1)
    assert hits.mean() > 0.8  # chance is a third


@pytest.mark.parametrize("family", ["tiny_backbone", "tiny_mpnet"], ids=["bert", "mpnet"])
def test_what_was_tuned_runs_as_a_graph_and_gives_the_same_embeddings(run_train, request, family):
    backbone = request.getfixturevalue(family)
    result = run_train(train=TUNE_ONLY, backbone=backbone)
    network, validation = _arrays(result)
    changed = {name for name in network if not name.startswith("head.")}
    assert changed == {n for n in read_tensors(backbone.folder) if n.startswith("encoder.layer.1.")}
    tensors = {**read_tensors(backbone.folder), **{name: network[name] for name in changed}}
    head = (network["head.weight"], network["head.bias"])
    graph = build_graph(read_config(backbone.folder), tensors, pooling="mean", head=head)
    encoder = Encoder(graph.SerializeToString(), backbone.folder / "tokenizer.json", max_tokens=32)
    embeddings, logits = encoder.run([example.inputs["text"] for example in examples_of(MESSAGES)])
    np.testing.assert_allclose(embeddings, validation["embeddings"], atol=0.02)  # tuned in bfloat16 where there is one
    assert (logits.argmax(axis=1) == validation["targets"].argmax(axis=1)).mean() > 0.9  # it fits what it learnt from


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(run_train):
    files = [
        (run_train(train=TUNE_ONLY, folder=folder, seed=seed).folder / "network.safetensors").read_bytes()
        for folder, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert files[0] == files[1] != files[2]


def test_out_of_fold_answers_are_not_answers_to_rows_it_has_seen(run_train):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghij"), 8)) for _ in range(60)]
    noise = {"yes": words[:30], "no": words[30:]}  # nothing to learn: honest validation must be near one half
    _, validation = _arrays(run_train(dataset_of(examples_of(noise)), train=PROBE_ONLY))
    hits = validation["logits"].argmax(axis=1) == validation["targets"].argmax(axis=1)
    assert 0.25 < hits.mean() < 0.75


def test_torch_is_left_as_it_was_found(run_train, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = torch.get_num_threads()
    state = torch.random.get_rng_state()
    torch.set_num_threads(3)
    try:
        inside = []
        for pays_from, expected in ((float("inf"), 1), (0, 2)):
            monkeypatch.setattr("feilun.network.device.THREADS_PAY_FROM", pays_from)
            inside.clear()
            run_train(train=TUNE_ONLY, on_event=lambda kind, data: inside.append((kind, torch.get_num_threads())))
            assert {threads for kind, threads in inside if kind == "train.epoch"} == {expected}
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
        torch.random.set_rng_state(state)


def test_a_class_with_one_row_is_learnt_and_nobody_fails(run_train):
    messages = {**MESSAGES, "挂失": ["我要挂失"]}
    for sections in (PROBE_ONLY, TUNE_ONLY):
        result = run_train(dataset_of(examples_of(messages)), train=sections)
        assert "挂失" in result.labels
        assert len(_arrays(result)[1]["rows"]) == 19  # its name stands in for it


def test_one_row_in_every_class_is_enough_for_a_model(run_train):
    single = {label: texts[:1] for label, texts in MESSAGES.items()}
    named = run_train(dataset_of(examples_of(single)), train=PROBE_ONLY)
    assert len(_arrays(named)[1]["rows"]) == 3
    nameless = {"1": ["i want a refund"], "2": ["where is my parcel"]}
    result = run_train(dataset_of(examples_of(nameless)), train={**PROBE_ONLY})
    assert len(_arrays(result)[1]["rows"]) == 0
    chosen = next(line for line in result.leaderboard if line.chosen)
    assert chosen.note_en
    assert chosen.note_zh


def test_two_classes_and_imbalance_are_learnt(run_train):
    messages = {"refund": MESSAGES["refund"][:2], "other": MESSAGES["delivery"] + MESSAGES["card"]}
    for sections in (PROBE_ONLY, TUNE_ONLY):
        network, _ = _arrays(run_train(dataset_of(examples_of(messages)), train=sections))
        assert network["head.weight"].shape == (2, 32)
        assert np.isfinite(network["head.weight"]).all()


@pytest.mark.parametrize("sections", [PROBE_ONLY, TUNE_ONLY], ids=["probe", "tune"])
def test_several_labels_a_message(run_train, sections):
    messages = {
        "refund": MESSAGES["refund"],
        "delivery": MESSAGES["delivery"],
        "delivery|refund": [f"{a} {b}" for a, b in zip(MESSAGES["refund"], MESSAGES["delivery"], strict=True)],
        "": ["thanks", "thanks thanks", "谢谢"],
    }
    result = run_train(dataset_of(examples_of(messages)), train=sections, task={"multi_label": True})
    _, validation = _arrays(result)
    assert result.labels == ("delivery", "refund")
    right = (validation["logits"] > 0) == (validation["targets"] > 0)
    assert right.mean() > 0.6
    assert len(right) == 21


@pytest.mark.parametrize("sections", [PROBE_ONLY, TUNE_ONLY], ids=["probe", "tune"])
def test_out_of_scope_rows_teach_no_class_but_get_answers_for_the_threshold(run_train, sections):
    messages = {**MESSAGES, "oos": ["今天天气", "sing a song", "唱歌"]}
    result = run_train(dataset_of(examples_of(messages)), train=sections, task={"out_of_scope_label": "oos"})
    _, validation = _arrays(result)
    assert result.labels == ("card", "delivery", "refund")
    assert (validation["targets"].sum(axis=1) == 0).sum() == 3
    assert np.isfinite(validation["logits"]).all()


def test_the_loss_leaves_out_of_scope_rows_undecided():
    task = ClassifyTask(TaskSettings())
    logits = torch.tensor([[2.0, -1.0, 0.5]], requires_grad=True)
    (gradient,) = torch.autograd.grad(task.loss(logits, torch.zeros(1, 3), torch.ones(1)), logits)
    torch.testing.assert_close(gradient, torch.softmax(logits, -1) - 1 / 3)


def test_a_budget_too_short_to_tune_says_so_in_both_languages_and_keeps_the_probe(run_train):
    result = run_train(train={"n_folds": 3, "tune": {"epochs": 1}}, budget_s=0.05)
    tuned = result.leaderboard[-2]
    assert (tuned.method, tuned.status in ("skipped", "stopped")) == ("tune", True)
    assert "budget" in tuned.note_en
    assert "预算" in tuned.note_zh
    chosen = next(line for line in result.leaderboard if line.chosen)
    assert (chosen.method, chosen.status) == ("probe", "done")


def test_a_fit_that_is_short_of_time_ends_on_a_finished_schedule():
    from feilun.network.batches import Corpus
    from feilun.network.loop import LoopSettings, optimise

    weight = torch.nn.Parameter(torch.ones(1))
    optimiser = torch.optim.SGD([{"params": [weight], "lr": 0.1, "peak": 0.1}])
    corpus = Corpus([[1, 2]] * 64)
    rng = np.random.default_rng(0)
    outcome = optimise(
        lambda batch: (weight**2).sum(),
        lambda: corpus.shuffled(np.arange(64), batch_size=1, rng=rng),
        optimiser,
        LoopSettings(epochs=1_000_000),
        n_batches=64,
        time_limit_s=0.3,
    )
    assert outcome.in_a_hurry
    assert outcome.n_epochs < 1_000_000


def test_a_diverging_fit_is_a_failed_line_and_the_probe_stands(run_train):
    class Explosive(ClassifyTask):
        def loss(self, logits, targets, sample_weight):
            return super().loss(logits, targets, sample_weight) * float("inf")

    result = run_train(train={"n_folds": 3, "tune": FAST_TUNE}, task_object=Explosive(TaskSettings()))
    tuned = result.leaderboard[-2]
    assert (tuned.method, tuned.status, tuned.validation) == ("tune", "failed", {})
    assert "learning_rate" in tuned.note_en
    assert next(line.method for line in result.leaderboard if line.chosen) == "probe"


def test_progress_is_told_as_it_goes(run_train):
    events = []
    run_train(
        train={"n_folds": 3, "tune": {"epochs": 3, "patience": 2, "batch_size": 8}},
        on_event=lambda kind, data: events.append((kind, data)),
    )
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "train.start"
    assert "train.chosen" in kinds
    assert kinds.count("train.candidate") == 6
    epochs = [data for kind, data in events if kind == "train.epoch"]
    assert all(np.isfinite(data["loss"]) for data in epochs)
    assert {data["fold"] for data in epochs} >= {1, 2, 3}
    assert any(kind == "train.validation" for kind in kinds)  # epochs > patience: somebody watches


@pytest.mark.parametrize("messages", [{}, {"only": ["one", "class"]}], ids=["empty", "one class"])
def test_nothing_to_learn_is_refused_before_anything_is_written(run_train, tmp_path, messages):
    with pytest.raises(NothingToLearn):
        run_train(dataset_of(examples_of(messages)))
    assert not (tmp_path / "out").exists()


def test_no_rung_at_all_is_an_error_that_says_what_to_do(run_train, tmp_path):
    with pytest.raises(NoCandidate) as caught:
        run_train(train={"probe": {"enabled": False}, "tune": {"enabled": False}})
    assert "train.probe" in caught.value.message("en")
    assert not (tmp_path / "out" / "train.json").exists()


@pytest.mark.parametrize("damage", ["missing", "changed", "no mark", "unreadable mark"])
def test_a_result_that_is_not_whole_does_not_load(run_train, damage):
    folder = run_train(train=PROBE_ONLY).folder
    if damage == "missing":
        (folder / "validation.safetensors").unlink()
    elif damage == "changed":
        with (folder / "network.safetensors").open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\x7f")
    elif damage == "no mark":
        (folder / "train.json").unlink()
    else:
        (folder / "train.json").write_text("{", "utf-8")
    with pytest.raises(ResultDamaged):
        load_result(folder)


SCRIPT = """
import sys
{before}
from pathlib import Path
from feilun.records import Backbone, BackboneInfo
from feilun.tasks import get_task
from feilun.train import train
from tests.train.conftest import MESSAGES, dataset_of, examples_of, settings_of

info = BackboneInfo(alias="tiny", fingerprint="0" * 64, source="test", licence="Apache-2.0", languages=("en",))
settings = settings_of(train={{"n_folds": 3, "tune": {{"epochs": {epochs}, "batch_size": 2}}}})
result = train(
    dataset_of(examples_of(MESSAGES)),
    Backbone(Path(sys.argv[1]), info),
    settings,
    task=get_task(settings.task),
    workdir=Path(sys.argv[2]),
    budget_s=600,
    seed=0,
    on_event=lambda kind, data: print(kind, flush=True),
)
{after}
"""


NO_TORCH = """
import importlib.abc

class NoTorch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
"""


def _script(tiny_backbone, workdir: Path, *, before: str = "", after: str = "", epochs: int = 2) -> list[str]:
    code = textwrap.dedent(SCRIPT).format(before=before, after=after, epochs=epochs)
    return [sys.executable, "-c", code, str(tiny_backbone.folder), str(workdir)]


def _environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}", "FEILUN_LANG": "en"}


def test_without_torch_the_probe_alone_makes_a_model(tiny_backbone, tmp_path):
    before = NO_TORCH
    after = (
        "for line in result.leaderboard: print(line.method, line.status, line.chosen, line.note_en)\n"
        "assert not [name for name in sys.modules if name.startswith('torch.')]"
    )
    done = subprocess.run(
        _script(tiny_backbone, tmp_path / "out", before=before, after=after),
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[-2].startswith("tune skipped False")
    assert "pip install 'feilun[train]'" in lines[-2]
    assert sum(" True" in line for line in lines[-6:-2]) == 1


def test_a_killed_run_leaves_no_half_result_and_the_next_one_is_whole(tiny_backbone, tmp_path, run_train):
    killed = subprocess.Popen(
        _script(tiny_backbone, tmp_path / "out", epochs=200), env=_environment(), stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    for line in killed.stdout:
        if line.strip() == "train.epoch":
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    with pytest.raises(ResultDamaged):
        load_result(tmp_path / "out")
    result = run_train(train={"n_folds": 3, "tune": FAST_TUNE})
    assert load_result(tmp_path / "out") == result
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "cache") == [
        "network.safetensors",
        "train.json",
        "validation.safetensors",
    ]

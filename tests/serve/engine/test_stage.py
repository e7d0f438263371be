"""The stage answers whole, swaps without dropping a request, and corrections bite at once."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest

from feilun.models.bundle import BundleDamaged, BundleMissing
from feilun.records import Thresholds
from feilun.serve.engine import Correction, NoChampion, Stage, load_bundle
from feilun.serve.engine import stage as stage_module
from tests.bundles import MESSAGES, make_bundle

TEXTS = [text for texts in MESSAGES.values() for text in texts]


def ask(stage: Stage, *texts: str):
    return stage.predict([{"text": text} for text in texts])


@pytest.fixture
def stage(bundles) -> Stage:
    stage = Stage("support")
    stage.swap(next(iter(bundles.values())))
    return stage


def test_without_a_champion_the_error_says_what_to_do():
    stage = Stage("support")
    assert not stage.is_ready
    with pytest.raises(NoChampion, match=r"support.*feilun turn"):
        ask(stage, "hello")
    with pytest.raises(NoChampion):
        _ = stage.model_id


def test_without_corrections_the_stage_says_what_the_model_says(bundles, stage):
    model_id, answers = ask(stage, *TEXTS)
    assert (model_id, answers) == (
        stage.model_id,
        load_bundle(bundles[model_id]).predict([{"text": text} for text in TEXTS]),
    )
    assert stage.predict([]) == (model_id, [])


def test_a_correction_bites_at_once_and_survives_every_swap(bundles):
    (first, one), (second, two) = bundles.items()
    stage = Stage("support")
    stage.remember([Correction("f0", "thanks", ("praise",))])  # before there is a model
    assert stage.swap(one) == first == stage.model_id
    assert ask(stage, "我的包裹在哪里").answers[0].reason != "memory"
    stage.remember([Correction("f1", "我的包裹在哪里", ("lost_parcel",))])
    for expected, folder in ((first, one), (second, two), (first, one)):
        assert stage.swap(folder) == expected
        model_id, (lost, praise, other) = ask(stage, " 我的包裹在哪里 ", "THANKS", "i want a refund")
        assert model_id == expected and other.reason != "memory"
        assert (lost.label, lost.labels, lost.reason, lost.decision) == (
            "lost_parcel",
            ("lost_parcel",),
            "memory",
            "answer",
        )
        assert lost.confidence == 1.0 and next(label for label, _ in lost.alternatives) in MESSAGES
        assert praise.label == "praise"
    stage.forget(["f1"])
    assert ask(stage, "我的包裹在哪里").answers[0].reason != "memory"
    assert stage.swap(two) and ask(stage, "我的包裹在哪里", "thanks").answers[1].label == "praise"
    stage.forget()
    assert stage.n_corrections == 0 and ask(stage, "thanks").answers[0].reason != "memory"


def test_the_nearest_corrected_neighbour_decides_from_the_threshold_on(stage):
    """The tiny backbone puts messages that differ in one letter close together; others stay with the model."""
    stage.remember([Correction("f1", "where is my parcel now please", ("lost_parcel",))])
    embeddings, _, _ = stage.model.scores(["where is my parcel now please", "where is my parcel now pleasee", "谢谢你"])
    near, far = embeddings[1] @ embeddings[0], embeddings[2] @ embeddings[0]
    assert near >= stage.model.thresholds.memory > far
    _, (first, second) = ask(stage, "where is my parcel now pleasee", "谢谢你")
    assert (first.label, first.reason) == ("lost_parcel", "memory")
    assert first.confidence == pytest.approx(near, abs=1e-5) and first.confidence < 1
    assert second.reason != "memory"


def test_a_swap_may_bring_its_own_memory(bundles, stage):
    stage.remember([Correction("f1", "thanks", ("praise",)), Correction("f2", "谢谢你", ("praise",))])
    fresh = [Correction("f2", "谢谢你", ("praise",)), Correction("f3", "parcel not here", ("lost_parcel",))]
    stage.swap(list(bundles.values())[1], corrections=fresh)
    _, answers = ask(stage, "thanks", "谢谢你", "parcel not here")
    assert [answer.reason == "memory" for answer in answers] == [False, True, True]
    assert stage.n_corrections == 2
    stage.swap(next(iter(bundles.values())))
    assert [answer.reason == "memory" for answer in ask(stage, "thanks", "谢谢你").answers] == [False, True]


def test_several_labels_and_out_of_scope_are_remembered_as_given(tmp_path, tiny_backbone):
    task = {"multi_label": True, "label_separator": ";", "out_of_scope_label": "oos"}
    stage = Stage("support")
    stage.swap(make_bundle(tmp_path / "multi", tiny_backbone, task=task) and tmp_path / "multi")
    stage.remember([Correction("f1", "both", ("refund", "thanks")), Correction("f2", "joke", ("oos",))])
    _, (both, joke) = ask(stage, "both", "joke")
    assert (both.label, both.labels, both.decision) == ("refund;thanks", ("refund", "thanks"), "answer")
    assert (joke.label, joke.decision, joke.reason) == ("oos", "hand_over", "memory")


def test_a_damaged_bundle_leaves_the_old_model_answering(bundles, stage, tmp_path):
    before = ask(stage, *TEXTS)
    broken = tmp_path / "broken"
    shutil.copytree(list(bundles.values())[1], broken)
    (broken / "model.onnx").write_bytes((broken / "model.onnx").read_bytes()[:-5])
    with pytest.raises(BundleDamaged):
        stage.swap(broken)
    with pytest.raises(BundleMissing):
        stage.swap(tmp_path / "nowhere")
    assert ask(stage, *TEXTS) == before


def test_swaps_and_corrections_under_load_drop_nothing(bundles, stage):
    """Eight threads ask while the champion changes and corrections come; each answer is one whole model's."""
    folders = list(bundles.values())
    expected = {
        model_id: np.array([answer.confidence for answer in load_bundle(folder).predict([{"text": t} for t in TEXTS])])
        for model_id, folder in bundles.items()
    }
    assert not np.allclose(*expected.values(), atol=1e-3)
    stop, seen, failures = threading.Event(), [], []

    def client() -> None:
        try:
            while not stop.is_set():
                model_id, answers = ask(stage, *TEXTS, "remember me 0")
                np.testing.assert_allclose([a.confidence for a in answers[:-1]], expected[model_id], atol=1e-4)
                seen.append((model_id, answers[-1].reason))
        except BaseException as error:
            failures.append(error)
            raise

    stage.remember([Correction("f0", "remember me 0", ("kept",))])
    clients = [threading.Thread(target=client) for _ in range(8)]
    for thread in clients:
        thread.start()
    for i in range(1, 13):
        stage.swap(folders[i % 2])
        stage.remember([Correction(f"f{i}", f"zzz {i} " * i, ("new",))])
    stop.set()
    for thread in clients:
        thread.join()
    assert failures == []
    assert {model_id for model_id, _ in seen} == set(bundles) and {reason for _, reason in seen} == {"memory"}
    assert stage.n_corrections == 13


def test_corrections_given_while_a_swap_is_under_way_are_kept(bundles, stage):
    one, two = bundles.values()
    stop, given = threading.Event(), []

    def correct() -> None:
        while not stop.is_set() or len(given) < 20:
            i = len(given)
            stage.remember([Correction(f"f{i}", f"late message {i}", ("late",))])
            given.append(i)
            assert ask(stage, f"late message {i}").answers[0].label == "late"

    writer = threading.Thread(target=correct)
    writer.start()
    for i in range(6):
        stage.swap((two, one)[i % 2])
        stage.forget([f"f{i}"])
    stop.set()
    writer.join()
    reasons = [answer.reason for answer in ask(stage, *(f"late message {i}" for i in given)).answers]
    assert reasons[6:] == ["memory"] * (len(given) - 6)


@pytest.fixture
def while_embedding(monkeypatch):
    """Does something once, in the middle of the next embedding of corrections: the moment that races are about."""
    real, waiting = stage_module._embed, []

    def embed(model, corrections):
        embeddings = real(model, corrections)
        if waiting:
            waiting.pop()()
        return embeddings

    monkeypatch.setattr(stage_module, "_embed", embed)
    return waiting.append


def test_what_is_said_in_the_middle_of_a_swap_holds_after_it(bundles, stage, while_embedding):
    stage.remember([Correction("f1", "thanks", ("praise",)), Correction("f2", "谢谢你", ("praise",))])

    def meanwhile() -> None:
        stage.remember([Correction("f3", "parcel not here", ("lost_parcel",))])
        stage.forget(["f1"])

    while_embedding(meanwhile)
    stage.swap(list(bundles.values())[1])
    reasons = [answer.reason == "memory" for answer in ask(stage, "thanks", "谢谢你", "parcel not here").answers]
    assert reasons == [False, True, True] and stage.n_corrections == 2


def test_a_correction_that_a_swap_overtakes_is_embedded_by_the_new_model(bundles, stage, while_embedding):
    one, two = (load_bundle(folder).scores(["parcel not here"])[0][0] for folder in bundles.values())
    assert one @ two < 0.9999
    while_embedding(lambda: stage.swap(list(bundles.values())[1]))
    stage.remember([Correction("f1", "parcel not here", ("lost_parcel",))])
    recall = stage._live().memory.recall("another text", two, threshold=0.9)
    assert recall is not None and recall.similarity > 0.99999


def test_thresholds_come_with_the_bundle(tmp_path, tiny_backbone):
    strict = Thresholds(answer=0.999, max_error_rate=0.01, expected_answer_rate=0.1, expected_error_rate=0.01)
    stage = Stage("support")
    make_bundle(tmp_path / "strict", tiny_backbone, thresholds=strict)
    stage.swap(tmp_path / "strict")
    assert {answer.decision for answer in ask(stage, *TEXTS).answers} == {"hand_over"}


# ---------------------------------------------------------------------------------------------- a challenger beside it


def ask_by(stage: Stage, model_id: str, *texts: str):
    return stage.ask([{"text": text} for text in texts], then=lambda said: said, model_id=model_id).result()


def test_a_challenger_answers_where_it_is_named_with_the_same_memory_and_nowhere_else(bundles):
    (first, one), (second, two) = bundles.items()
    stage = Stage("support")
    with pytest.raises(NoChampion):
        stage.challenge(two)
    stage.swap(one)
    stage.remember([Correction("f1", "thanks", ("praise",))])
    assert stage.challenge(two) == second == stage.challenger_id
    assert ask(stage, *TEXTS).model_id == first
    said = ask_by(stage, second, *TEXTS, "thanks")
    assert said.model_id == second and said.answers[-1].label == "praise"
    stage.remember([Correction("f2", "谢谢你", ("praise",))])
    assert ask_by(stage, second, "谢谢你").answers[0].label == "praise"
    stage.forget(["f2"])
    assert ask_by(stage, second, "谢谢你").answers[0].reason != "memory"
    stage.end_challenge()
    assert stage.challenger_id is None and ask_by(stage, second, "x").model_id == first


def test_a_challenger_goes_live_without_being_loaded_and_the_old_champion_is_kept_for_a_roll_back(bundles, monkeypatch):
    (first, one), (second, two) = bundles.items()
    stage = Stage("support")
    stage.swap(one)
    stage.challenge(two)
    stage.remember([Correction("f1", "thanks", ("praise",))])
    monkeypatch.setattr(stage_module, "load_bundle", None)  # nothing may be loaded from here on
    assert stage.swap(two) == second == stage.model_id and stage.challenger_id is None
    assert ask(stage, "thanks").answers[0].label == "praise"
    assert stage.swap(one) == first == stage.model_id


def test_two_models_are_in_memory_and_never_three(bundles):
    (first, one), (second, two) = bundles.items()
    stage = Stage("support")
    stage.swap(one)
    stage.swap(two)
    assert stage.challenge(one) == first  # it was there still
    assert stage._previous is None
    stage.swap(two)
    assert (stage.model_id, stage.challenger_id, stage._previous) == (second, first, None)


def test_a_damaged_challenger_leaves_champion_and_challenger_as_they_are(bundles, stage, tmp_path):
    (_, _), (second, two) = bundles.items()
    stage.challenge(two)
    before = ask(stage, *TEXTS)
    broken = tmp_path / "broken"
    shutil.copytree(two, broken)
    (broken / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleDamaged):
        stage.challenge(broken)
    assert (ask(stage, *TEXTS), stage.challenger_id) == (before, second)

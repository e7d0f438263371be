"""What is loaded is what was sealed, it answers as the head says, and it needs neither torch nor scikit-learn."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import feilun
from feilun.models.bundle import BundleDamaged, BundleMissing, read_manifest, write_manifest
from feilun.serve.engine import load_bundle
from tests.bundles import LABELS, MESSAGES

TEXTS = [text for texts in MESSAGES.values() for text in texts]


def test_probs_are_the_head_on_the_embeddings(bundles):
    model_id, folder = next(iter(bundles.items()))
    model = load_bundle(folder)
    embeddings, logits, probs = model.scores(TEXTS)
    network = load_file(folder.with_name(f"{folder.name}-train") / "network.safetensors")
    expected = embeddings @ network["head.weight"].T + network["head.bias"]
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    scaled = np.exp(expected / 1.5)  # the temperature in the bundle
    np.testing.assert_allclose(probs, scaled / scaled.sum(axis=1, keepdims=True), atol=1e-4)
    assert (model.model_id, model.labels, model.temperature) == (model_id, LABELS, 1.5)
    assert embeddings.shape == (len(TEXTS), model.n_hidden)


def test_answers_are_the_labels_it_was_taught(bundles):
    model = load_bundle(next(iter(bundles.values())))
    answers = model.predict([{"text": text} for text in TEXTS])
    assert [answer.label for answer in answers] == [label for label, texts in MESSAGES.items() for _ in texts]
    assert {answer.decision for answer in answers} <= {"answer", "hand_over"}
    assert model.predict([]) == []


@pytest.mark.parametrize(
    "text", ["", " ", "🙂" * 50, "x" * 10_000, "ＷＨＥＲＥ　ＩＳ", "\ud800", "a\x00b", "我要refund🙂"],
    ids=["empty", "blank", "emoji", "long", "full-width", "surrogate", "nul", "mixed"],
)  # fmt: skip
def test_every_text_gets_an_answer(bundles, text):
    (answer,) = load_bundle(next(iter(bundles.values()))).predict([{"text": text}])
    assert answer.label in LABELS and 0 <= answer.confidence <= 1


def test_what_is_damaged_or_missing_is_never_loaded(bundles, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(next(iter(bundles.values())), folder)
    whole = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BundleDamaged, match=r"model\.onnx"):
        load_bundle(folder)
    with pytest.raises(BundleMissing):
        load_bundle(tmp_path / "nowhere")


def test_a_graph_that_does_not_fit_its_labels_is_refused(bundles, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(next(iter(bundles.values())), folder)
    write_manifest(folder, read_manifest(folder).model_copy(update={"labels": ("refund", "delivery")}))
    with pytest.raises(BundleDamaged) as refused:
        load_bundle(folder)
    assert refused.value.fields["what"] == "not_this_model"


BLOCKED = """
import sys, tempfile, pathlib

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "sklearn", "transformers", "scipy", "pandas"}:
            raise ImportError(f"{name} is not part of the light install")

sys.meta_path.insert(0, Blocked())
from feilun.serve.engine import Correction, Stage

stage = Stage("support")
stage.remember([Correction("f1", "parcel", ("lost_parcel",))])
stage.swap(pathlib.Path(sys.argv[1]))
served = stage.predict([{"text": "我要退款"}, {"text": "Parcel"}])
print(served.model_id, *(answer.label for answer in served.answers))
"""


def test_the_light_install_loads_predicts_and_remembers(bundles):
    model_id, folder = next(iter(bundles.items()))
    source = str(Path(feilun.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(folder)],
        env={"PYTHONPATH": source, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, [model_id, "refund", "lost_parcel"]), done.stderr

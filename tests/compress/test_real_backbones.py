"""On the default backbones and real messages: a quarter of the size or less, the same answers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from feilun.compress import compress
from feilun.models import embedder
from feilun.records import Dataset, Example, TrainResult
from feilun.tasks import example_id, get_task
from tests.bundles import settings_of

SAMPLES = Path(__file__).parents[2] / "samples"


def rows_of(path: Path, n: int) -> tuple[Example, ...]:
    """n rows of a sample file, evenly spread over it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    picked = [rows[i] for i in np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int)]
    return tuple(Example(example_id(r["text"]), {"text": r["text"]}, (r["label"],), source=path.name) for r in picked)


@pytest.mark.backbone
@pytest.mark.parametrize(
    ("language", "sample", "most_mb"),
    [("en", "banking77", 25), ("zh", "massive-zh-cn", 46)],
    ids=["en", "zh"],
)
def test_int8_of_a_default_backbone_says_what_float_says(tmp_path, request, language, sample, most_mb):
    backbone = request.getfixturevalue({"en": "english_backbone", "zh": "chinese_backbone"}[language])
    project = {"name": "support", "language": language}
    settings = settings_of(project=project, backbone={"max_tokens": 64}, compress={"tolerance": 0.02})
    task = get_task(settings.task)
    train, holdout = rows_of(SAMPLES / sample / "start.csv", 400), rows_of(SAMPLES / sample / "holdout.csv", 300)
    labels = task.label_space(train)
    dataset = Dataset("d_sample", train=train, holdout=holdout, labels=labels)
    encoder = embedder(backbone, max_tokens=64)
    embeddings, _ = encoder.run([task.text_of(example.inputs) for example in train])
    del encoder
    weight, bias = task.fit_head(embeddings, task.encode_targets(train, labels), c=30.0, sample_weight=None, seed=0)
    save_file({"head.weight": weight, "head.bias": bias}, tmp_path / "network.safetensors")
    result = TrainResult(folder=tmp_path, labels=labels, leaderboard=(), seed=0)

    report = compress(result, backbone, dataset, settings, task=task, folder=tmp_path / "bundle")
    assert (report.precision, report.n_rows) == ("int8", 300)
    assert report.size_mb < most_mb and report.size_mb < 0.31 * report.float_size_mb
    assert report.float_accuracy > 0.5  # the messages are really understood, so agreement means something
    assert report.agreement >= 0.95
    assert (report.n_pieces < report.n_pieces_all / 4) == (language == "zh")
    assert report.float_accuracy - report.shipped_accuracy <= 0.02

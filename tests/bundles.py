"""Bundles for tests: a small network, compressed and sealed as a turn would, without a training run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from feilun.compress import compress, seal
from feilun.config import FeilunSettings
from feilun.models import Encoder, build_graph, read_config, read_tensors
from feilun.project import Project
from feilun.records import (
    Backbone,
    Calibration,
    Dataset,
    Example,
    Interval,
    Manifest,
    ParityReport,
    Report,
    Thresholds,
    TrainResult,
)
from feilun.tasks import example_id, get_task

MESSAGES = {
    "refund": ["i want a refund", "我要退款", "refund my order", "请把钱退给我", "cancel the order and refund"],
    "delivery": ["where is my parcel", "我的包裹在哪里", "delivery is late", "快递还没到", "parcel not here"],
    "thanks": ["thanks", "谢谢你", "thanks a lot", "非常感谢", "thanks my order is here"],
}
LABELS = tuple(sorted(MESSAGES))


def settings_of(**tables: dict[str, object]) -> FeilunSettings:
    """Settings of a project called "support" with these tables changed."""
    return FeilunSettings.model_validate({"project": {"name": "support", "language": "multi"}, **tables})


def dataset_of(messages: dict[str, list[str]] = MESSAGES) -> Dataset:
    """Every message once in train and once in the holdout: enough for what is compared here."""
    rows = tuple(
        Example(example_id(text), {"text": text}, (label,), source="messages.csv")
        for label, texts in messages.items()
        for text in texts
    )
    return Dataset("d_test", train=rows, holdout=rows, labels=tuple(sorted(messages)))


def network_of(folder: Path, backbone: Backbone, *, seed: int = 0, dataset: Dataset | None = None) -> TrainResult:
    """A head fitted on the embeddings of the dataset, and one tuned tensor, as training leaves them behind."""
    dataset = dataset or dataset_of()
    rng = np.random.default_rng(seed)
    tensors = read_tensors(backbone.folder)
    tuned = "encoder.layer.1.output.dense.bias"
    changed = {tuned: tensors[tuned] + 0.05 * rng.standard_normal(tensors[tuned].shape).astype(np.float32)}
    graph = build_graph(read_config(backbone.folder), {**tensors, **changed}, pooling="mean")
    encoder = Encoder(graph.SerializeToString(), backbone.folder / "tokenizer.json", max_tokens=32)
    task = get_task(settings_of().task)
    embeddings, _ = encoder.run([task.text_of(example.inputs) for example in dataset.train])
    weight, bias = task.fit_head(
        embeddings, task.encode_targets(dataset.train, dataset.labels), c=100.0, sample_weight=None, seed=seed
    )
    folder.mkdir(parents=True, exist_ok=True)
    save_file({**changed, "head.weight": weight, "head.bias": bias}, folder / "network.safetensors")
    return TrainResult(folder=folder, labels=dataset.labels, leaderboard=(), seed=seed)


def report_of(parity: ParityReport, backbone: Backbone, *, thresholds: Thresholds | None = None) -> Report:
    """A report as evaluation would write it, with honest placeholders for what is not under test."""
    some = Interval(value=0.9, low=0.8, high=1.0)
    return Report(
        turn_id="t_test",
        dataset_id="d_test",
        config_hash="c" * 64,
        code_version="0.1.0",
        seed=0,
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        task="classify",
        n_train=15,
        n_holdout=15,
        n_classes=3,
        metrics={"accuracy": some},
        calibration=Calibration(temperature=1.5, ece_before=0.1, ece_after=some),
        thresholds=thresholds
        or Thresholds(answer=0.4, max_error_rate=0.05, expected_answer_rate=0.9, expected_error_rate=0.04, memory=0.95),
        parity=parity,
        backbone=backbone.info,
    )


def make_bundle(
    folder: Path,
    backbone: Backbone,
    *,
    seed: int = 0,
    task: dict[str, object] | None = None,
    thresholds: Thresholds | None = None,
    messages: dict[str, list[str]] = MESSAGES,
) -> tuple[str, Manifest]:
    """A sealed bundle in `folder` that has learnt `messages`; different seeds give different models."""
    settings = settings_of(compress={"tolerance": 0.99}, backbone={"max_tokens": 32}, task=task or {})
    task_, dataset = get_task(settings.task), dataset_of(messages)
    result = network_of(folder.with_name(f"{folder.name}-train"), backbone, seed=seed, dataset=dataset)
    parity = compress(result, backbone, dataset, settings, task=task_, folder=folder)
    # Latency is measured, so it differs from run to run; a fixed one makes bundles of one seed equal.
    parity = parity.model_copy(update={"p50_ms": 1.0, "p99_ms": 2.0})
    return seal(
        folder,
        report=report_of(parity, backbone, thresholds=thresholds),
        report_text={"en": "Good on refunds.", "zh": "退款类表现良好。"},
        settings=settings,
        task=task_,
        labels=result.labels,
        backbone=backbone.info,
        lineage={"turn_id": "t_test", "code_version": "0.1.0"},
    )


def place_bundles(folder: Path, bundles: Iterable[tuple[str, Path]], *, settings: str) -> Path:
    """A project in `folder` that has these models, by id and folder, and of which the first one answers."""
    (folder / ".feilun").mkdir(parents=True)  # a workspace of its own, whatever lies above
    (folder / "feilun.toml").write_text(settings, "utf-8")
    placed = list(bundles)
    with Project(folder) as project:
        for model_id, bundle in placed:
            shutil.copytree(bundle, project.store.model_path(model_id))
            report = json.loads((bundle / "report.json").read_text("utf-8"))
            words = {"model_id": model_id, "turn_id": "t", "dataset_id": "d"}
            project.store.add_model(project.name, report=report, size_mb=1.0, **words)
        project.promote(placed[0][0], actor="ann")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}

"""Arrays as training and the shipped graph would leave them, drawn so that confidence means something."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from feilun.config import EvaluateSettings, TaskSettings
from feilun.evaluate import Judgement, ValidationArrays, judge
from feilun.records import BackboneInfo, CandidateResult, Example, ParityReport, Report
from feilun.tasks import Task, get_task

LABELS = ("card", "cash", "pin", "refund")
SETTINGS = EvaluateSettings(n_bootstrap=200)


def classify(**settings: Any) -> Task:
    return get_task(TaskSettings(**settings))


def examples(targets: list[tuple[str, ...] | None]) -> list[Example]:
    return [Example(f"e{i}", {"text": f"t{i}"}, target, "made") for i, target in enumerate(targets)]


def drawn(
    n: int, *, rng: np.random.Generator, n_classes: int = 4, signal: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, n_classes) and the classes (n,); a stronger signal is a better model."""
    gold = rng.integers(0, n_classes, n)
    logits = rng.normal(size=(n, n_classes))
    logits[np.arange(n), gold] += signal * rng.random(n)
    return logits.astype(np.float32), gold


def validation(n: int, *, rng: np.random.Generator, signal: float = 3.0, n_outside: int = 0) -> ValidationArrays:
    logits, gold = drawn(n, rng=rng, signal=signal)
    targets = np.eye(4, dtype=np.float32)[gold]
    outside = np.arange(n) < n_outside
    logits[outside] = rng.normal(scale=0.3, size=(n_outside, 4))
    targets[outside] = 0
    return ValidationArrays(logits, targets, outside)


def judged(n: int = 300, *, seed: int = 0, **changes: Any) -> Judgement:
    """A judgement of a plausible model on n holdout rows."""
    rng = np.random.default_rng(seed)
    logits, gold = drawn(n, rng=rng)
    arguments: dict[str, Any] = {
        "task": classify(),
        "labels": LABELS,
        "settings": SETTINGS,
        "validation": validation(400, rng=rng),
        "holdout": examples([(LABELS[g],) for g in gold]),
        "holdout_logits": logits,
        "champion": None,
        "seed": 0,
    } | changes
    # logits are linear in the embedding, so that scaled to unit length they are embeddings of a kind
    lengths = np.linalg.norm(arguments["holdout_logits"], axis=1, keepdims=True)
    embeddings = arguments["holdout_logits"] / np.maximum(lengths, 1e-6)
    return judge(**({"holdout_embeddings": embeddings} | arguments))


def report_of(judgement: Judgement, **changes: Any) -> Report:
    fields: dict[str, Any] = {
        **dict(judgement),
        "model_id": "m2",
        "turn_id": "t2",
        "dataset_id": "d2",
        "config_hash": "c2",
        "code_version": "0.1.0",
        "seed": 7,
        "created_at": datetime(2026, 11, 1, tzinfo=UTC),
        "task": "classify",
        "n_train": 400,
        "n_holdout": 300,
        "n_classes": 4,
        "parity": ParityReport(
            n_rows=200,
            float_accuracy=0.8,
            shipped_accuracy=0.795,
            agreement=0.99,
            max_logit_difference=0.1,
            precision="int8",
            size_mb=23.4,
            float_size_mb=90.9,
            p50_ms=4.2,
            p99_ms=9.8,
        ),
        "leaderboard": (
            CandidateResult(method="probe", params={"c": 10.0}, validation={"accuracy": 0.8}, cpu_s=1.5, chosen=True),
            CandidateResult(method="tune", status="skipped", note_en="torch is missing", note_zh="缺少 torch"),
        ),
        "backbone": BackboneInfo(
            alias="tiny", fingerprint="f" * 64, source="dir:/tiny", licence="Apache-2.0", languages=("en",)
        ),
    }
    return Report(**(fields | changes))

"""One fit, in the process that is measured: Feilun's rungs, and the baselines that need nothing but scikit-learn."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import cost_since, judged
from sets import judging_rows, other_texts, teaching_rows

Fit = tuple[Callable[[list[str]], np.ndarray], Sequence[str], str]
"""Texts -> logits (n, n_classes), the class of each column, and what was chosen."""

RUNGS: dict[str, dict[str, Any]] = {
    "probe": {"tune": {"enabled": False}, "full": {"enabled": False}},
    "tune": {"probe": {"enabled": False}, "full": {"enabled": False}},
    "chosen": {},
    "pool": {},
}
RUNGS["probe+pool"] = RUNGS["probe"]
TFIDF: dict[str, list[dict[str, Any]]] = {
    "en": [{"analyzer": "word", "ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 4)}],
    "zh": [{"analyzer": "char", "ngram_range": (1, 2)}],
}
"""Words, pairs of them and parts of words; Chinese has no spaces, so there characters and pairs. The best of a few on
SIB-200's dev files and on left-over training rows of BANKING77, SNIPS and MASSIVE, as is TFIDF_C."""
OUTSIDE = "out of scope"
TFIDF_C = 10.0
"""TF-IDF rows are short and sparse: scikit-learn's C = 1 leaves them far behind."""


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Fit the job's method on its teaching rows, say what it cost, then judge it."""
    started = time.monotonic()
    backbone = None if job["method"] == "tfidf" else find_backbone(job)
    texts, labels = teaching_rows(job)
    fit = {"baseline": _fit_baseline, "tfidf": _fit_tfidf}.get(job["method"], _fit_feilun)
    answer, names, detail = fit(job, backbone, texts, labels)
    cost = {**cost_since(started), "n_rows": len(texts), "detail": detail}
    test_texts, test_labels = judging_rows(job)
    given = [names[i] for i in answer(test_texts).argmax(axis=1)]
    return {**judged(test_labels, given), **cost}


def find_backbone(job: dict[str, Any]) -> Any:
    """The job's backbone out of the cache; fetched first when it is not there."""
    from feilun.models import pull, resolve
    from feilun.models.errors import ModelMissing

    try:
        return resolve(job["backbone"], language=job["language"])
    except ModelMissing:
        return pull(job["backbone"], language=job["language"])


def _fit_baseline(job: dict[str, Any], backbone: Any, texts: list[str], labels: list[str]) -> Fit:
    from sklearn.linear_model import LogisticRegression

    from feilun.models import embedder

    encoder = embedder(backbone, max_tokens=128)
    model = LogisticRegression(max_iter=1000, random_state=job["seed"]).fit(encoder.run(texts)[0], labels)
    return (lambda some: _columns(model.decision_function(encoder.run(some)[0]))), model.classes_, "LR C=1"


def _fit_tfidf(job: dict[str, Any], backbone: None, texts: list[str], labels: list[str]) -> Fit:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    head = LogisticRegression(C=TFIDF_C, max_iter=1000, random_state=job["seed"])
    features = make_union(*(TfidfVectorizer(**kind, sublinear_tf=True) for kind in TFIDF[job["language"]]))
    model = make_pipeline(features, head).fit(texts, labels)
    return (lambda some: _columns(model.decision_function(some))), model.classes_, f"TF-IDF, LR C={TFIDF_C:g}"


def _columns(scores: np.ndarray) -> np.ndarray:
    """scikit-learn gives one column for two classes: positive means the second."""
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def _fit_feilun(job: dict[str, Any], backbone: Any, texts: list[str], labels: list[str]) -> Fit:
    others = other_texts(job) if "pool" in job["method"] else []
    result, answer = train_ours(job, backbone, (texts, labels), settings=RUNGS[job["method"]], unlabelled=others)
    chosen = next(line for line in result.leaderboard if line.chosen)
    return answer, result.labels, f"{chosen.method} {json.dumps(chosen.params)}"


def train_ours(
    job: dict[str, Any],
    backbone: Any,
    labelled: tuple[Sequence[str], Sequence[str]],
    *,
    settings: dict[str, Any],
    unlabelled: Sequence[str] = (),
    outside: Sequence[str] = (),
) -> tuple[Any, Callable[[list[str]], np.ndarray]]:
    """`feilun.train.train` on texts and their labels: its result, and how the float graph of it answers.

    Args:
        settings: the table [train].
        outside: texts that belong to no class, to learn from as such.
    """
    from feilun.compress.export import export_float, read_network
    from feilun.config import FeilunSettings
    from feilun.models import Encoder
    from feilun.records import Dataset, Example
    from feilun.tasks import get_task
    from feilun.train import train

    known = FeilunSettings.model_validate(
        {
            "project": {"name": "benchmark"},
            "train": settings,
            "task": {"out_of_scope_label": OUTSIDE if outside else ""},
        }
    )
    rows = [*zip(*labelled, strict=True), *((text, OUTSIDE) for text in outside)]
    examples = tuple(Example(str(i), {"text": t}, (label,), "train.csv", row=i) for i, (t, label) in enumerate(rows))
    others = tuple(Example(f"u{i}", {"text": text}, None, "train.csv", row=i) for i, text in enumerate(unlabelled))
    dataset = Dataset("benchmark", examples, (), others, tuple(sorted(set(labelled[1]))))
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            dataset,
            backbone,
            known,
            task=get_task(known.task),
            workdir=Path(folder),
            budget_s=job["budget_s"],
            seed=job["seed"],
        )
        network = read_network(result, backbone)

    def answer(some: list[str]) -> np.ndarray:
        encoder = Encoder(
            export_float(network).SerializeToString(),
            backbone.folder / "tokenizer.json",
            max_tokens=known.backbone.max_tokens,
            prefix=backbone.info.prefix,
        )
        logits = encoder.run(some)[1]
        assert logits is not None
        return logits

    return result, answer

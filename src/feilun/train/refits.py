"""Refits of the probe on parts of the training rows: what a learning curve is drawn from. Seconds, and no torch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feilun.config import FeilunSettings
from feilun.network.budget import n_threads
from feilun.records import Backbone, Dataset
from feilun.tasks import Task
from feilun.train.cache import EmbeddingCache
from feilun.train.candidate import Fitted
from feilun.train.folds import plan_folds, stratified_order
from feilun.train.probe import Probe
from feilun.train.rows import TrainingRows, collect_rows

if TYPE_CHECKING:
    from feilun.models import Encoder

FRACTIONS = (0.25, 0.4, 0.55, 0.75, 1.0)
"""Shares of a fold's training side that are learnt from."""
N_FOLDS = 5
N_REPEATS = 2
MOST_PRODUCTS = 1_000_000_000
"""Rows x hidden units x classes, over all refits: about ten seconds of one core. Work is counted instead of timed, so
that the same data give the same curve on every machine."""
MOST_HELD = 500
"""Rows of the holdout that judge too; more would cost embeddings and hardly sharpen the curve."""
MOST_ROWS = 12_000
"""More rows are not embedded for a curve; it is then drawn from a stratified part of them."""


def refit(
    dataset: Dataset,
    backbone: Backbone,
    settings: FeilunSettings,
    *,
    task: Task,
    cache_dir: Path,
    seed: int,
) -> dict[str, np.ndarray]:
    """Fit the probe on growing parts of the training rows, each judged on rows it has not seen: those of the fold that
    was left out, and those of the holdout, from which nothing is chosen here.

    The backbone stays frozen: an embedding that was tuned on the rows would make the curve too steep. Rows that are out
    of scope take no part.

    Returns:
        n_labels: (k,) mean number of examples learnt from, ascending. logits: (k, m, c) float32, each of the m
        judgements once for each size. targets: (m, c) uint8. rows: (m,) int64, which row each judgement is of: training
        rows are numbered from 0, rows of the holdout go on after them. is_held: (m,) bool, those of the holdout.
        n_train: (c,) int64 examples of each class. m is 0 when the examples are too few to be cut into folds.
    Raises:
        NothingToLearn: fewer than two classes have a row.
        ModelMissing: a text is not embedded yet and the backbone is not on this machine.
    """
    outside = settings.task.out_of_scope_label
    inside = replace(dataset, train=tuple(e for e in dataset.train if not outside or e.target != (outside,)))
    rows = collect_rows(inside, settings.train, task=task)
    if rows.n_examples > MOST_ROWS:
        chosen = np.zeros(len(rows.texts), dtype=bool)
        chosen[stratified_order(rows.targets[: rows.n_examples], seed=seed)[:MOST_ROWS]] = True
        chosen[rows.name_rows] = True
        rows = rows.keep(chosen)
    known = set(rows.labels)
    held = [e for e in dataset.holdout if e.target is not None and known.issuperset(e.target)]
    if len(held) > MOST_HELD:
        held = [held[i] for i in np.random.default_rng([seed, 2]).permutation(len(held))[:MOST_HELD]]
    texts = [*rows.texts, *(task.text_of(example.inputs) for example in held)]
    embeddings = _embed(texts, backbone, settings, cache_dir=cache_dir)
    return refit_rows(
        rows,
        embeddings[: len(rows.texts)],
        task=task,
        c=settings.train.probe.c[0],
        seed=seed,
        held=(embeddings[len(rows.texts) :], task.encode_targets(held, rows.labels)),
    )


def refit_rows(
    rows: TrainingRows,
    embeddings: np.ndarray,
    *,
    task: Task,
    c: float,
    seed: int,
    held: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """The same on embedded rows.

    Args:
        c: inverse regularisation strength of the probe.
        held: embeddings and targets of the holdout's rows; None means that the folds alone judge.
    """
    n_classes = len(rows.labels)
    held_on, held_targets = held or (embeddings[:0], np.zeros((0, n_classes)))
    held_numbers = rows.n_examples + np.arange(len(held_on))
    candidate = Probe(embeddings, rows, task=task, c=c, seed=seed)
    shares = _affordable(rows, embeddings)
    judged: list[np.ndarray] = []
    logits: list[np.ndarray] = []
    sizes: list[list[int]] = []
    left = float(MOST_PRODUCTS)
    for repeat in range(N_REPEATS):
        plan = plan_folds(rows, n_folds=N_FOLDS, seed=seed + 1000 * repeat)
        for train, fold in plan.folds:
            parts = _parts(train[train < rows.n_examples], rows, shares, seed=seed + 1000 * repeat)
            cost = float(sum(len(part) + len(rows.name_rows) for part in parts)) * _width(rows, embeddings)
            if judged and cost > left:
                break
            left -= cost
            fits = [_fit(candidate, np.concatenate([part, rows.name_rows])) for part in parts]
            logits.append(np.stack([_answers(fitted, fold, held_on) for fitted in fits]))
            sizes.append([len(part) for part in parts])
            judged.append(np.concatenate([fold, held_numbers]))
    numbers = np.concatenate(judged) if judged else np.empty(0, dtype=np.int64)
    targets = np.concatenate([rows.targets[: rows.n_examples], held_targets])
    return {
        "n_labels": np.mean(sizes, axis=0) if sizes else np.zeros(len(shares)),
        "logits": np.concatenate(logits, axis=1) if logits else np.zeros((len(shares), 0, n_classes), np.float32),
        "targets": targets[numbers].astype(np.uint8),
        "rows": numbers,
        "is_held": numbers >= rows.n_examples,
        "n_train": rows.targets[: rows.n_examples].sum(axis=0).astype(np.int64),
    }


def _answers(fitted: Fitted, fold: np.ndarray, held_on: np.ndarray) -> np.ndarray:
    """Logits of the fold's rows, then of the holdout's."""
    held = held_on @ fitted.weight.T + fitted.bias
    return np.concatenate([fitted.logits(fold), held.astype(np.float32)])


def _fit(candidate: Probe, some: np.ndarray) -> Fitted:
    with warnings.catch_warnings():
        # One row a class and its name: scikit-learn asks whether this is a regression. It is not.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater", category=UserWarning)
        return candidate.fit(some, fold=0, time_limit_s=np.inf)


def _parts(train: np.ndarray, rows: TrainingRows, shares: np.ndarray, *, seed: int) -> list[np.ndarray]:
    """Nested stratified parts of the examples in `train`, at least two rows each."""
    order = train[stratified_order(rows.targets[train], seed=seed)]
    return [order[: max(2, round(share * len(order)))] for share in shares]


def _affordable(rows: TrainingRows, embeddings: np.ndarray) -> np.ndarray:
    """FRACTIONS, scaled down where one fold of them would take more than half of all the work."""
    fold_rows = rows.n_examples * (1 - 1 / N_FOLDS) * sum(FRACTIONS)
    return np.array(FRACTIONS) * min(1.0, 0.5 * MOST_PRODUCTS / max(fold_rows * _width(rows, embeddings), 1.0))


def _width(rows: TrainingRows, embeddings: np.ndarray) -> float:
    """Products for each row of a fit."""
    return float(embeddings.shape[1] * len(rows.labels))


def _embed(texts: Sequence[str], backbone: Backbone, settings: FeilunSettings, *, cache_dir: Path) -> np.ndarray:
    """(n, n_hidden) float32 by the frozen backbone, which is only loaded when a text has never been embedded."""
    encoders: list[Encoder] = []

    def run(some: Sequence[str]) -> np.ndarray:
        from feilun.models import embedder

        if not encoders:
            encoders.append(embedder(backbone, max_tokens=settings.backbone.max_tokens, threads=n_threads()))
        return encoders[0].run(some)[0]

    cache = EmbeddingCache(cache_dir, backbone, max_tokens=settings.backbone.max_tokens)
    return cache.embed(texts, run=run)[0]

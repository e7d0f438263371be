"""What a candidate learns from: the labelled examples, then what names and descriptions say of the classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from feilun.config import TrainSettings
from feilun.records import Dataset
from feilun.tasks import Task
from feilun.train.errors import NothingToLearn

IMBALANCED = 3.0
"""From this ratio of the largest class to the smallest on, it may matter how classes are weighed."""
MAX_CLASS_WEIGHT = 10.0
"""The rarest class counts at most so many times the average one; beyond that a handful of rows would rule the fit."""


@dataclass(frozen=True)
class TrainingRows:
    """Rows [0, n_examples) are training examples in the order of the dataset; then names and descriptions of classes.

    texts: n of them; targets: (n, n_classes) float32 of 0 and 1; weights: (n,) float32, mean 1;
    places: (n_examples,) int64, where each example stands in Dataset.train.
    """

    texts: list[str]
    targets: np.ndarray
    weights: np.ndarray
    labels: tuple[str, ...]
    places: np.ndarray

    @property
    def n_examples(self) -> int:
        """Examples among the rows."""
        return len(self.places)

    @property
    def name_rows(self) -> np.ndarray:
        """The rows of names and descriptions: knowledge, not data, so they are on the training side of every fold."""
        return np.arange(self.n_examples, len(self.texts))

    @property
    def is_imbalanced(self) -> bool:
        """Whether the largest class has `IMBALANCED` times the examples of the smallest."""
        counts = self.targets[: self.n_examples].sum(axis=0)
        return bool(counts.max(initial=0) >= IMBALANCED * counts[counts > 0].min(initial=np.inf))

    def balanced(self) -> TrainingRows:
        """The same rows, rare classes weighed up."""
        weights = self.weights.copy()
        weights[: self.n_examples] *= _class_weights(self.targets[: self.n_examples])
        return replace(self, weights=weights / weights.mean())

    def keep(self, wanted: np.ndarray) -> TrainingRows:
        """Only the rows for which `wanted` (n,) is true."""
        kept = np.flatnonzero(wanted)
        return TrainingRows(
            texts=[self.texts[row] for row in kept],
            targets=self.targets[kept],
            weights=self.weights[kept],
            labels=self.labels,
            places=self.places[wanted[: self.n_examples]],
        )


def collect_rows(dataset: Dataset, settings: TrainSettings, *, task: Task) -> TrainingRows:
    """The training rows of a dataset.

    Raises:
        NothingToLearn: fewer than two classes have a labelled row.
        UnknownDescribed: [task.descriptions] speaks of a label that no row has.
    """
    examples = dataset.train
    labels = dataset.labels or task.label_space(examples)
    targets = task.encode_targets(examples, labels)
    n_seen = int((targets.sum(axis=0) > 0).sum()) if len(examples) else 0
    if n_seen < 2:
        raise NothingToLearn(n_examples=len(examples), n_classes=n_seen)
    texts = [task.text_of(example.inputs) for example in examples]
    weights = np.array([example.weight for example in examples], dtype=np.float32)
    names = _teaching_names(task.label_texts(labels)) if settings.probe.label_names else []
    names += [(column, said) for column, said in enumerate(task.label_descriptions(labels)) if said]
    texts += [name for _, name in names]
    columns = [column for column, _ in names]
    targets = np.concatenate([targets, np.eye(len(labels), dtype=np.float32)[columns]])
    weights = np.concatenate([weights, np.ones(len(columns), dtype=np.float32)])
    weights /= weights.mean()
    rows = TrainingRows(
        texts=texts, targets=targets, weights=weights, labels=tuple(labels), places=np.arange(len(examples))
    )
    return rows.balanced() if settings.class_weight == "balanced" else rows


def _class_weights(targets: np.ndarray) -> np.ndarray:
    """(n,) weight of each row: inverse to the size of its rarest class, 1 for rows without a class."""
    counts = targets.sum(axis=0)
    average = counts[counts > 0].mean()
    per_class = np.clip(average / np.maximum(counts, 1), 1 / MAX_CLASS_WEIGHT, MAX_CLASS_WEIGHT)
    weights = (targets * per_class).max(axis=1)
    return np.where(weights > 0, weights, 1.0).astype(np.float32)


def _teaching_names(names: list[str]) -> list[tuple[int, str]]:
    """(class, name) of the names that say something: '3' and 'A' teach nothing, '退款' and 'refund' do."""
    return [(column, name) for column, name in enumerate(names) if _says_something(name)]


def _says_something(name: str) -> bool:
    letters = [c for c in name if c.isalpha()]
    return len(letters) > 2 or any(not c.isascii() for c in letters)

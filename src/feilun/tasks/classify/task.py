"""The classify task: what a row, a head, a loss, a metric and an answer are when messages are sorted into classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from feilun.config import TaskSettings
from feilun.errors import FeilunError
from feilun.records import Answer, Example, Thresholds
from feilun.tasks.classify.head import fit_linear
from feilun.tasks.classify.measure import classification_metrics, resampled_classification_metrics

N_ALTERNATIVES = 3
SCOPE_POWER = 0.3
"""Smaller powers tell strange messages (small talk, other trades) better, larger ones those next to a class."""
_WORD_BREAKS = re.compile(r"[_\-./:]+|(?<=[a-z])(?=[A-Z])")


class UnknownDescribed(FeilunError):
    """[task.descriptions] describes a label that no message carries."""

    code, kind = "task.unknown_described", "invalid"
    en = (
        "[task.descriptions] describes {labels}, which no message carries. Did you mean {guess!r}? "
        "Correct the name, or add messages."
    )
    zh = (
        "[task.descriptions] 描述了 {labels}，但没有任何消息带有该标签。是否想写 {guess!r}？"
        "请改正名称，或补充这类消息。"
    )


class ClassifyTask:
    """One label (softmax) or several (sigmoid) per message; see `feilun.tasks.base.Task` for the promises."""

    name = "classify"

    def __init__(self, settings: TaskSettings) -> None:
        self.settings = settings

    # rows

    def inputs_from(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def text_of(self, inputs: dict[str, Any]) -> str:
        return str(inputs["text"])

    def parse_target(self, cell: str) -> tuple[str, ...] | None:
        cell = cell.strip()
        if not cell:
            return None
        if not self.settings.multi_label:
            return (cell,)
        parts = (part.strip() for part in cell.split(self.settings.label_separator))
        return tuple(sorted({part for part in parts if part}))

    def label_space(self, examples: Sequence[Example]) -> tuple[str, ...]:
        outside = self.settings.out_of_scope_label
        return tuple(sorted({label for e in examples for label in e.target or () if label != outside}))

    def encode_targets(self, examples: Sequence[Example], labels: Sequence[str]) -> np.ndarray:
        column = {label: i for i, label in enumerate(labels)}
        targets = np.zeros((len(examples), len(labels)), dtype=np.float32)
        for row, example in enumerate(examples):
            for label in example.target or ():
                if label in column:
                    targets[row, column[label]] = 1
        return targets

    def label_texts(self, labels: Sequence[str]) -> list[str]:
        return [_WORD_BREAKS.sub(" ", label).strip().lower() or label for label in labels]

    def label_descriptions(self, labels: Sequence[str]) -> list[str]:
        known, described = set(labels), self.settings.descriptions
        strange = sorted(label for label in described if label not in known)
        if strange:
            guess = get_close_matches(strange[0], known, n=1, cutoff=0.0)[0]
            raise UnknownDescribed(labels=", ".join(map(repr, strange)), guess=guess)
        return [described.get(label, "").strip() for label in labels]

    @property
    def exclusive(self) -> bool:
        return not self.settings.multi_label

    # train

    def fit_head(
        self, embeddings: np.ndarray, targets: np.ndarray, *, c: float, sample_weight: np.ndarray | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        return fit_linear(
            embeddings, targets, c=c, sample_weight=sample_weight, seed=seed, multi_label=self.settings.multi_label
        )

    def loss(self, logits: Any, targets: Any, sample_weight: Any) -> Any:
        import torch
        import torch.nn.functional as F

        if self.settings.multi_label:
            per_row = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1)
        else:
            # A message that is out of scope should leave the network undecided between all classes.
            inside = targets.sum(-1, keepdim=True) > 0
            targets = torch.where(inside, targets, 1 / targets.shape[-1])
            per_row = -(F.log_softmax(logits.float(), dim=-1) * targets).sum(-1)
        return (per_row * sample_weight).sum() / sample_weight.sum().clamp_min(1e-6)

    # judge

    def probs(self, logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
        scaled = np.asarray(logits, dtype=np.float64) / temperature
        if self.settings.multi_label:
            result = np.exp(-np.logaddexp(0, -scaled))
        else:
            scaled -= scaled.max(axis=-1, keepdims=True)
            exponentials = np.exp(scaled)
            result = exponentials / exponentials.sum(axis=-1, keepdims=True)
        return np.asarray(result, dtype=np.float32)

    def log_loss(self, probs: np.ndarray, targets: np.ndarray) -> float:
        p = np.clip(np.asarray(probs, dtype=np.float64), 1e-12, 1 - 1e-12)
        if self.settings.multi_label:
            return float(-(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(axis=1).mean())
        known = targets.sum(axis=1) > 0
        return float(-(targets[known] * np.log(p[known])).sum(axis=1).mean()) if known.any() else 0.0

    def given(self, probs: np.ndarray, thresholds: Thresholds | None = None) -> np.ndarray:
        if self.settings.multi_label:
            return np.asarray(probs >= (thresholds.label if thresholds else 0.5))
        given = np.zeros(probs.shape, dtype=bool)
        given[np.arange(len(probs)), probs.argmax(axis=1)] = True
        return given

    def correct(self, probs: np.ndarray, targets: np.ndarray, thresholds: Thresholds | None = None) -> np.ndarray:
        return np.asarray((self.given(probs, thresholds) == (targets > 0)).all(axis=1))

    def confidence(self, probs: np.ndarray) -> np.ndarray:
        if self.settings.multi_label:
            # The answer is right only if every label's yes or no is: the least sure one decides.
            return np.asarray(np.maximum(probs, 1 - probs).min(axis=1))
        return np.asarray(probs.max(axis=1))

    def in_scope(self, probs: np.ndarray) -> np.ndarray:
        """One less the generalised entropy, as a share of the most there can be.

        The highest probability says how sure the answer is among the classes. A message of no class often has one
        class far ahead of the others and yet a little of all of them, which a small power of each probability tells.

        Source:
            Liu, Lochman & Zach 2023, "GEN: Pushing the Limits of Softmax-Based Out-of-Distribution Detection".
        """
        n_classes = probs.shape[1]
        if self.settings.multi_label or n_classes < 2:
            return self.confidence(probs)
        p = np.clip(np.asarray(probs, dtype=np.float64), 0.0, 1.0)
        even = 1 / n_classes
        most = n_classes * (even * (1 - even)) ** SCOPE_POWER
        return np.asarray(1 - ((p * (1 - p)) ** SCOPE_POWER).sum(axis=1) / most)

    def metrics(self, probs: np.ndarray, targets: np.ndarray, thresholds: Thresholds | None = None) -> dict[str, float]:
        return classification_metrics(self.given(probs, thresholds), probs, targets)

    def resampled_metrics(
        self,
        probs: np.ndarray,
        targets: np.ndarray,
        thresholds: Thresholds | None = None,
        *,
        weights: Iterable[np.ndarray],
    ) -> dict[str, np.ndarray]:
        return resampled_classification_metrics(self.given(probs, thresholds), probs, targets, weights)

    # answer

    def answer(self, probs: np.ndarray, labels: Sequence[str], thresholds: Thresholds) -> Answer:
        row = probs[None, :]
        confidence = float(self.confidence(row)[0])
        given = tuple(labels[int(i)] for i in np.flatnonzero(self.given(row, thresholds)[0]))
        outside = thresholds.out_of_scope is not None and float(self.in_scope(row)[0]) < thresholds.out_of_scope
        sure = confidence >= thresholds.answer and not outside
        best = np.argsort(-probs, kind="stable")[:N_ALTERNATIVES]
        return Answer(
            label=self.settings.label_separator.join(given),
            labels=given,
            confidence=confidence,
            decision="answer" if sure else "hand_over",
            reason="out_of_scope" if outside else "confident" if sure else "unsure",
            alternatives=tuple((labels[int(i)], float(probs[i])) for i in best),
        )

"""A sealed bundle, checked and in memory, ready to answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feilun.logs import place
from feilun.models.encode import Encoder
from feilun.models.manifest import damaged, model_id_of, verify_bundle
from feilun.models.serving import GRAPH_NAME, LABELS_NAME, SPEC_NAME, TOKENIZER_NAME, ModelSpec, read_spec
from feilun.records import Answer, Manifest, Thresholds
from feilun.tasks import Task, get_task

log = logging.getLogger(__name__)
_WARM_UP = ("a", "我的包裹什么时候到 when does my parcel arrive? " * 8)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that answers. Never changes once loaded; may be called from any number of threads."""

    model_id: str
    manifest: Manifest
    spec: ModelSpec
    labels: tuple[str, ...]
    task: Task
    encoder: Encoder

    def scores(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Embeddings (n, n_hidden) of unit length, logits (n, n_classes), calibrated probs (n, n_classes); float32.

        Runs in the caller's thread, past the line in which the texts of requests wait (`Stage.ask`).
        """
        embeddings, logits = self.encoder.run(list(texts))
        assert logits is not None, "a bundle's graph has a head"
        return embeddings, logits, self.probs(logits)

    def probs(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probs (n, n_classes) of logits."""
        return self.task.probs(logits, temperature=self.temperature)

    def answers(self, probs: np.ndarray) -> list[Answer]:
        """The task's answers for calibrated probs (n, n_classes), with the bundle's thresholds."""
        return [self.task.answer(row, self.labels, self.thresholds) for row in probs]

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` by itself, without special ones and the prefix."""
        return self.encoder.count_tokens(text) - self.encoder.count_tokens("")

    def ranked(self, probs: np.ndarray) -> tuple[tuple[str, float], ...]:
        """Every label with its probability, the likeliest first, of one row of probs (n_classes,)."""
        return tuple((self.labels[int(i)], float(probs[i])) for i in np.argsort(-probs, kind="stable"))

    def predict(self, inputs: Sequence[dict[str, Any]]) -> list[Answer]:
        """One answer for each of `inputs`, in order; what the model says by itself, without a memory."""
        if not inputs:
            return []
        return self.answers(self.scores([self.task.text_of(one) for one in inputs])[2])

    @property
    def thresholds(self) -> Thresholds:
        """The lines between answering and handing over."""
        return self.spec.thresholds

    @property
    def temperature(self) -> float:
        """What logits are divided by so that confidence is honest."""
        return self.spec.temperature

    @property
    def n_hidden(self) -> int:
        """Length of an embedding."""
        return self.encoder.n_hidden


def load_bundle(folder: Path) -> LoadedModel:
    """Load the bundle in `folder`, after every file of it has been checked, and run it once to see that it answers.

    Its sessions compute in the thread that calls them.

    Raises:
        BundleMissing, BundleDamaged, BundleTooNew: the bundle is not whole, or its graph does not fit its labels.
        UnsafeModel, UnsupportedModel: the graph would reach outside, or cannot be run.
        UnknownTask: it answers a task that nothing here provides.
    """
    folder = Path(folder)
    manifest = verify_bundle(folder)
    try:
        spec, labels = read_spec(folder), json.loads((folder / LABELS_NAME).read_bytes())
    except (OSError, ValueError, RecursionError) as error:  # sealed as it is: a bundle that was not made by us
        raise damaged(folder, SPEC_NAME, "not_this_model") from error
    if labels != list(manifest.labels):
        raise damaged(folder, LABELS_NAME, "not_this_model")
    model = LoadedModel(
        model_id=model_id_of(folder),
        manifest=manifest,
        spec=spec,
        labels=manifest.labels,
        task=get_task(spec.task),
        encoder=Encoder(
            folder / GRAPH_NAME,
            folder / TOKENIZER_NAME,
            max_tokens=spec.max_tokens,
            prefix=spec.prefix,
        ),
    )
    if not _answers(model):
        raise damaged(folder, GRAPH_NAME, "not_this_model")
    return model


def _answers(model: LoadedModel) -> bool:
    """Whether a first question is answered with a number for each label."""
    if not model.encoder.has_head:
        return False
    try:
        logits = model.scores(_WARM_UP)[1]
    except Exception as error:  # onnxruntime's exceptions share no base but Exception
        log.warning("the graph of %s cannot be run: %s", model.model_id, place(error))
        return False
    return logits.shape == (len(_WARM_UP), len(model.labels))

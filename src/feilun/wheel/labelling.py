"""What to label next: the pool from store and snapshot, weighed up by the champion, chosen by `feedback`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from feilun.data import write_rows, writer_of
from feilun.feedback import Pool, choose, explain, is_disliked, sentences, waits_because
from feilun.records import (
    Answer,
    Backbone,
    BackboneInfo,
    Dataset,
    Example,
    Manifest,
    Suggestion,
    SuggestionBatch,
    Thresholds,
    Why,
)
from feilun.store import Store
from feilun.tasks import Task, example_id
from feilun.wheel.errors import FileExists

MOST_TRAFFIC = 20_000  # latest served answers that are looked at
MOST_QUEUED = 1000
MOST_LABELLED = 10_000  # labelled messages that the pool is compared with


class Model(Protocol):
    """What this needs of the champion; `feilun.serve.engine` provides it."""

    @property
    def model_id(self) -> str: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def task(self) -> Task: ...
    @property
    def temperature(self) -> float: ...
    @property
    def thresholds(self) -> Thresholds: ...
    @property
    def n_hidden(self) -> int: ...

    def scores(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
    def answers(self, probs: np.ndarray) -> list[Answer]: ...


@dataclass(frozen=True)
class Question:
    """A message that a person may be asked about, wherever it comes from.

    `why` are reasons that are known before any model has looked (a customer was handed over, a label looks wrong);
    `first` puts the question before all that are chosen for what they teach.
    """

    inputs: dict[str, Any]
    source: str
    prediction_id: str | None = None
    why: tuple[Why, ...] = ()
    first: bool = False


def next_batch(
    store: Store,
    project: str,
    *,
    model: Model,
    dataset: Dataset | None,
    limit: int,
    strategy: str,
    seed: int = 0,
    most_new: int | None = None,
    more: Iterable[Question] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> SuggestionBatch:
    """The messages whose labels would teach most, with the model's guess and the reasons.

    The pool is what waits in the review queue, what was answered without anybody speaking on it, and the rows of the
    last snapshot without a label; never a message of the holdout, nor one that is labelled or skipped.

    Args:
        model: the champion.
        dataset: the snapshot that it learnt from; None when there is none.
        most_new: most messages to run through the network now, the rest of the pool stays out this time; None: all.
            What was run through once is kept in the workspace.
        more: questions from elsewhere, such as labels that look wrong; they are asked even where they are labelled.
        on_progress: called with (messages done, messages in all).
    Raises:
        UnknownStrategy: there is no such strategy.
    """
    task = model.task
    questions = _questions(store, project, task=task, dataset=dataset, more=more)
    texts = [task.text_of(one.inputs) for one in questions]
    eyes = _Eyes(store.workspace / "cache", model, on_progress=on_progress)
    embeddings, probs, seen = eyes.look(texts, seed=seed, most_new=most_new)
    asked, texts = [questions[i] for i in seen], [texts[i] for i in seen]
    labelled, targets = _labelled(store, project, dataset=dataset, model=model, eyes=eyes, seed=seed)
    pool = Pool(embeddings, probs, labelled, targets, exclusive=not task.settings.multi_label)
    picked = _pick(pool, asked, limit=limit, strategy=strategy, seed=seed)
    explained = explain(pool, picked, labels=model.labels, similar_from=model.thresholds.memory, strategy=strategy)
    answers = model.answers(probs[picked]) if len(picked) else []
    return SuggestionBatch(
        suggestions=tuple(
            Suggestion(
                example_id=example_id(texts[i]),
                inputs=asked[i].inputs,
                prediction_id=asked[i].prediction_id,
                source=asked[i].source,
                labels=answer.labels,
                confidence=answer.confidence,
                alternatives=answer.alternatives,
                why=(*asked[i].why, *said.why),
                n_similar=said.n_similar,
            )
            for i, said, answer in zip(picked, explained, answers, strict=True)
        ),
        strategy=strategy,
        model_id=model.model_id,
        n_pool=len(questions),
        n_scored=len(asked),
    )


def refuse_output(*paths: Path) -> None:
    """Find out before the work that a file cannot be written, or that a person may have edited it.

    Raises:
        UnknownOutput: the extension is none that is written.
        FileExists: it is there already.
    """
    for path in paths:
        writer_of(path)
        if path.exists():
            raise FileExists(path=str(path))


def export_batch(batch: SuggestionBatch, out: Path, *, task: Task, columns: tuple[str, str], lang: str) -> int:
    """Write the suggestions with an empty label column, the model's guess and the reasons beside it; how many rows.

    The guess is not put into the label column: what a person only has to leave alone is easily left alone.

    Args:
        columns: names of the text and the label column.
    Raises:
        FileExists: `out` is there already, perhaps with labels in it.
        UnknownOutput: the extension is none that is written.
    """
    refuse_output(out)
    rows = (
        (
            (),
            (
                task.text_of(one.inputs),
                "",
                task.settings.label_separator.join(one.labels),
                round(one.confidence, 4),
                sentences(one.why, lang=lang),
                one.prediction_id or "",
            ),
        )
        for one in batch.suggestions
    )
    return write_rows(out, rows, columns=(), added=(*columns, "guess", "confidence", "why", "prediction_id"))


def _questions(
    store: Store, project: str, *, task: Task, dataset: Dataset | None, more: Iterable[Question]
) -> list[Question]:
    """The whole pool, each message once, the sources with a person waiting first, questions from elsewhere last."""
    found = [
        Question(row["inputs"], "queue", row["prediction_id"], waits_because(row), first=is_disliked(row))
        for row in store.list_queue(project, limit=MOST_QUEUED)
    ]
    found += [
        Question(row["inputs"], "traffic", row["prediction_id"])
        for row in store.list_unasked(project, limit=MOST_TRAFFIC)
    ]
    known: set[str] = set()
    if dataset is not None:
        settled = store.list_settled(project)
        found += [Question(one.inputs, "data") for one in dataset.unlabelled if one.example_id not in settled]
        # A label on what is held out would not train, and what trains has one.
        known = {example.example_id for example in (*dataset.holdout, *dataset.train)}
    once: dict[str, Question] = {}
    for question in found:
        key = example_id(task.text_of(question.inputs))
        if key not in known:
            once.setdefault(key, question)
    for question in more:
        once.setdefault(example_id(task.text_of(question.inputs)), question)
    return list(once.values())


def _labelled(
    store: Store, project: str, *, dataset: Dataset | None, model: Model, eyes: _Eyes, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and targets of what is labelled: the snapshot's training rows, and corrections made since."""
    task = model.task
    rows = {example.example_id: example for example in (dataset.train if dataset else ())}
    for row in store.list_corrections(project):
        rows[row["example_id"]] = Example(row["example_id"], row["inputs"], tuple(row["labels"]), source="feedback")
    examples = list(rows.values())
    if len(examples) > MOST_LABELLED:
        kept = np.sort(np.random.default_rng(seed).choice(len(examples), MOST_LABELLED, replace=False))
        examples = [examples[i] for i in kept]
    embeddings, _, _ = eyes.look([task.text_of(example.inputs) for example in examples], seed=seed, most_new=None)
    return embeddings, task.encode_targets(examples, model.labels)


def _pick(pool: Pool, asked: Sequence[Question], *, limit: int, strategy: str, seed: int) -> list[int]:
    first = [i for i, one in enumerate(asked) if one.first][:limit]
    free = np.array([i for i in range(len(pool)) if i not in set(first)], dtype=np.int64)
    rest = Pool(pool.embeddings[free], pool.probs[free], pool.labelled, pool.targets, pool.exclusive)
    return [*first, *(int(free[i]) for i in choose(rest, limit - len(first), strategy=strategy, seed=seed))]


class _Eyes:
    """The champion's embeddings and probabilities of texts; what it has read once is kept on disk."""

    def __init__(self, folder: Path, model: Model, *, on_progress: Callable[[int, int], None] | None) -> None:
        from feilun.train import EmbeddingCache

        self._model, self._on_progress = model, on_progress
        # The model's id is the hash of its content: it names the space, as a backbone's fingerprint does.
        info = model.manifest.backbone.model_copy(update={"fingerprint": model.model_id})
        self._cache = EmbeddingCache(folder, _as_backbone(folder, info), max_tokens=model.manifest.max_tokens)

    def look(
        self, texts: Sequence[str], *, seed: int, most_new: int | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Embeddings (k, n_hidden), probs (k, n_classes), and which of the texts they are of (k,), ascending."""
        n_new = 0

        def run(some: Sequence[str]) -> np.ndarray:
            nonlocal n_new
            n_new += len(some)
            embeddings, logits, _ = self._model.scores(some)
            return np.concatenate([embeddings, logits], axis=1)

        def go_on(n_done: int) -> bool:
            if self._on_progress is not None:
                self._on_progress(n_done, len(texts))
            return most_new is None or n_new < most_new

        order = np.random.default_rng(seed).permutation(len(texts))  # a part of the pool is a fair part
        both, done = self._cache.embed(texts, run=run, order=order, go_on=go_on)
        seen, n_classes = np.flatnonzero(done), len(self._model.labels)
        both = both[seen]
        if not len(seen):
            return np.zeros((0, self._model.n_hidden), np.float32), np.zeros((0, n_classes), np.float32), seen
        logits = both[:, -n_classes:]
        probs = self._model.task.probs(logits, temperature=self._model.temperature)
        return np.ascontiguousarray(both[:, :-n_classes]), probs, seen


def _as_backbone(folder: Path, info: BackboneInfo) -> Backbone:
    return Backbone(folder=folder, info=info)

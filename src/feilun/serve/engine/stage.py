"""Where the champion stands: it answers, is swapped between two answers, has its memory of corrections beside it.

A challenger may stand there too, for a shadow or a canary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np

from feilun.errors import FeilunError
from feilun.models.manifest import model_id_of, read_manifest, verify_bundle
from feilun.records import Answer, Spent
from feilun.serve.engine.line import Line
from feilun.serve.engine.load import LoadedModel, load_bundle
from feilun.serve.engine.memory import MAX_CORRECTIONS, Correction, Memory, Recall

EMBED_AT_ONCE = 32  # while a memory is embedded anew, requests get a core back this often
FEW = 32  # corrections that may be embedded while other corrections wait


class NoChampion(FeilunError):
    """A project is asked for an answer before a model of it has gone live."""

    code, kind = "engine.no_champion", "unavailable"
    en = "Project {project} has no live model yet. Make one with: feilun turn"
    zh = "项目 {project} 还没有上线的模型。请先运行：feilun turn"


T = TypeVar("T")


class Served(NamedTuple):
    """The answers to one request, in order, and the one model that gave them all."""

    model_id: str
    answers: list[Answer]


class ServedInFull(NamedTuple):
    """As `Served`, and what the answers were made from."""

    model_id: str
    answers: list[Answer]
    model: LoadedModel
    probs: np.ndarray  # (n, n_classes), calibrated: what the model says by itself
    spent: Spent


class Embedded(NamedTuple):
    """The vectors of some messages, in order, and the one model that made them all."""

    model_id: str
    vectors: np.ndarray  # (n, n_hidden) float32, each of unit length
    spent: Spent


class Scored(NamedTuple):
    """What one model says of some messages by itself, without a memory."""

    model: LoadedModel
    probs: np.ndarray  # (n, n_classes), calibrated
    spent: Spent


@dataclass(frozen=True)
class _Cast:
    """A model and the memory that it embedded: always together, replaced together by one assignment."""

    model: LoadedModel
    memory: Memory

    def serve(self, texts: Sequence[str], embeddings: np.ndarray, logits: np.ndarray, *, spent: Spent) -> ServedInFull:
        """What the model says of `texts`, or the memory where a correction is near."""
        probs = self.model.probs(logits)
        answers = self.model.answers(probs)
        threshold = self.model.thresholds.memory
        for i, text in enumerate(texts):
            recall = self.memory.recall(text, embeddings[i], threshold=threshold)
            if recall is not None:
                answers[i] = _from_memory(answers[i], recall, self.model)
        return ServedInFull(self.model.model_id, answers, self.model, probs, spent)


class Stage:
    """The live model of one project and its memory. Every method may be called from any thread.

    A request reads the cast once, so it is answered whole by one complete model whatever happens meanwhile. The model
    that was live before stays loaded, so that a roll-back needs no loading, unless a challenger takes its place.
    """

    def __init__(
        self, project: str, *, threads: int = 0, max_waiting: int = 1024, max_corrections: int = MAX_CORRECTIONS
    ) -> None:
        self._project, self._max = project, max_corrections
        self._line = Line(threads=threads, max_waiting=max_waiting)
        self._cast: _Cast | None = None
        self._challenger: _Cast | None = None
        self._previous: _Cast | None = None
        self._waiting: list[Correction] = []  # corrections that came before there was a model
        self._writing = Lock()  # held while the cast changes: milliseconds
        self._swapping = Lock()  # held by the one swap that is under way: seconds

    @property
    def is_ready(self) -> bool:
        """Whether there is a model to answer."""
        return self._cast is not None

    @property
    def model(self) -> LoadedModel:
        """The live model.

        Raises:
            NoChampion: there is none yet.
        """
        return self._live().model

    @property
    def model_id(self) -> str:
        """The live model's id.

        Raises:
            NoChampion: there is none yet.
        """
        return self._live().model.model_id

    @property
    def challenger_id(self) -> str | None:
        """The id of the model beside the live one, if there is one."""
        cast = self._challenger
        return None if cast is None else cast.model.model_id

    @property
    def is_busy(self) -> bool:
        """Whether messages wait that no thread has taken up."""
        return self._line.n_waiting > 0

    @property
    def n_corrections(self) -> int:
        """Corrections in the memory."""
        cast = self._cast
        return len(self._waiting) if cast is None else len(cast.memory)

    def predict(self, inputs: Sequence[dict[str, Any]]) -> Served:
        """Answer `inputs`, in order, however long they have to wait for others.

        A correction of the same text (case, width and white space aside), or the nearest corrected message when its
        cosine reaches `thresholds.memory`, decides instead of the model: the answer's reason is "memory", its
        confidence the cosine (1.0 for the same text), its alternatives what the model would have said.

        Raises:
            NoChampion: no model is live yet.
        """
        return self.ask(inputs, then=_as_served).result()

    def ask(
        self,
        inputs: Sequence[dict[str, Any]],
        *,
        then: Callable[[ServedInFull], T],
        deadline_s: float | None = None,
        model_id: str | None = None,
    ) -> Future[T]:
        """As `predict`, without waiting here: the future gives `then(served)`, which a thread of the engine calls.

        Args:
            deadline_s: the future fails with WaitedTooLong when the engine has not begun by then; None: no deadline.
            model_id: the challenger's, to be answered by it; the live model answers when that one is not there.
        Raises:
            NoChampion: no model is live yet.
            LineFull: the request has a deadline, and too many messages wait already.
        """
        cast, beside = self._live(), self._challenger
        if beside is not None and beside.model.model_id == model_id:
            cast = beside
        if not inputs:
            nothing: Future[T] = Future()
            none = np.empty((0, len(cast.model.labels)), np.float32)
            nothing.set_result(then(ServedInFull(cast.model.model_id, [], cast.model, none, Spent())))
            return nothing
        texts = [cast.model.task.text_of(one) for one in inputs]

        def finish(embeddings: np.ndarray, logits: np.ndarray | None, spent: Spent) -> T:
            assert logits is not None, "a bundle's graph has a head"
            return then(cast.serve(texts, embeddings, logits, spent=spent))

        return self._line.submit(cast.model.encoder, texts, then=finish, deadline_s=deadline_s)

    def score(
        self,
        texts: Sequence[str],
        *,
        model: LoadedModel,
        then: Callable[[Scored], T],
        deadline_s: float | None = None,
    ) -> Future[T]:
        """What any `model` says of `texts` (at least one) by itself, from the same line as answers.

        Raises:
            LineFull: as `ask`.
        """

        def finish(_embeddings: np.ndarray, logits: np.ndarray | None, spent: Spent) -> T:
            assert logits is not None, "a bundle's graph has a head"
            return then(Scored(model, model.probs(logits), spent))

        return self._line.submit(model.encoder, texts, then=finish, deadline_s=deadline_s)

    def on_stage(self, model_id: str) -> LoadedModel | None:
        """The live model or the challenger, if that is its id."""
        for cast in (self._cast, self._challenger):
            if cast is not None and cast.model.model_id == model_id:
                return cast.model
        return None

    def embed(self, inputs: Sequence[dict[str, Any]], *, deadline_s: float | None = None) -> Future[Embedded]:
        """The vectors of `inputs` (at least one), from the same line as answers; the memory has no part in them.

        Raises:
            NoChampion, LineFull: as `ask`.
        """
        model = self._live().model
        texts = [model.task.text_of(one) for one in inputs]

        def finish(embeddings: np.ndarray, _logits: np.ndarray | None, spent: Spent) -> Embedded:
            return Embedded(model.model_id, embeddings, spent)

        return self._line.submit(model.encoder, texts, then=finish, deadline_s=deadline_s)

    def swap(self, folder: Path, *, corrections: Sequence[Correction] | None = None) -> str:
        """Put the bundle in `folder` on stage; gives its model id.

        It is checked, loaded, warmed and given its memory while the old model answers; then one assignment switches
        both. Requests under way finish on the old model. If anything fails, the old model stays.

        Args:
            corrections: the whole memory from now on, oldest first (a champion needs no memory of what it has learnt);
                None keeps what is remembered.
        Raises:
            BundleMissing, BundleDamaged, BundleTooNew, UnknownTask: as `load_bundle`.
        """
        with self._swapping:
            cast = self._prepare(Path(folder))
            if corrections is not None:
                cast = _with_exactly(cast, corrections)
                with self._writing:
                    return self._switch(cast)
            return self._bring(cast, self._switch)

    def challenge(self, folder: Path) -> str:
        """Put the bundle in `folder` beside the live model, with the same memory; gives its model id.

        It is asked only where `ask` names it. The model that was live before is let go: two are in memory, not three.

        Raises:
            NoChampion: there is nothing to stand beside.
            BundleMissing, BundleDamaged, BundleTooNew, UnknownTask: nothing has changed.
        """
        with self._swapping:
            self._live()
            return self._bring(self._prepare(Path(folder)), self._put_beside)

    def end_challenge(self) -> None:
        """Let the challenger go. Requests that it is answering are finished by it."""
        with self._writing:
            self._challenger = None

    def _bring(self, cast: _Cast, put: Callable[[_Cast], str]) -> str:
        """`put` the cast, remembering all that the live model remembers at that moment."""
        while True:
            cast = _with_exactly(cast, self._corrections())
            with self._writing:
                wanted = self._corrections()
                if len(set(wanted).difference(cast.memory.corrections())) <= FEW:
                    return put(_with_exactly(cast, wanted))
            # Many corrections came meanwhile: embed them before the next ones are made to wait.

    def remember(self, corrections: Sequence[Correction]) -> None:
        """Let `corrections` decide from the next prediction on, and after every swap. The later of two wins."""
        if not corrections:
            return
        while True:
            cast = self._cast
            embeddings = None if cast is None else _embed(cast.model, corrections)
            with self._writing:
                if self._cast is None:
                    self._waiting += corrections
                    return
                if cast is not None and embeddings is not None and self._cast.model is cast.model:
                    self._cast = _Cast(cast.model, self._cast.memory.add(corrections, embeddings))
                    break
            # Swapped meanwhile: embed with the new model.
        self._remember_beside(corrections)

    def _remember_beside(self, corrections: Sequence[Correction]) -> None:
        """The challenger remembers what the live model does."""
        while (cast := self._challenger) is not None:
            embeddings = _embed(cast.model, corrections)
            with self._writing:
                if self._challenger is not None and self._challenger.model is cast.model:
                    self._challenger = _Cast(cast.model, self._challenger.memory.add(corrections, embeddings))
                    return

    def forget(self, feedback_ids: Iterable[str] | None = None) -> None:
        """Forget the corrections with these feedback ids (None: all); texts and vectors are gone from every model."""
        ids = None if feedback_ids is None else set(feedback_ids)
        with self._writing:
            self._waiting = [one for one in self._waiting if ids is not None and one.feedback_id not in ids]
            if self._cast is not None:
                self._cast = _without(self._cast, ids)
            if self._challenger is not None:
                self._challenger = _without(self._challenger, ids)
            if self._previous is not None:
                self._previous = _without(self._previous, ids)

    def _live(self) -> _Cast:
        cast = self._cast
        if cast is None:
            raise NoChampion(project=self._project)
        return cast

    def _corrections(self) -> tuple[Correction, ...]:
        cast = self._cast
        return tuple(self._waiting) if cast is None else cast.memory.corrections()

    def _prepare(self, folder: Path) -> _Cast:
        """The cast of a bundle: from before, or loaded now. Nobody else changes what this gives."""
        read_manifest(folder)
        model_id = model_id_of(folder)
        with self._writing:
            there = (self._cast, self._challenger, self._previous)
            known = [cast for cast in there if cast and cast.model.model_id == model_id]
            if known and known[0] is self._previous:
                self._previous = None
        if not known:
            model = load_bundle(folder)
            return _Cast(model, Memory(model.n_hidden, max_corrections=self._max))
        verify_bundle(folder)
        return _Cast(known[0].model, known[0].memory.copy())

    def _switch(self, cast: _Cast) -> str:
        """Called with the lock held: the one assignment that changes who answers."""
        if self._challenger is not None and self._challenger.model is cast.model:
            self._challenger = None
        if self._cast is not None and self._cast.model is not cast.model:
            self._previous = self._cast if self._challenger is None else None
        self._cast, self._waiting = cast, []
        return cast.model.model_id

    def _put_beside(self, cast: _Cast) -> str:
        """Called with the lock held."""
        self._challenger, self._previous = cast, None
        return cast.model.model_id


def _with_exactly(cast: _Cast, corrections: Sequence[Correction]) -> _Cast:
    """`cast` with these corrections in its memory and no others; only what it lacks is embedded."""
    wanted, known = set(corrections), set(cast.memory.corrections())
    memory = cast.memory.without(known - wanted)
    missing = [one for one in corrections if one not in known]
    for start in range(0, len(missing), EMBED_AT_ONCE):
        part = missing[start : start + EMBED_AT_ONCE]
        memory = memory.add(part, _embed(cast.model, part))
    return _Cast(cast.model, memory)


def _without(cast: _Cast, feedback_ids: set[str] | None) -> _Cast:
    gone = [one for one in cast.memory.corrections() if feedback_ids is None or one.feedback_id in feedback_ids]
    return _Cast(cast.model, cast.memory.without(gone))


def _embed(model: LoadedModel, corrections: Sequence[Correction]) -> np.ndarray:
    return model.scores([one.text for one in corrections])[0]


def _as_served(said: ServedInFull) -> Served:
    return Served(said.model_id, said.answers)


def _from_memory(said: Answer, recall: Recall, model: LoadedModel) -> Answer:
    """`recall` as an answer. A message that people called out of scope is handed over, as the model would do."""
    labels = recall.correction.labels
    settings = model.spec.task
    outside = bool(settings.out_of_scope_label) and settings.out_of_scope_label in labels
    return Answer(
        label=settings.label_separator.join(labels),
        labels=labels,
        confidence=recall.similarity,
        decision="hand_over" if outside else "answer",
        reason="memory",
        alternatives=said.alternatives,
    )

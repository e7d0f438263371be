"""Asking the champion, and keeping it up to date."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.project.challenger import ChallengerVerbs
from feilun.project.futures import or_else
from feilun.records import Answer, Bill, FilePrediction, ServedPrediction, Usage
from feilun.store import new_id
from feilun.tasks.identity import example_id

if TYPE_CHECKING:
    from feilun.release import Draw
    from feilun.serve.engine import Embedded, ServedInFull, Stage

PREDICT_CHUNK = 1024
MAX_BACKLOG = 10_000  # corrections that the memory holds
BACKLOG_PART = 256  # corrections embedded per look, about half a second of one core


class AnswerVerbs(ChallengerVerbs):
    """What the live model says."""

    @cached_property
    def stage(self) -> Stage:
        """The champion, loaded and verified, with the memory of corrections beside it."""
        from feilun.serve.engine import Stage

        serve = self.settings.serve
        stage = Stage(self.name, threads=serve.threads, max_waiting=serve.max_waiting)
        self._refresh(stage)
        return stage

    def refresh(self) -> None:
        """Take up what other processes did: settings, a new champion, new corrections. Cheap when nothing changed."""
        self._follow_settings()
        self._refresh(self.stage)

    def _refresh(self, stage: Stage) -> None:
        with self._swapping:
            live, challenge = self.store.find_live_release(self.name), self.store.find_challenge(self.name)
            if challenge != self._challenge:
                self._challenge = None  # from here on nobody is drawn for one that has ended
            if live is not None and live["release_id"] != self._seen_release:
                stage.swap(self.store.model_path(live["model_id"]))
                self._seen_release = live["release_id"]
            self._refresh_challenger(stage, challenge)
        if stage.is_ready:
            with self._remembering:
                self._remember_new(stage)
                self._remember_old(stage)

    def _remember_up_to(self, seq: int) -> None:
        """Let a correction decide at once, even while another champion is being loaded.

        Of many that were committed together, the first to come here takes up all; the others find it done.
        """
        with self._remembering:
            if self.stage.is_ready and (self._seen_feedback is None or self._seen_feedback < seq):
                self._remember_new(self.stage)

    def _remember_new(self, stage: Stage) -> None:
        """Corrections made since the last look decide from now on, whoever made them and wherever."""
        if self._seen_feedback is None:
            # At the start the whole log is the backlog: the latest word on each message, newest first.
            rows = self.store.list_corrections(self.name)
            latest = {row["example_id"]: row for row in rows}
            self._backlog = sorted(latest.values(), key=lambda row: row["seq"], reverse=True)[:MAX_BACKLOG]
            self._seen_feedback = int(rows[-1]["seq"]) if rows else 0
            return
        rows = self.store.list_corrections(self.name, after=self._seen_feedback)
        if rows:
            said_again = {row["example_id"] for row in rows}
            self._backlog = [row for row in self._backlog if row["example_id"] not in said_again]
            stage.remember(self._memories(rows))
            self._seen_feedback = int(rows[-1]["seq"])

    def _remember_old(self, stage: Stage) -> None:
        """A part of the backlog at a time, so that a restart with thousands of corrections answers at once."""
        part, self._backlog = self._backlog[:BACKLOG_PART], self._backlog[BACKLOG_PART:]
        stage.remember(self._memories(reversed(part)))

    def _memories(self, rows: Iterable[dict[str, Any]]) -> list[Any]:
        from feilun.serve.engine import Correction

        return [
            Correction(row["feedback_id"], text=self.task.text_of(row["inputs"]), labels=tuple(row["labels"]))
            for row in rows
        ]

    def answer(
        self, inputs: Sequence[dict[str, Any]], *, record: bool = True, user: str | None = None
    ) -> list[ServedPrediction]:
        """The live model's answers, each with an id for feedback; written to the store in the background.

        Args:
            user: who asks, in any words that stay the same: while a canary is under way, one user always meets the same
                model. It is not kept.
        Raises:
            NoChampion: no model is live yet.
        """
        return self.ask(inputs, record=record, user=user).result()

    def ask(
        self,
        inputs: Sequence[dict[str, Any]],
        *,
        record: bool = True,
        deadline_s: float | None = None,
        in_full: bool = False,
        user: str | None = None,
        champion_only: bool = False,
        bill: Bill | None = None,
    ) -> Future[list[ServedPrediction]]:
        """As `answer`, without waiting: for callers that have many requests under way at once.

        Args:
            champion_only: no canary may answer, nor a shadow be asked. Neither happens where nothing is recorded: what
                is not kept cannot be judged.
            in_full: `alternatives` has every label, and `n_tokens` is counted.
            deadline_s: the future fails with WaitedTooLong when the engine has not begun by then; None: no deadline.
            bill: on whose account it goes; it is in the ledger if and only if the answers are recorded.
        Raises:
            NoChampion: no model is live yet.
            LineFull: the request has a deadline, and as many messages wait as [serve] max_waiting allows.
        """
        started = time.perf_counter()
        stage, lot = self.stage, self._draw(user) if record and not champion_only else None
        canary = lot.answers_with if lot is not None else None

        def keep(said: ServedInFull) -> list[ServedPrediction]:
            latency_ms = (time.perf_counter() - started) * 1000 / max(len(said.answers), 1)
            variant = "challenger" if said.model_id == canary else "champion"
            served = [
                _served(answer, model_id=said.model_id, latency_ms=latency_ms, variant=variant)
                for answer in said.answers
            ]
            if record and served:
                rows = self._record(inputs, served, said, lot, bill)
                if lot is not None and lot.is_challenged and canary is None:
                    self._ask_shadow(stage, lot.challenge, inputs=inputs, rows=rows)
            return self._in_full(inputs, served, said) if in_full else served

        def ask(model_id: str | None = None) -> Future[list[ServedPrediction]]:
            return stage.ask(inputs, then=keep, deadline_s=deadline_s, model_id=model_id)

        return ask() if canary is None else or_else(ask(canary), ask)

    def _in_full(
        self, inputs: Sequence[dict[str, Any]], served: Sequence[ServedPrediction], said: ServedInFull
    ) -> list[ServedPrediction]:
        return [
            prediction.model_copy(
                update={
                    "alternatives": said.model.ranked(probs),
                    "n_tokens": said.model.encoder.count_tokens(self.task.text_of(given)),
                }
            )
            for prediction, given, probs in zip(served, inputs, said.probs, strict=True)
        ]

    def embed(self, texts: Sequence[str]) -> Embedded:
        """The vectors that the champion makes of messages (at least one): like messages have a high cosine.

        Raises:
            NoChampion: no model is live yet.
        """
        return self.ask_vectors([self.task.inputs_from(text) for text in texts]).result()

    def ask_vectors(self, inputs: Sequence[dict[str, Any]], *, deadline_s: float | None = None) -> Future[Embedded]:
        """As `embed`, without waiting; `deadline_s` and what may go wrong as for `ask`."""
        return self.stage.embed(inputs, deadline_s=deadline_s)

    def _record(
        self,
        inputs: Sequence[dict[str, Any]],
        served: Sequence[ServedPrediction],
        said: ServedInFull,
        lot: Draw | None,
        bill: Bill | None,
    ) -> list[dict[str, Any]]:
        """Queue the predictions for writing, with what they are on somebody's account; gives their rows."""
        from feilun.feedback import prediction_row

        texts = [self.task.text_of(given) for given in inputs]
        rows = [
            prediction_row(
                project=self.name,
                prediction_id=prediction.prediction_id,
                inputs=given,
                example_id=example_id(text),
                answer=answer,
                model_id=said.model_id,
                latency_ms=prediction.latency_ms,
                release_id=None if lot is None else lot.challenge.release_id,
                bucket=None if lot is None else lot.bucket,
            )
            for prediction, given, text, answer in zip(served, inputs, texts, said.answers, strict=True)
        ]
        usage = None
        if bill is not None:
            n_characters, spent = sum(map(len, texts)), said.spent
            usage = Usage(bill, 1, len(texts), n_characters, n_tokens=spent.n_tokens, cpu_ms=1000 * spent.cpu_s)
        self.store.add_predictions(rows, usage=usage)
        return rows

    def predict(self, texts: Sequence[str]) -> list[Answer]:
        """The champion's answers to messages; nothing is recorded."""
        return self.stage.predict([self.task.inputs_from(text) for text in texts])[1]

    def predict_file(self, path: str | Path, *, out: str | Path) -> FilePrediction:
        """Answer every row of a file; `out` gets the columns prediction, confidence and decision."""
        from feilun.data import predict_rows

        column = self.settings.data.sources[0].text if self.settings.data.sources else "text"
        stage = self.stage
        counts = predict_rows(Path(path), out=Path(out), text_column=column, answer=self.predict, chunk=PREDICT_CHUNK)
        return FilePrediction(out=str(out), model_id=stage.model.model_id, **counts)


def _served(answer: Answer, *, model_id: str, latency_ms: float, variant: str) -> ServedPrediction:
    return ServedPrediction(
        variant=variant,
        prediction_id=new_id("p"),
        model_version=model_id,
        latency_ms=round(latency_ms, 3),
        **{name: getattr(answer, name) for name in Answer.model_fields},
    )

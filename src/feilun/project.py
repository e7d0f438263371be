"""Project: the façade that turns the wheel. The command line, the API and Python users all call this."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.config import CONFIG_NAME, ConfigMissing, FeilunSettings, dump_settings, load_settings, with_search
from feilun.errors import FeilunError, language
from feilun.records import (
    Answer,
    CompressResult,
    CompressWish,
    DataReport,
    Dataset,
    Event,
    FilePrediction,
    LabelDoubt,
    LabelledFile,
    LabelProposal,
    LearningCurve,
    Manifest,
    Preflight,
    Report,
    ServedPrediction,
    SuggestionBatch,
    TurnResult,
)
from feilun.store import Store, find_workspace, new_id
from feilun.tasks import Task, get_task
from feilun.tasks.identity import example_id

if TYPE_CHECKING:
    from feilun.operate.archive import BackupManifest
    from feilun.operate.findings import Finding
    from feilun.serve.engine import Embedded, ServedInFull, Stage
    from feilun.wheel.doubts import DoubtfulRow

log = logging.getLogger(__name__)
PREDICT_CHUNK = 1024
MAX_DOUBTS = 1000
DOUBTS_SHARE = 0.25  # of a batch of suggestions at most: a wrong label teaches wrongly, but many doubts are mistaken
MAX_BACKLOG = 10_000  # corrections that the memory holds
MOST_READ = 2000  # messages whose embeddings are kept for the next look at the queue
BACKLOG_PART = 256  # corrections embedded per look, about half a second of one core


class ProjectExists(FeilunError):
    """`feilun init` was asked to write over a project."""

    code, kind = "project.exists", "conflict"
    en = "{folder} already holds a {name}. Edit it, or choose another folder."
    zh = "{folder} 中已有 {name}。请直接修改它，或换一个文件夹。"


class NothingToRollBack(FeilunError):
    """There is no earlier model to go back to."""

    code, kind = "release.nothing_to_roll_back", "missing"
    en = "Project {project!r} has had no model before this one, so there is nothing to roll back to."
    zh = "项目 {project!r} 没有更早上线的模型，无法回滚。"


class GoalNotMet(FeilunError):
    """A model that misses the goal was to be promoted by hand without an override."""

    code, kind = "release.goal_not_met", "conflict"
    en = "Model {model_id} does not meet the goal: {en} A named person may override it with --override and a reason."
    zh = "模型 {model_id} 未达到目标：{zh}如确需上线，请由具名人员使用 --override 并说明理由。"


class NoModel(FeilunError):
    """Something needs a model and the project has none yet."""

    code, kind = "project.no_model", "missing"
    en = "Project {project!r} has no model yet. Train one with: feilun turn {folder}"
    zh = "项目 {project!r} 还没有模型。请先训练：feilun turn {folder}"


class NoSuchDoubt(FeilunError):
    """A label was to be settled that nobody doubts."""

    code, kind = "project.no_such_doubt", "missing"
    en = "No label of the training rows is in doubt under {example_id!r}. See: feilun data doubts {folder}"
    zh = "训练行中没有编号为 {example_id!r} 的存疑标签。请查看：feilun data doubts {folder}"


class TooFewRows(FeilunError):
    """A learning curve was asked for, and there is next to nothing to draw it from."""

    code, kind = "project.too_few_rows", "invalid"
    en = (
        "{n_rows} training rows are too few to say what more would bring: at least 20 are needed, and classes with two "
        "rows or more. Label a few more of each class."
    )
    zh = (
        "只有 {n_rows} 行训练数据，不足以预测再标注的效果：至少需要 20 行，且有类别不少于两行。请为每个类别再标注几行。"
    )


class Project:
    """One folder with a feilun.toml, and everything that can be done with it.

    Use it as a context manager, or call `close`. Verbs may be called from any thread.

    Raises:
        ConfigMissing, ConfigInvalid: there is no readable feilun.toml in `folder`.
    """

    def __init__(self, folder: str | Path = ".") -> None:
        self.folder = Path(folder).resolve()
        self.settings: FeilunSettings = load_settings(self.folder)
        self.name = self.settings.project.name
        self.task: Task = get_task(self.settings.task)
        self.store = Store(find_workspace(self.folder), url=self.settings.store.url)
        self.store.add_project(self.name, folder=self.folder)
        self._swapping = threading.Lock()  # held while a champion is loaded: seconds
        self._remembering = threading.Lock()  # held while corrections are taken up: milliseconds
        self._seen_release = ""
        self._seen_feedback: int | None = None
        self._backlog: list[dict[str, Any]] = []
        self._read: dict[tuple[str, str], Any] = {}
        self._doubted: tuple[Any, list[DoubtfulRow]] = (None, [])

    @classmethod
    def init(
        cls,
        folder: str | Path,
        *,
        data: str | Path,
        holdout: str | Path | None = None,
        text: str | None = None,
        label: str | None = None,
        language: str | None = None,
        name: str | None = None,
        pull: bool = True,
        on_event: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> Project:
        """Look at a data file, write a commented feilun.toml that works as it is, fetch the backbone (`pull`).

        Raises:
            ProjectExists: the folder holds a feilun.toml.
        """
        folder = Path(folder).resolve()
        if (folder / CONFIG_NAME).exists():
            raise ProjectExists(folder=str(folder), name=CONFIG_NAME)
        settings = propose_settings(
            folder, data=data, holdout=holdout, text=text, label=label, language=language, name=name
        )
        if pull:
            from feilun.models import pull as pull_backbone

            pull_backbone(settings.backbone.model, language=settings.project.language, on_event=on_event)
        folder.mkdir(parents=True, exist_ok=True)
        find_workspace(folder).mkdir(parents=True, exist_ok=True)
        aside = folder / f"{CONFIG_NAME}.partial"
        aside.write_text(dump_settings(settings, header=_HEADER), "utf-8")
        aside.replace(folder / CONFIG_NAME)
        return cls(folder)

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # the workspace as a whole

    def backup(self, out: str | Path) -> BackupManifest:
        """One archive of the workspace, made while it is served: rows, models, datasets, the projects' own files.

        `Project.restore` makes a workspace of it again.

        Raises:
            BackupExists, FolderRefused, NoRoom: `out` cannot be written.
            DatabaseElsewhere: the rows are in a database that has a tool of its own.
            DatabaseDamaged, BundleDamaged, BundleMissing: what is to be kept is not whole.
        """
        from feilun.operate import back_up

        return back_up(self.store, Path(out))

    @staticmethod
    def restore(archive: str | Path, folder: str | Path) -> BackupManifest:
        """Write what `backup` kept into `folder`, which must be missing or empty.

        Raises:
            BackupMissing, BackupRefused, BackupTooNew: the archive is none that can be restored; nothing was written.
            FolderNotEmpty, FolderRefused, NoRoom: `folder` cannot take it.
        """
        from feilun.operate import restore

        return restore(archive, folder)

    @staticmethod
    def doctor(folder: str | Path = ".") -> tuple[Finding, ...]:
        """What is wrong with a workspace and this machine, and what to do; also where no project can be opened."""
        from feilun.operate import examine

        return examine(Path(folder))

    # data

    def check_data(self) -> DataReport:
        """What a turn would find in the data now; writes nothing."""
        from feilun.wheel.doubts import said

        dataset, report = self._build()
        doubts = self._open_doubts(dataset)
        listed = tuple((row.place, said(row.example.target), said(row.doubt.suggested)) for row in doubts)
        return report.model_copy(update={"n_label_doubts": len(doubts), "label_doubts": listed})

    def doubtful_labels(self, *, limit: int = 20) -> list[dict[str, Any]]:
        """Training rows whose label looks wrong by the last turn's cross-validation, the most doubtful first.

        A row is no longer listed once its label has changed, or somebody has confirmed or corrected it (feedback with
        its inputs does, and so does `settle_label`).
        """
        return [row.fields() for row in self._open_doubts(self._build()[0])[:limit]]

    def settle_label(self, example_id: str, *, label: str | None = None, actor: str = "python") -> dict[str, Any]:
        """Give a doubtful row its right label, or confirm the one it has (`label` None); a correction like any other.

        Raises:
            NoSuchDoubt: the row is not, or no longer, among the doubtful ones.
        """
        rows = {row["example_id"]: row for row in self.doubtful_labels(limit=MAX_DOUBTS)}
        if example_id not in rows:
            raise NoSuchDoubt(example_id=example_id, folder=str(self.folder))
        row = rows[example_id]
        said = self.settings.task.label_separator.join(row["labels"]) if label is None else label
        return self.give_feedback(inputs=row["inputs"], label=said, actor=actor)[0]

    def learning_curve(self) -> LearningCurve:
        """What more labels would bring, from the data alone: seconds, and no turn is needed.

        Raises:
            ModelMissing: the backbone is not on this machine.
            TooFewRows: there are too few labelled rows to draw a curve from.
        """
        from feilun.models import resolve
        from feilun.wheel import draw_curve

        backbone = resolve(self.settings.backbone.model, language=self.settings.project.language)
        dataset, _ = self._build()
        curve = draw_curve(
            dataset,
            backbone,
            self.settings,
            task=self.task,
            cache_dir=self.store.workspace / "cache",
            seed=self.settings.train.seed,
        )
        if curve is None:
            raise TooFewRows(n_rows=len(dataset.train))
        return curve

    def _build(self) -> tuple[Dataset, DataReport]:
        """What a turn would learn from now, and the report on it; nothing is written."""
        from feilun.data import build_dataset
        from feilun.feedback import corrections

        known = corrections(self.store, self.name, task=self.task)
        return build_dataset(
            self.folder, self.settings, task=self.task, corrections=known, previous=self._last_dataset()
        )

    def _open_doubts(self, dataset: Dataset) -> list[DoubtfulRow]:
        """The last turn's doubts about rows that still stand as they did."""
        from feilun.wheel.doubts import still_doubtful

        last = self.store.find_last_turn(self.name)
        return still_doubtful(self._doubts_of(last["model_id"]), dataset) if last else []

    def _doubts_to_ask(self) -> list[DoubtfulRow]:
        """Doubtful rows that nobody has spoken on. The files are read again only after they, or the model, changed;
        where they cannot be read there are none: the queue of what people wait for shows anyway."""
        from feilun.wheel.doubts import files_as_of

        last = self.store.find_last_turn(self.name)
        if last is None:
            return []
        as_of = (last["turn_id"], files_as_of(self.folder, self.settings.data))
        if self._doubted[0] != as_of:
            self._doubted = (as_of, self._find_doubts(last["model_id"]))
        rows = self._doubted[1]
        settled = self.store.list_settled(self.name) if rows else set()
        return [row for row in rows if row.example.example_id not in settled]

    def _doubts_of(self, model_id: str | None) -> tuple[LabelDoubt, ...]:
        found = self.report(model_id).label_doubts if model_id else None
        return found.doubts if found else ()

    def _find_doubts(self, model_id: str | None) -> list[DoubtfulRow]:
        from feilun.wheel.doubts import still_doubtful

        doubts = self._doubts_of(model_id)
        try:
            return still_doubtful(doubts, self._build()[0]) if doubts else []
        except FeilunError as error:
            log.warning("doubtful labels of %s are not asked about: %s", self.name, error.message("en"))
            return []

    def _last_dataset(self) -> Dataset | None:
        from feilun.data import read_snapshot

        last = self.store.find_last_turn(self.name)
        return read_snapshot(self.store.dataset_path(last["dataset_id"])) if last else None

    # the wheel

    def turn(
        self,
        *,
        budget_s: float | None = None,
        seed: int | None = None,
        n_trials: int | None = None,
        requested_by: str = "python",
        on_event: Callable[[Event], None] | None = None,
    ) -> TurnResult:
        """Turn the wheel once, or take up (or join) the turn that is unfinished.

        Args:
            budget_s: wall-clock seconds for training; None takes [train] budget_s.
            seed: None takes [train] seed.
            n_trials: search for better settings with so many trials, 0 for no search; None does as [train.search] says.
            on_event: called with every event of the turn, in order, from this thread.
        Raises:
            TurnFailed: a step met a mistake, with that mistake's code and words.
        """
        from feilun.wheel import follow_turn

        settings = self.settings if n_trials is None else with_search(self.settings, n_trials=n_trials)
        train = settings.train
        turn = self.store.add_turn(
            self.name,
            settings=settings.model_dump(mode="json"),
            seed=train.seed if seed is None else seed,
            budget_s=train.budget_s if budget_s is None else budget_s,
            requested_by=requested_by,
        )
        return follow_turn(self.store, folder=self.folder, turn_id=turn["turn_id"], on_event=on_event)

    def preflight(self, *, budget_s: float | None = None) -> Preflight:
        """What a turn would take, rung by rung: time, memory and disk. Nothing is trained, nothing is written.

        Args:
            budget_s: wall-clock seconds for training; None takes [train] budget_s.
        Raises:
            TurnFailed: a mistake that would stop the turn too, with its code and words.
        """
        from feilun.wheel.preflight import look_ahead

        return look_ahead(self.folder, budget_s=self.settings.train.budget_s if budget_s is None else budget_s)

    def request_turn(self, *, trigger: str = "hand", note: str = "") -> bool:
        """Ask the server's worker for a turn; False when one is asked for already."""
        return self.store.add_turn_request(self.name, trigger=trigger, note=note)

    def cancel_turn(self) -> str | None:
        """Cancel the unfinished turn; its turn_id, or None when there is none."""
        turn = self.store.find_unfinished_turn(self.name)
        if turn is None:
            return None
        self.store.finish_turn(turn["turn_id"], status="cancelled")
        return str(turn["turn_id"])

    def list_turns(self, *, limit: int = 100) -> list[dict[str, Any]]:
        return self.store.list_turns(self.name, limit=limit)

    def events(self, *, after: int = 0, turn_id: str = "") -> list[Event]:
        return self.store.list_events(self.name, after=after, turn_id=turn_id)

    # answers

    @cached_property
    def stage(self) -> Stage:
        """The champion, loaded and verified, with the memory of corrections beside it."""
        from feilun.serve.engine import Stage

        serve = self.settings.serve
        stage = Stage(self.name, threads=serve.threads, max_waiting=serve.max_waiting)
        self._refresh(stage)
        return stage

    def refresh(self) -> None:
        """Take up what other processes did: a new champion, new corrections. Cheap when nothing changed."""
        self._refresh(self.stage)

    def _refresh(self, stage: Stage) -> None:
        with self._swapping:
            live = self.store.find_live_release(self.name)
            if live is not None and live["release_id"] != self._seen_release:
                stage.swap(self.store.model_path(live["model_id"]))
                self._seen_release = live["release_id"]
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

    def answer(self, inputs: Sequence[dict[str, Any]], *, record: bool = True) -> list[ServedPrediction]:
        """The champion's answers, each with an id for feedback; written to the store in the background.

        Raises:
            NoChampion: no model is live yet.
        """
        return self.ask(inputs, record=record).result()

    def ask(
        self,
        inputs: Sequence[dict[str, Any]],
        *,
        record: bool = True,
        deadline_s: float | None = None,
        in_full: bool = False,
    ) -> Future[list[ServedPrediction]]:
        """As `answer`, without waiting: for callers that have many requests under way at once.

        Args:
            in_full: `alternatives` has every label, and `n_tokens` is counted.
            deadline_s: the future fails with WaitedTooLong when the engine has not begun by then; None: no deadline.
        Raises:
            NoChampion: no model is live yet.
            LineFull: the request has a deadline, and as many messages wait as [serve] max_waiting allows.
        """
        started = time.perf_counter()

        def keep(said: ServedInFull) -> list[ServedPrediction]:
            latency_ms = (time.perf_counter() - started) * 1000 / max(len(said.answers), 1)
            served = [_served(answer, model_id=said.model_id, latency_ms=latency_ms) for answer in said.answers]
            if record and served:
                self._record(inputs, served, said)
            return self._in_full(inputs, served, said) if in_full else served

        return self.stage.ask(inputs, then=keep, deadline_s=deadline_s)

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

    def _record(self, inputs: Sequence[dict[str, Any]], served: Sequence[ServedPrediction], said: ServedInFull) -> None:
        from feilun.feedback import prediction_row

        rows = [
            prediction_row(
                project=self.name,
                prediction_id=prediction.prediction_id,
                inputs=given,
                example_id=example_id(self.task.text_of(given)),
                answer=answer,
                model_id=said.model_id,
                latency_ms=prediction.latency_ms,
            )
            for prediction, given, answer in zip(served, inputs, said.answers, strict=True)
        ]
        self.store.add_predictions(rows)

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

    # feedback

    def give_feedback(
        self,
        *,
        prediction_id: str | None = None,
        label: str | None = None,
        thumb: str | None = None,
        text: str | None = None,
        comment: str | None = None,
        inputs: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        actor: str = "python",
    ) -> tuple[dict[str, Any], bool]:
        """What someone says about a prediction: on disk when this returns, biting at once.

        Returns:
            The feedback row, and whether it was given before under the same idempotency key.
        """
        from feilun.feedback import capture

        row, replayed = capture(
            self.store,
            project=self.name,
            task=self.task,
            labels=self.labels(),
            prediction_id=prediction_id,
            label=label,
            thumb=thumb,
            text=text,
            comment=comment,
            inputs=inputs,
            idempotency_key=idempotency_key,
            actor=actor,
        )
        if row["labels"] is not None and "stage" in self.__dict__ and not replayed:
            self._remember_up_to(int(row["seq"]))
        return row, replayed

    def import_feedback(self, path: str | Path, *, actor: str = "python") -> int:
        """Take a file of corrected messages (the columns of the first source) as feedback; how many rows counted."""
        from feilun.data import read_labelled

        source = self.settings.data.sources[0]
        n_rows = 0
        for text, label in read_labelled(Path(path), text=source.text, label=source.label):
            inputs = self.task.inputs_from(text)
            self.give_feedback(inputs=inputs, label=label, actor=actor)
            n_rows += 1
        return n_rows

    def list_feedback(self, *, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        return self.store.list_feedback(self.name, after=after, limit=limit)

    def queue(self, *, limit: int = 20) -> list[dict[str, Any]]:
        """Messages that wait for a person, those that would teach most first; near-identical ones as one.

        While a model is live, messages that mean nearly the same as one further up come later. Where people's
        messages leave room, rows follow whose label looks wrong (`prediction_id` None, `reason` "label_doubt"):
        feedback with their inputs and a label settles them, as `settle_label` does.
        """
        from feilun.feedback import review_queue

        rows = review_queue(self.store, self.name, task=self.task, limit=limit, embed=self._reader())
        waiting = {row["example_id"] for row in rows}
        more = [row for row in self._doubts_to_ask() if row.example.example_id not in waiting][: limit - len(rows)]
        return rows + (self._as_queue_rows(more) if more else [])

    def _as_queue_rows(self, doubts: Sequence[DoubtfulRow]) -> list[dict[str, Any]]:
        from feilun.wheel.doubts import queue_rows

        last = self.store.find_last_turn(self.name)
        assert last is not None  # it doubted
        model = self.get_model(last["model_id"])
        return queue_rows(doubts, model_id=model["model_id"], created_at=model["created_at"])

    def _reader(self) -> Callable[[Sequence[str]], Any] | None:
        """The champion's embeddings of texts; None where no model can be read: what waits for people shows anyway."""
        if self.store.find_champion(self.name) is None:
            return None
        try:
            stage = self.stage
        except FeilunError as error:
            log.warning("the queue of %s is not spread out: %s", self.name, error.message("en"))
            return None
        return self._read_once if stage.is_ready else None

    def _read_once(self, texts: Sequence[str]) -> Any:
        """Embeddings by the champion, (n, n_hidden); those of the last few hundred messages are at hand."""
        import numpy as np

        model, known = self.stage.model, self._read
        new = list(dict.fromkeys(text for text in texts if (model.model_id, text) not in known))
        if new:
            known.update(zip(((model.model_id, text) for text in new), model.scores(new)[0], strict=True))
        found = np.stack([known[model.model_id, text] for text in texts])
        if len(known) > MOST_READ:
            self._read = {(model.model_id, text): vector for text, vector in zip(texts, found, strict=True)}
        return found

    def suggest(
        self,
        *,
        limit: int | None = None,
        strategy: str | None = None,
        seed: int = 0,
        most_new: int | None = None,
        out: str | Path | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> SuggestionBatch:
        """The messages to label next: from the review queue, from traffic, and from rows without a label.

        Rows whose own label looks wrong take up to a quarter of the places, after what somebody disliked.

        Args:
            limit, strategy: None takes [label] batch and strategy.
            most_new: most messages to run through the champion now; None: as many as there are.
            out: a file to write them to, as `export_suggestions` does.
            on_progress: called with (messages done, messages in all).
        Raises:
            NoChampion: no model is live yet.
            UnknownStrategy: there is no such strategy.
            FileExists, UnknownOutput: `out` cannot be written; nothing was done.
        """
        from feilun.wheel.doubts import questions
        from feilun.wheel.labelling import next_batch, refuse_output

        if out is not None:
            refuse_output(Path(out))
        n_asked = self.settings.label.batch if limit is None else limit
        batch = next_batch(
            self.store,
            self.name,
            model=self.stage.model,
            dataset=self._last_dataset(),
            limit=n_asked,
            strategy=strategy or self.settings.label.strategy,
            seed=seed,
            most_new=most_new,
            more=questions(self._doubts_to_ask()[: int(n_asked * DOUBTS_SHARE)]),
            on_progress=on_progress,
        )
        if out is not None:
            self.export_suggestions(batch, out=out)
        return batch

    def export_suggestions(self, batch: SuggestionBatch, *, out: str | Path, lang: str | None = None) -> int:
        """Write suggestions to a file with an empty label column, which `import_feedback` takes back; how many rows.

        Raises:
            FileExists: `out` is there already.
        """
        from feilun.wheel.labelling import export_batch

        source = self.settings.data.sources[0] if self.settings.data.sources else None
        columns = (source.text, source.label) if source else ("text", "label")
        return export_batch(batch, Path(out), task=self.task, columns=columns, lang=lang or language())

    @staticmethod
    def propose_labels(
        data: str | Path,
        *,
        out: str | Path,
        text: str | None = None,
        language: str | None = None,
        n_groups: int | None = None,
        backbone: str = "",
        seed: int = 0,
        on_event: Callable[[str, dict[str, Any]], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> LabelProposal:
        """Group the messages of a file that has no labels and write a table for a person to name the groups in.

        Fetches the backbone when it is not on this machine. `apply_labels` makes a labelled file of the edited table.

        Raises:
            TooFewMessages, FileExists: nothing was written.
        """
        from feilun.models import pull
        from feilun.wheel.cold_start import look, propose

        defaults = FeilunSettings.model_validate({"project": {"name": "start"}})
        start = look(Path(data), text=text, language=language, max_chars=defaults.data.max_chars)
        return propose(
            start,
            pull(backbone, language=start.language, on_event=on_event),
            out=Path(out),
            n_groups=n_groups,
            max_tokens=defaults.backbone.max_tokens,
            threads=1,
            seed=seed,
            on_progress=on_progress,
        )

    @staticmethod
    def apply_labels(groups: str | Path, *, out: str | Path, core: float = 0.5) -> LabelledFile:
        """A labelled file from the table that a person has edited; the fringe of each group stays unlabelled.

        Raises:
            GroupsDoNotFit, NothingLabelled: nothing was written.
        """
        from feilun.wheel.cold_start import apply

        return apply(Path(groups), out=Path(out), core=core)

    def skip(self, prediction_id: str) -> None:
        self.store.get_prediction(self.name, prediction_id)
        self.store.skip_in_queue(self.name, prediction_id)

    def labels(self) -> tuple[str, ...]:
        """The classes that the champion (or else the latest model) knows; empty before the first turn."""
        stage = self.__dict__.get("stage")
        if stage is not None and stage.is_ready:
            return tuple(stage.model.labels)
        model_id = self.store.find_champion(self.name) or next(
            (model["model_id"] for model in self.store.list_models(self.name, limit=1)), None
        )
        if model_id is None:
            return ()
        from feilun.models.bundle import read_manifest

        return read_manifest(self.store.model_path(model_id)).labels

    # models and releases

    def report(self, model_id: str | None = None) -> Report:
        """The report of a model; None: the champion's, or the latest one's while nothing is live."""
        return Report.model_validate(self.get_model(model_id)["report"])

    def list_models(self, *, limit: int = 100) -> list[dict[str, Any]]:
        return self.store.list_models(self.name, limit=limit)

    def get_model(self, model_id: str | None = None) -> dict[str, Any]:
        if model_id is not None:
            return self.store.get_model(self.name, model_id)
        champion = self.store.find_champion(self.name)
        if champion is not None:
            return self.store.get_model(self.name, champion)
        latest = self.store.list_models(self.name, limit=1)
        if not latest:
            raise NoModel(project=self.name, folder=str(self.folder))
        return latest[0]

    def verify_model(self, model_id: str | None = None) -> Manifest:
        """Read every file of a bundle against its checksum."""
        from feilun.models.bundle import verify_bundle

        return verify_bundle(self.store.model_path(self.get_model(model_id)["model_id"]))

    def export_model(self, model_id: str | None = None, *, out: str | Path) -> Path:
        """One archive of a verified bundle, to take elsewhere."""
        from feilun.models.bundle import export_bundle

        return export_bundle(self.store.model_path(self.get_model(model_id)["model_id"]), Path(out))

    def compress_model(
        self,
        model_id: str | None = None,
        *,
        n_layers: Sequence[int] | None = None,
        widths: Sequence[float] = (),
        only_show: bool = False,
        actor: str = "python",
        on_event: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> CompressResult:
        """The forms in which a model could ship, side by side, and the one that [goal] asks for as a model of its own.

        Args:
            model_id: None takes the champion, or the latest model while nothing is live.
            n_layers: students to make, by their number of layers; None: one of half the layers, if torch is installed
                and no `widths` are given.
            widths: students of all layers to make, by the share of each layer's heads and feed-forward units that they
                keep, in (0, 1).
            only_show: measure the forms and make nothing.
            on_event: called with (kind, data) as it goes on.
        Raises:
            NetworkGone: the model's float network is kept no more.
            NothingToJudgeOn, TooManyLayers, WidthNotSmaller, TorchMissing: the forms cannot be made or compared.
        """
        from feilun.wheel.shrink import shrink

        made = shrink(
            self.store,
            folder=self.folder,
            project=self.name,
            model_id=str(self.get_model(model_id)["model_id"]),
            settings=self.settings,
            wish=_wish(n_layers, widths, only_show),
            actor=actor,
            on_event=on_event,
        )
        if made.released and "stage" in self.__dict__:
            self.refresh()
        return made

    def request_compression(
        self,
        model_id: str | None = None,
        *,
        n_layers: Sequence[int] | None = None,
        widths: Sequence[float] = (),
        only_show: bool = False,
        actor: str = "python",
    ) -> dict[str, Any]:
        """Ask the server's worker for what `compress_model` does here and now; the row that tells how far it is.

        Raises:
            NetworkGone, TooManyLayers, WidthNotSmaller, TorchMissing: it could not be done.
            CompressionUnfinished: another one of the project waits or runs.
        """
        from feilun.wheel.compressing import request_compression

        return request_compression(
            self.store,
            project=self.name,
            model_id=str(self.get_model(model_id)["model_id"]),
            settings=self.settings,
            wish=_wish(n_layers, widths, only_show),
            actor=actor,
        )

    def list_compressions(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """Compressions that were asked for, latest first."""
        return self.store.list_compressions(self.name, limit=limit)

    def list_releases(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The release log, latest first."""
        return self.store.list_releases(self.name, limit=limit)

    def promote(self, model_id: str, *, actor: str, reason: str = "", override: bool = False) -> dict[str, Any]:
        """Let a model answer from now on. One that misses the goal needs `override` and a reason.

        Raises:
            GoalNotMet: the goal is the law.
            BundleDamaged: the bundle is not what was sealed.
        """
        from feilun.release import decide

        self.verify_model(model_id)
        report = self.report(model_id)
        decision = decide(report, self.settings.goal, has_champion=False)
        if not decision.released and not (override and reason):
            raise GoalNotMet(model_id=model_id, en=decision.en, zh=decision.zh)
        said = f" {reason}" if reason else ""
        return self._release(
            "promote",
            model_id,
            actor=actor,
            reason_code="by_hand" if decision.released else "override",
            en=f"Promoted by {actor}.{said}" if decision.released else f"Promoted by {actor} over the goal:{said}",
            zh=f"由 {actor} 上线。{reason}" if decision.released else f"由 {actor} 越过目标上线：{reason}",
        )

    def rollback(self, *, actor: str, reason: str = "") -> dict[str, Any]:
        """Go back to the model that answered before the present one; a release like any other.

        Raises:
            NothingToRollBack: there was none.
        """
        live = self.store.find_live_release(self.name)
        previous = self._model_before(live) if live else None
        if previous is None:
            raise NothingToRollBack(project=self.name)
        self.verify_model(previous)
        return self._release(
            "rollback",
            previous,
            actor=actor,
            reason_code="by_hand",
            en=f"Rolled back by {actor}. {reason}".strip(),
            zh=f"由 {actor} 回滚。{reason}",
        )

    def _model_before(self, live: dict[str, Any]) -> str | None:
        """The model that was live before `live` was: rolling back twice goes two models back, not to and fro."""
        log = [row for row in self.store.list_releases(self.name, limit=1000) if row["action"] != "reject"]
        trail: list[str] = []
        for row in reversed(log):
            if row["action"] == "promote":
                trail.append(row["model_id"])
            elif row["model_id"] in trail:
                del trail[trail.index(row["model_id"]) + 1 :]
        earlier = [model_id for model_id in trail if model_id != live["model_id"]]
        return earlier[-1] if earlier else None

    def _release(self, action: str, model_id: str, **words: str) -> dict[str, Any]:
        entry = self.store.add_release(self.name, action=action, model_id=model_id, **words)
        if "stage" in self.__dict__:
            self.refresh()
        return entry


def _wish(n_layers: Sequence[int] | None, widths: Sequence[float], only_show: bool) -> CompressWish:
    layers = None if n_layers is None else tuple(n_layers)
    return CompressWish(n_layers=layers, widths=tuple(widths), only_show=only_show)


def _served(answer: Answer, *, model_id: str, latency_ms: float) -> ServedPrediction:
    return ServedPrediction(
        prediction_id=new_id("p"),
        model_version=model_id,
        latency_ms=round(latency_ms, 3),
        **{name: getattr(answer, name) for name in Answer.model_fields},
    )


_HEADER = """feilun.toml: the contract of this project. Everything can be rerun from it.
Turn the wheel: feilun turn    Serve: feilun serve    Every key: docs/en/configuration.md"""


def propose_settings(
    folder: Path,
    *,
    data: str | Path,
    holdout: str | Path | None = None,
    text: str | None = None,
    label: str | None = None,
    language: str | None = None,
    name: str | None = None,
) -> FeilunSettings:
    """The settings `feilun init` would write for a data file; nothing is written."""
    from feilun.data import inspect_file, make_settings

    guess = inspect_file(Path(data), text=text, label=label)
    return make_settings(
        guess,
        name=name or _name_from(folder),
        language=language,
        folder=folder,
        data_path=Path(data),
        holdout_path=None if holdout is None else Path(holdout),
    )


def _name_from(folder: Path) -> str:
    letters = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in folder.name).strip("-_")
    return letters[:64] or "project"


def open_projects(folder: str | Path) -> dict[str, Project]:
    """The project in `folder`, or all those in its sub-folders, by name.

    Raises:
        ConfigMissing: there is none.
    """
    folder = Path(folder).resolve()
    if (folder / CONFIG_NAME).is_file():
        folders = [folder]
    else:
        folders = sorted(path.parent for path in folder.glob(f"*/{CONFIG_NAME}"))
    if not folders:
        raise ConfigMissing(name=CONFIG_NAME, folder=str(folder))
    projects = [Project(path) for path in folders]
    return {project.name: project for project in projects}


__all__ = [
    "GoalNotMet",
    "NoModel",
    "NoSuchDoubt",
    "NothingToRollBack",
    "Project",
    "ProjectExists",
    "TooFewRows",
    "open_projects",
    "propose_settings",
]

"""What people say about answers, and what to ask them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.errors import FeilunError
from feilun.project.data import DataVerbs
from feilun.project.errors import NoSuchDoubt
from feilun.records import Usage

if TYPE_CHECKING:
    from feilun.wheel.doubts import DoubtfulRow

log = logging.getLogger(__name__)
LABELS_HOLD_S = 1.0
MAX_DOUBTS = 1000
MOST_READ = 2000  # messages whose embeddings are kept for the next look at the queue


class FeedbackVerbs(DataVerbs):
    """Feedback, corrections and the review queue."""

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
        usage: Usage | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """What someone says about a prediction: on disk when this returns, biting at once.

        Args:
            usage: what it is on somebody's account; goes to the ledger with it.
        Returns:
            The feedback row, and whether it was given before under the same idempotency key.
        """
        from feilun.feedback import capture

        row, replayed = capture(
            self.store,
            project=self.name,
            task=self.task,
            labels=self._labels_lately(),
            prediction_id=prediction_id,
            label=label,
            thumb=thumb,
            text=text,
            comment=comment,
            inputs=inputs,
            idempotency_key=idempotency_key,
            actor=actor,
            usage=usage,
        )
        if row["labels"] is not None and "stage" in self.__dict__ and not replayed:
            self._remember_up_to(int(row["seq"]))
        return row, replayed

    def _labels_lately(self) -> tuple[str, ...]:
        """As `labels`, up to LABELS_HOLD_S old: reading them from the store cost more than keeping the feedback."""
        until, labels = self._known_labels
        now = time.monotonic()
        if now >= until:
            labels = self.labels()
            self._known_labels = (now + LABELS_HOLD_S, labels)
        return labels

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
        """In the order it came."""
        return self.store.list_feedback(self.name, after=after, limit=limit)

    def list_latest_feedback(self, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Latest first; `before` is the `seq` of the last row of the page before."""
        return self.store.list_latest_feedback(self.name, before=before, limit=limit)

    def take_from_queue(self, desk: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """As `queue`, for one of several people: what lies on another's desk is left out, and what this gives lies on
        `desk` for the next three minutes, or for as long as the desk asks again.

        Args:
            desk: any name of at most 64 characters that is one person's alone, such as a random one.
        """
        others = self.store.list_claimed(self.name, besides=desk)
        rows = self.queue(limit=limit, without=others)
        return self._lay_on(desk, rows)

    def _lay_on(self, desk: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of the queue, without those that somebody else has in hand by now; twins too: alone they would come up
        on another desk."""
        messages = [one for row in rows for one in (row["example_id"], *row["twins"])]
        mine = self.store.claim(self.name, messages, desk=desk)
        return [row for row in rows if row["example_id"] in mine]

    def similar_in_queue(self, prediction_id: str, *, desk: str = "", limit: int = 20) -> list[dict[str, Any]]:
        """Messages that wait too and mean much the same as one, nearest first, so that one label may be given to all.

        Args:
            desk: one of several people's, see `take_from_queue`: what lies on another's is left out, and what this
                gives lies on it; "" takes none.
        Returns:
            Rows of the queue with `similarity`, a cosine in the champion's eyes, and `is_sure`: as near as a correction
            must be to decide for another message.
        Raises:
            NoChampion: no model is live that could tell.
        """
        from feilun.feedback import alike_in_meaning

        rows = alike_in_meaning(
            self.store,
            self.name,
            self.store.get_prediction(self.name, prediction_id),
            task=self.task,
            embed=self._read_once,
            sure_from=self.stage.model.thresholds.memory,
            limit=limit,
            without=self.store.list_claimed(self.name, besides=desk) if desk else frozenset(),
        )
        return self._lay_on(desk, rows) if desk else rows

    def clear_desk(self, desk: str) -> None:
        """What lies on a desk is for others again."""
        self.store.release_claims(self.name, desk=desk)

    def queue(self, *, limit: int = 20, without: Set[str] = frozenset()) -> list[dict[str, Any]]:
        """Messages that wait for a person, those that would teach most first; near-identical ones as one.

        While a model is live, messages that mean nearly the same as one further up come later. Where people's
        messages leave room, rows follow whose label looks wrong (`prediction_id` None, `reason` "label_doubt"):
        feedback with their inputs and a label settles them, as `settle_label` does.

        Args:
            without: example ids to leave out.
        """
        from feilun.feedback import review_queue

        rows = review_queue(self.store, self.name, task=self.task, limit=limit, embed=self._reader(), without=without)
        waiting = {row["example_id"] for row in rows} | without
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

    def ask_people(self, text: str, *, actor: str = "python") -> str:
        """Put a message into the review queue, near its top, for whoever looks next; gives its prediction id.

        The champion, or else the latest model, is asked for its suggestion; no user was answered, so it is no traffic.
        A message that somebody has put there already, and that still waits, stays as it is.

        Raises:
            NoModel: there is nothing yet that could suggest a label.
        """
        from feilun.feedback import asked_row
        from feilun.store import new_id
        from feilun.tasks import example_id

        model_id = str(self.get_model()["model_id"])
        row = asked_row(
            project=self.name,
            prediction_id=new_id("p"),
            inputs=self.task.inputs_from(text),
            example_id=example_id(text),
            answer=self.answers_of([text], model_id=model_id)[0],
            model_id=model_id,
        )
        return self.store.ask_people(self.name, row, actor=actor[:64])

    def skip(self, prediction_id: str, *, actor: str = "python") -> None:
        self.store.get_prediction(self.name, prediction_id)
        self.store.skip_in_queue(self.name, prediction_id, actor=actor)

"""Verbs on served predictions, feedback on them, and the review queue."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feilun.records import Usage
from feilun.store import tables as t
from feilun.store.chain import Change
from feilun.store.errors import IdempotencyConflict, NotFound
from feilun.store.tallies import add_tallies, tally_feedback
from feilun.store.usage import Recorded, UsageVerbs, add_usage_now
from feilun.store.verbs import MAX_PAGE, is_id, new_id
from feilun.store.writer import LINGER_S

THUMBS_DOWN_TEACHES = 1.0
# Built once: making the statement anew for every label costs more than running it.
SETTLE = (
    t.predictions.update()
    .where(
        t.predictions.c.project == sa.bindparam("of_project"), t.predictions.c.example_id == sa.bindparam("of_example")
    )
    .values(queue_state="labelled")
)

MOST_LOOKED_AT = 20_000  # of the latest answers: a search must not read a year of them
ASKED = "asked"  # reason of a row that a person put into the queue: no user was answered with it
ARRIVES_WITHIN_S = 20 * LINGER_S  # a busy server's commit comes later than it should


class TrafficVerbs(UsageVerbs):
    """What was answered and what people said about it."""

    def add_predictions(self, rows: Sequence[dict[str, Any]], *, usage: Usage | None = None) -> Future[None]:
        """Queue served predictions for writing; the future resolves once they are on disk.

        Feedback written later by this process always finds them: the writer keeps the order.

        Args:
            usage: what they are on somebody's account; in the ledger if and only if they are on disk.
        """
        return self._record(Recorded(rows, usage))

    def get_prediction(self, project: str, prediction_id: str) -> dict[str, Any]:
        return self._get(self._prediction(project, prediction_id), "prediction", prediction_id)

    def add_feedback(
        self,
        project: str,
        *,
        prediction_id: str | None,
        actor: str,
        body_hash: str,
        inputs: dict[str, Any] | None = None,
        example_id: str = "",
        labels: Sequence[str] | None = None,
        thumb: str | None = None,
        edited_text: str | None = None,
        comment: str | None = None,
        idempotency_key: str | None = None,
        usage: Usage | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """Write feedback durably; returns (row, replayed) only after the commit has been fsynced.

        With a `prediction_id` the inputs are the prediction's; a thumb up makes its labels the right ones. `usage` goes
        into the ledger with it; what was given before is not counted again.
        Raises:
            NotFound: the project has no such prediction.
            IdempotencyConflict: the key was used with another body.
        """

        def work(connection: sa.Connection) -> tuple[dict[str, Any], bool]:
            if idempotency_key is not None:
                known = connection.execute(self._by_key(project, idempotency_key)).mappings().first()
                if known is not None:
                    if known["body_hash"] != body_hash:
                        raise IdempotencyConflict()
                    return dict(known), True
            row: dict[str, Any] = {
                "feedback_id": new_id("fb"),
                "project": project,
                "prediction_id": prediction_id,
                "inputs": inputs or {},
                "example_id": example_id,
                "labels": list(labels) if labels is not None else None,
                "thumb": thumb,
                "edited_text": edited_text,
                "comment": comment,
                "actor": actor,
                "idempotency_key": idempotency_key,
                "body_hash": body_hash,
                "created_at": t.utc_now(),
                "contradicts": None,
            }
            if prediction_id is not None:
                prediction = connection.execute(self._prediction(project, prediction_id)).mappings().first()
                if prediction is None:
                    raise NotFound(what="prediction", ref=prediction_id)
                row["inputs"], row["example_id"] = prediction["inputs"], prediction["example_id"]
                if labels is None and thumb == "up":
                    row["labels"] = prediction["labels"]
                is_other = row["labels"] is not None and set(row["labels"]) != set(prediction["labels"])
                row["contradicts"] = is_other or thumb == "down"
                self._move_in_queue(connection, project, prediction, labelled=row["labels"] is not None, thumb=thumb)
            elif labels is not None and example_id:
                # A label on the message itself settles every answer to it that still waits.
                self._move_in_queue(connection, project, {"example_id": example_id}, labelled=True, thumb=None)
            written = connection.execute(t.feedback.insert(), row)
            add_tallies(connection, tally_feedback(row), writer=self._tally_writer)
            assert written.inserted_primary_key is not None  # the table counts by itself
            if usage is not None:
                add_usage_now(connection, usage)
            return {"seq": written.inserted_primary_key[0], **row}, False

        def write() -> tuple[dict[str, Any], bool]:
            return self.writer.write(work, audit=lambda said: None if said[1] else _told(said[0]))

        try:
            return write()
        except NotFound:
            if prediction_id is None or not self._arrives(project, prediction_id):
                raise
            return write()

    def _arrives(self, project: str, prediction_id: str) -> bool:
        """Wait a moment for a prediction that another server has answered with and is about to write.

        Its row may linger there, see `writer.LINGER_S`, and the feedback may come here meanwhile. Only for ids that may
        have been made by us: whoever guesses does not hold up a thread.
        """
        until = time.monotonic() + ARRIVES_WITHIN_S
        while is_id(prediction_id, "p") and time.monotonic() < until:
            time.sleep(LINGER_S / 2)
            if self._find(self._prediction(project, prediction_id)) is not None:
                return True
        return False

    def get_feedback(self, project: str, feedback_id: str) -> dict[str, Any]:
        query = sa.select(t.feedback).where(t.feedback.c.project == project, t.feedback.c.feedback_id == feedback_id)
        return self._get(query, "feedback", feedback_id)

    def list_feedback(self, project: str, *, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """In the order it came, those with seq > after."""
        query = sa.select(t.feedback).where(t.feedback.c.project == project, t.feedback.c.seq > after)
        return self._list(query.order_by(t.feedback.c.seq).limit(min(limit, MAX_PAGE)))

    def list_latest_feedback(
        self, project: str, *, before: int | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Latest first, those with seq < before; None: from the end of the log."""
        query = sa.select(t.feedback).where(t.feedback.c.project == project)
        if before is not None:
            query = query.where(t.feedback.c.seq < before)
        return self._list(query.order_by(t.feedback.c.seq.desc()).limit(min(limit, MAX_PAGE)))

    def list_corrections(self, project: str, *, after: int = 0, up_to: int | None = None) -> list[dict[str, Any]]:
        """All feedback that says the right labels, in the order it came, with after < seq <= up_to."""
        query = sa.select(t.feedback).where(
            t.feedback.c.project == project, t.feedback.c.seq > after, t.feedback.c.labels.is_not(sa.null())
        )
        if up_to is not None:
            query = query.where(t.feedback.c.seq <= up_to)
        return self._list(query.order_by(t.feedback.c.seq))

    def count_corrections(self, project: str, *, after: int = 0) -> int:
        """How many rows of feedback with seq > after say the right labels."""
        f = t.feedback.c
        query = sa.select(sa.func.count().label("n")).where(
            f.project == project, f.seq > after, f.labels.is_not(sa.null())
        )
        row = self._find(query)
        return int(row["n"]) if row else 0

    def list_queue(self, project: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """Predictions that wait for a person, those that teach most first; each message once.

        `challenger_labels`: what a shadow said, where it said something else; None elsewhere.
        """
        open_rows = (t.predictions.c.project == project, t.predictions.c.queue_state == "open")
        latest = sa.select(sa.func.max(t.predictions.c.seq)).where(*open_rows).group_by(t.predictions.c.example_id)
        shadow = t.shadow_answers.c
        beside = sa.and_(shadow.prediction_id == t.predictions.c.prediction_id, shadow.agrees.is_(False))
        query = (
            sa.select(t.predictions, shadow.labels.label("challenger_labels"))
            .join_from(t.predictions, t.shadow_answers, beside, isouter=True)
            .where(t.predictions.c.seq.in_(latest))
        )
        return self._list(query.order_by(t.predictions.c.teach.desc(), t.predictions.c.seq).limit(min(limit, MAX_PAGE)))

    def list_unasked(self, project: str, *, limit: int = 1000) -> list[dict[str, Any]]:
        """The latest `limit` served predictions without those that wait for a person or were spoken on; each message
        once, latest first."""
        p, settled = t.predictions.c, self.list_settled(project)
        query = sa.select(t.predictions).where(p.project == project, p.queue_state == "none")
        rows = self._list(query.order_by(p.seq.desc()).limit(limit))
        latest = {row["example_id"]: row for row in reversed(rows)}  # of equal messages the latest stays
        return [row for row in rows if latest[row["example_id"]] is row and row["example_id"] not in settled]

    def list_answers(
        self,
        project: str,
        *,
        label: str | None = None,
        reason: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """What was answered, latest first: of a label, of a reason, from a time on; among the latest MOST_LOOKED_AT.

        Args:
            before: the `seq` of the last row of the page before.
        """
        p = t.predictions.c
        lately = sa.select(t.predictions).where(p.project == project, p.reason != ASKED).order_by(p.seq.desc())
        if before is not None:
            lately = lately.where(p.seq < before)
        found = lately.limit(MOST_LOOKED_AT).subquery()
        query = sa.select(found).order_by(found.c.seq.desc()).limit(min(limit, MAX_PAGE))
        if label is not None:  # as it stands in the list, quotes and escapes included
            query = query.where(sa.cast(found.c.labels, sa.Text).contains(json.dumps(label), autoescape=True))
        if reason is not None:
            query = query.where(found.c.reason == reason)
        if since is not None:
            query = query.where(found.c.created_at >= since)
        return self._list(query)

    def list_asked(self, project: str, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """The inputs of the latest `limit` predictions that were made until `until`, latest first."""
        p = t.predictions.c
        query = sa.select(p.inputs).where(p.project == project, p.created_at <= until, p.reason != ASKED)
        return self._list(query.order_by(p.seq.desc()).limit(limit))

    def list_settled(self, project: str) -> set[str]:
        """Example ids of messages that need no question: labelled, skipped, or commented on without an answer."""
        p, f = t.predictions.c, t.feedback.c
        spoken = sa.select(f.example_id).where(
            f.project == project, sa.or_(f.labels.is_not(sa.null()), f.prediction_id.is_(None))
        )
        settled = sa.select(p.example_id).where(p.project == project, p.queue_state.in_(("labelled", "skipped")))
        return {row["example_id"] for row in self._list(sa.union(spoken, settled))}

    def skip_in_queue(self, project: str, prediction_id: str, *, actor: str) -> None:
        """Put a message, however often it was asked, out of the review queue without a label."""
        example = sa.select(t.predictions.c.example_id).where(
            t.predictions.c.project == project, t.predictions.c.prediction_id == prediction_id
        )
        query = t.predictions.update().where(
            t.predictions.c.project == project,
            t.predictions.c.example_id == example.scalar_subquery(),
            t.predictions.c.queue_state == "open",
        )
        self.writer.write(
            lambda c: c.execute(query.values(queue_state="skipped")).rowcount,
            audit=lambda n_rows: Change("queue.skipped", prediction_id, actor, project) if n_rows else None,
        )

    def ask_people(self, project: str, row: dict[str, Any], *, actor: str) -> str:
        """Add a row of the review queue that no user's message brought; gives the prediction id under which it waits.

        Where one for the same message waits already, that one stays.
        """
        p = t.predictions.c
        waiting = sa.select(p.prediction_id).where(
            p.project == project,
            p.example_id == row["example_id"],
            p.queue_state == "open",
            p.reason == ASKED,
        )

        def work(connection: sa.Connection) -> tuple[str, bool]:
            known = connection.execute(waiting.limit(1)).scalar_one_or_none()
            if known is not None:
                return str(known), False
            connection.execute(t.predictions.insert(), row | {"project": project})
            return str(row["prediction_id"]), True

        return self.writer.write(
            work,
            audit=lambda said: Change("queue.asked", said[0], actor, project) if said[1] else None,
        )[0]

    def count_queue(self, project: str) -> int:
        """Predictions that wait for a person; answered from an index."""
        query = sa.select(sa.func.count().label("n")).where(
            t.predictions.c.project == project, t.predictions.c.queue_state == "open"
        )
        row = self._find(query)
        return int(row["n"]) if row else 0

    def count_traffic(self, project: str) -> dict[str, int]:
        """Counts by decision and queue state: predictions, handed_over, open, feedback, corrections."""

        def count(table: sa.Table, *where: Any) -> int:
            row = self._find(
                sa.select(sa.func.count().label("n")).select_from(table).where(table.c.project == project, *where)
            )
            return int(row["n"]) if row else 0

        p, f = t.predictions, t.feedback
        return {
            "predictions": count(p, p.c.reason != ASKED),
            "handed_over": count(p, p.c.decision == "hand_over", p.c.reason != ASKED),
            "open": count(p, p.c.queue_state == "open"),
            "feedback": count(f),
            "corrections": count(f, f.c.labels.is_not(sa.null())),
        }

    @staticmethod
    def _move_in_queue(
        connection: sa.Connection, project: str, prediction: Any, *, labelled: bool, thumb: str | None
    ) -> None:
        if labelled:
            connection.execute(SETTLE, {"of_project": project, "of_example": prediction["example_id"]})
        elif thumb == "down":
            teach = t.predictions.c.teach + THUMBS_DOWN_TEACHES
            connection.execute(
                t.predictions.update()
                .where(t.predictions.c.seq == prediction["seq"])
                .values(queue_state="open", teach=teach)
            )

    @staticmethod
    def _prediction(project: str, prediction_id: str) -> sa.Select[Any]:
        return sa.select(t.predictions).where(
            t.predictions.c.project == project, t.predictions.c.prediction_id == prediction_id
        )

    @staticmethod
    def _by_key(project: str, idempotency_key: str) -> sa.Select[Any]:
        return sa.select(t.feedback).where(
            t.feedback.c.project == project, t.feedback.c.idempotency_key == idempotency_key
        )


def _told(row: dict[str, Any]) -> Change:
    """What the audit log tells of feedback: who said what kind of thing about which answer, none of the words."""
    kind = {"prediction_id": row["prediction_id"], "n_labels": len(row["labels"] or ()), "thumb": row["thumb"]}
    return Change("feedback.given", row["feedback_id"], row["actor"], row["project"], details=kind)

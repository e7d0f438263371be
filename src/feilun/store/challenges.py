"""Verbs on the traffic of a shadow or canary: what each model did with its share of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import TRAFFIC
from feilun.store.verbs import MAX_PAGE, Verbs

MOST_LABELLED = 10_000  # compared messages with a known label that are looked at


class ChallengeVerbs(Verbs):
    """What champion and challenger did, side by side."""

    def add_shadow_answers(self, rows: Sequence[dict[str, Any]], *, teach: float) -> Future[None]:
        """Queue what a shadow said of predictions that were queued before; the future resolves once it is on disk.

        Args:
            teach: where the two disagree, the message joins the review queue and teaches so much, if not more already.
        """
        different = [row["prediction_id"] for row in rows if not row["agrees"]]
        p = t.predictions.c

        def work(connection: sa.Connection) -> None:
            connection.execute(t.shadow_answers.insert(), list(rows))
            query = t.predictions.update().where(p.prediction_id.in_(different), p.queue_state == "none")
            connection.execute(query.values(queue_state="open", teach=sa.case((p.teach > teach, p.teach), else_=teach)))

        return self.writer.submit(work, audit=TRAFFIC, may_linger=True)

    def count_by_bucket(self, project: str, release_id: str) -> list[dict[str, Any]]:
        """What was answered under a shadow or canary, by bucket and by the model that answered.

        Rows have bucket, model_id, n_messages, n_handed_over and n_contradicted: answers that feedback speaks against.
        """
        p, f = t.predictions.c, t.feedback.c
        spoken_against = sa.exists().where(
            f.project == project, f.prediction_id == p.prediction_id, f.contradicts.is_(True)
        )

        query = (
            sa.select(
                p.bucket,
                p.model_id,
                sa.func.count().label("n_messages"),
                _count_where(p.decision == "hand_over").label("n_handed_over"),
                _count_where(sa.and_(p.decision == "answer", spoken_against)).label("n_contradicted"),
            )
            .where(p.project == project, p.release_id == release_id)
            .group_by(p.bucket, p.model_id)
        )
        return [{name: int(v) if name != "model_id" else v for name, v in row.items()} for row in self._list(query)]

    def count_shadow(self, project: str, release_id: str) -> dict[str, int]:
        """How often the two were compared, agreed, and handed over; and, where the label is known, were right."""
        p, s = t.predictions.c, t.shadow_answers.c

        counted = self._list(
            sa.select(
                sa.func.count().label("n_compared"),
                _count_where(s.agrees.is_(True)).label("n_agreed"),
                _count_where(p.decision == "hand_over").label("n_champion_handed_over"),
                _count_where(s.decision == "hand_over").label("n_challenger_handed_over"),
            )
            .join_from(t.shadow_answers, t.predictions, s.prediction_id == p.prediction_id)
            .where(s.project == project, s.release_id == release_id)
        )[0]
        return {name: int(value) for name, value in counted.items()} | self._count_right(project, release_id)

    def _count_right(self, project: str, release_id: str) -> dict[str, int]:
        """Of messages whose right label somebody told, the latest word on each."""
        p, s, f = t.predictions.c, t.shadow_answers.c, t.feedback.c
        told = (
            sa.select(
                p.labels.label("champion"), s.labels.label("challenger"), f.labels.label("right"), p.prediction_id
            )
            .join_from(t.shadow_answers, t.predictions, s.prediction_id == p.prediction_id)
            .join(t.feedback, sa.and_(f.project == project, f.prediction_id == p.prediction_id))
            .where(s.project == project, s.release_id == release_id, f.labels.is_not(sa.null()))
            .order_by(f.seq.desc())
        )
        latest: dict[str, dict[str, Any]] = {}
        for row in self._list(told.limit(MOST_LABELLED)):
            latest.setdefault(row["prediction_id"], row)
        right = {who: sum(set(row[who]) == set(row["right"]) for row in latest.values()) for who in _BOTH}
        return {"n_labelled": len(latest)} | {f"n_{who}_right": n for who, n in right.items()}

    def list_differences(self, project: str, release_id: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """Messages that champion and shadow answered otherwise, latest first."""
        p, s = t.predictions.c, t.shadow_answers.c
        query = (
            sa.select(
                p.prediction_id,
                p.inputs,
                p.labels.label("champion"),
                p.confidence.label("champion_confidence"),
                s.labels.label("challenger"),
                s.confidence.label("challenger_confidence"),
                p.created_at,
            )
            .join_from(t.shadow_answers, t.predictions, s.prediction_id == p.prediction_id)
            .where(s.project == project, s.release_id == release_id, s.agrees.is_(False))
        )
        return self._list(query.order_by(s.seq.desc()).limit(min(limit, MAX_PAGE)))


_BOTH = ("champion", "challenger")


def _count_where(condition: Any) -> Any:
    """Of the rows that are added up, those for which `condition` holds; 0 of none."""
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

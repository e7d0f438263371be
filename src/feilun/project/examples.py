"""Single held-out messages of a model, its confusion matrix and its threshold; any model asked, and why it says so."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any

from feilun.project.errors import LabelUnknown
from feilun.project.models import ModelVerbs
from feilun.records import Answer, Report, Spent

if TYPE_CHECKING:
    from feilun.evaluate import Confusion, ExampleFilter, ExamplePage, Explanation, Judged, Order, ThresholdCurve
    from feilun.serve.engine import Guests, LoadedModel, Scored

MOST_LOOKED_AT = 2  # as many as are compared


class ExampleVerbs(ModelVerbs):
    """A look at what is behind a report, message by message."""

    def examples(
        self,
        model_id: str | None = None,
        *,
        wanted: ExampleFilter | None = None,
        order: Order = "surest",
        after: int = 0,
        limit: int = 50,
    ) -> ExamplePage:
        """Held-out messages as a model answered them when it was judged, a page at a time.

        Args:
            model_id: None takes the champion, or the latest model while nothing is live.
            wanted: which ones; None: all.
            order: "surest" begins with what the model was surest of, so that its worst mistakes come first.
            after: how many have been seen; `next_after` of the page before.
        Raises:
            NoModel, NotFound: there is no such model.
            JudgedGone: what it said of single messages is not kept.
        """
        from feilun.evaluate import ExampleFilter

        return self._judged(model_id).page(wanted or ExampleFilter(), order=order, after=after, limit=limit)

    def confusion(self, model_id: str | None = None) -> Confusion:
        """Which classes a model took for which, all of them; arguments and errors as `examples`."""
        return self._judged(model_id).confusion()

    def thresholds(self, model_id: str | None = None) -> ThresholdCurve:
        """What other thresholds than a model's own would have come to; arguments and errors as `examples`."""
        return self._judged(model_id).threshold_curve()

    def answers_of(self, texts: Sequence[str], *, model_id: str | None = None) -> list[Answer]:
        """What a model, live or not, says by itself; nothing is recorded, and no correction has a part in it.

        Raises:
            NoModel, NotFound: there is no such model.
            BundleMissing, BundleDamaged, BundleTooNew: it cannot be loaded.
        """
        return self.ask_model(texts, model_id=model_id).result()[0] if texts else []

    def ask_model(
        self, texts: Sequence[str], *, model_id: str | None = None, deadline_s: float | None = None
    ) -> Future[tuple[list[Answer], Spent]]:
        """As `answers_of`, without waiting, for at least one text; `deadline_s` and what may go wrong as for `ask`."""

        def answer(said: Scored) -> tuple[list[Answer], Spent]:
            return said.model.answers(said.probs), said.spent

        return self.stage.score(texts, model=self._load(model_id), then=answer, deadline_s=deadline_s)

    def explain(self, text: str, *, label: str | None = None, model_id: str | None = None) -> Explanation:
        """Which words of a message made a model say a label: what it loses when each is left out.

        Args:
            label: None explains the likeliest one.
            model_id: None takes the champion, or the latest model while nothing is live.
        Raises:
            LabelUnknown: the model knows no such label.
            NoModel, NotFound, BundleMissing, BundleDamaged, BundleTooNew: as `answers_of`.
        """
        return self.ask_why(text, label=label, model_id=model_id).result()[0]

    def ask_why(
        self, text: str, *, label: str | None = None, model_id: str | None = None, deadline_s: float | None = None
    ) -> Future[tuple[Explanation, Spent]]:
        """As `explain`, without waiting; `deadline_s` and what else may go wrong as for `ask`."""
        from feilun.evaluate import occlude

        model = self._load(model_id)
        if label is not None and label not in model.labels:
            raise LabelUnknown(label=label[:200], model_id=model.model_id)
        cut = occlude(text)

        def weigh_words(said: Scored) -> tuple[Explanation, Spent]:
            return _explained(cut, said, label), said.spent

        return self.stage.score(cut.variants, model=model, then=weigh_words, deadline_s=deadline_s)

    def asked_to_explain(self, text: str) -> list[str]:
        """The texts that explaining `text` runs through the network."""
        from feilun.evaluate import occlude

        return occlude(text).variants

    @cached_property
    def guests(self) -> Guests:
        """Models that were asked for by name lately."""
        from feilun.serve.engine import Guests

        return Guests()

    def refresh(self) -> None:
        super().refresh()
        if "guests" in self.__dict__:
            self.guests.let_go()

    def _load(self, model_id: str | None) -> LoadedModel:
        found = str(self.get_model(model_id)["model_id"])
        return self.stage.on_stage(found) or self.guests.get(found, self.store.model_path(found))

    def _judged(self, model_id: str | None) -> Judged:
        """The last ones are at hand: a page further, or another filter, costs no reading."""
        from feilun.wheel.judged import read_judged

        row = self.get_model(model_id)
        found = str(row["model_id"])
        known = next((one for one in self._looked_at if one.model_id == found), None)
        if known is not None:
            return known
        task, labels = self._as_made(found)
        judged = read_judged(
            self.store, model_id=found, report=Report.model_validate(row["report"]), labels=labels, task=task
        )
        self._looked_at = (judged, *self._looked_at)[:MOST_LOOKED_AT]
        return judged

    def _as_made(self, model_id: str) -> tuple[Any, tuple[str, ...]]:
        """The task and the classes that a model was made for."""
        from feilun.models.bundle import read_manifest
        from feilun.models.serving import read_spec
        from feilun.tasks import get_task

        folder = self.store.model_path(model_id)
        return get_task(read_spec(folder).task), read_manifest(folder).labels


def _explained(cut: Any, scored: Scored, label: str | None) -> Explanation:
    from feilun.evaluate import Explanation, weigh
    from feilun.evaluate.occlusion import MAX_CHARS

    column = int(scored.probs[0].argmax()) if label is None else scored.model.labels.index(label)
    return Explanation(
        model_id=scored.model.model_id,
        label=scored.model.labels[column],
        probability=float(scored.probs[0, column]),
        words=tuple(weigh(scored.probs[:, column], cut)),
        n_read=min(len(cut.text), MAX_CHARS),
    )

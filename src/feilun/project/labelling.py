"""Choosing what to label next, and starting from no labels at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.config import FeilunSettings
from feilun.errors import language
from feilun.project.feedback import FeedbackVerbs
from feilun.records import LabelledFile, LabelProposal, SuggestionBatch

if TYPE_CHECKING:
    pass
DOUBTS_SHARE = 0.25  # of a batch of suggestions at most: a wrong label teaches wrongly, but many doubts are mistaken


class LabellingVerbs(FeedbackVerbs):
    """Messages worth a label."""

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

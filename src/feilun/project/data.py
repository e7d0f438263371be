"""What a turn would learn from."""

from __future__ import annotations

import logging
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.config import CONFIG_NAME, SourceSettings, add_source
from feilun.disk import write_whole
from feilun.errors import FeilunError
from feilun.project.errors import TooFewRows
from feilun.project.traffic import TrafficVerbs
from feilun.records import DataReport, Dataset, LabelDoubt, LearningCurve
from feilun.store.chain import Change

if TYPE_CHECKING:
    from feilun.wheel.doubts import DoubtfulRow

log = logging.getLogger(__name__)
ADDED = "data"  # the folder, in the project's, of files that were handed over


class DataVerbs(TrafficVerbs):
    """The data as they are now, and which labels are in doubt."""

    def check_data(self) -> DataReport:
        """What a turn would find in the data now; writes nothing."""
        from feilun.wheel.doubts import said

        dataset, report = self._build()
        doubts = self._open_doubts(dataset)
        listed = tuple((row.place, said(row.example.target), said(row.doubt.suggested)) for row in doubts)
        return report.model_copy(update={"n_label_doubts": len(doubts), "label_doubts": listed})

    def add_data(
        self,
        data: str | Path,
        *,
        name: str = "",
        text: str | None = None,
        label: str | None = None,
        actor: str = "python",
    ) -> SourceSettings:
        """Copy a file of messages into the project; turns learn from it from the next one on.

        Args:
            name: what its owner calls it, for messages.
            text, label: its columns; None: those of the first source where it has them, else as guessed.
        Raises:
            FileMissing and whatever else `inspect_file` raises: nothing has changed.
        """
        from feilun.data import inspect_file, open_table

        data, first = Path(data), self.settings.data.sources[0]
        columns = open_table(data, name=name or str(data)).columns
        known = {one for one in (first.text, first.label) if one in columns}
        if len(known) == 2:
            text, label = text or first.text, label or first.label
        guess = inspect_file(data, name=name, text=text, label=label)
        kept = self.folder / ADDED / f"{secrets.token_hex(6)}{data.suffix}"
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(data, kept)
        source = SourceSettings(path=f"{ADDED}/{kept.name}", text=guess.text, label=guess.label)
        config = self.folder / CONFIG_NAME
        with self._config_lock():
            write_whole(config, add_source(config.read_text("utf-8"), source))
        self._follow_settings()
        self.store.add_audit(Change("data.added", source.path, actor, tenant=self.tenant, project=self.name))
        return source

    def doubtful_labels(self, *, limit: int = 20) -> list[dict[str, Any]]:
        """Training rows whose label looks wrong by the last turn's cross-validation, the most doubtful first.

        A row is no longer listed once its label has changed, or somebody has confirmed or corrected it (feedback with
        its inputs does, and so does `settle_label`).
        """
        return [row.fields() for row in self._open_doubts(self._build()[0])[:limit]]

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

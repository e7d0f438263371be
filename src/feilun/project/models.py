"""Models and their reports, and smaller forms of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.project.answers import AnswerVerbs
from feilun.project.errors import ModelUnfit, NoModel, ReportUnreadable
from feilun.records import CompressResult, CompressWish, Manifest, Report

if TYPE_CHECKING:
    pass


class ModelVerbs(AnswerVerbs):
    """Finished models."""

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

    def import_model(self, archive: str | Path) -> str:
        """Take over a bundle that was exported elsewhere, as a model that can be promoted; gives its id.

        Every file of it is checked, and the model is loaded and asked once, before it has a place in the workspace.
        What its report says is its maker's word. Taking the same one over again changes nothing.

        Raises:
            ArchiveMissing, ArchiveUnknown, ArchiveRefused: not an archive of ours.
            BundleMissing, BundleDamaged, BundleTooNew, UnsafeModel, UnsupportedModel: it holds no sound model.
            ModelUnfit: it does another task.
            ReportUnreadable: its report is none.
        """
        from feilun.models.bundle import import_bundle, read_manifest

        archive = Path(archive)
        folder = import_bundle(archive, self.store.models_dir, check=lambda aside: self._must_fit(archive, aside))
        report = self._read_report(archive, folder)
        size = sum(entry.size for entry in read_manifest(folder).files)
        self.store.add_model(
            self.name,
            model_id=folder.name,
            turn_id="",  # no turn of this workspace, no dataset of it: the report and the manifest name theirs
            dataset_id="",
            report=report.model_copy(update={"model_id": folder.name}).model_dump(mode="json"),
            size_mb=round(size / 1e6, 3),
        )
        return folder.name

    def _must_fit(self, archive: Path, folder: Path) -> None:
        from feilun.serve.engine import load_bundle

        model = load_bundle(folder)
        kinds = [
            f"{settings.type}, multi_label = {settings.multi_label}".lower()
            for settings in (model.spec.task, self.settings.task)
        ]
        if kinds[0] != kinds[1]:
            raise ModelUnfit(file=str(archive), project=self.name, found=kinds[0], expected=kinds[1])
        self._read_report(archive, folder)

    def _read_report(self, archive: Path, folder: Path) -> Report:
        from feilun.models.serving import REPORT_NAME

        try:
            return Report.model_validate_json((folder / REPORT_NAME).read_bytes())
        except (OSError, ValueError) as error:
            raise ReportUnreadable(file=str(archive), found=f"{REPORT_NAME}: {type(error).__name__}") from error

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

    def get_compression(self, compression_id: str) -> dict[str, Any]:
        """One that was asked for: how far it is, or what it came to."""
        return self.store.get_compression(self.name, compression_id)

    def list_compressions(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """Compressions that were asked for, latest first."""
        return self.store.list_compressions(self.name, limit=limit)


def _wish(n_layers: Sequence[int] | None, widths: Sequence[float], only_show: bool) -> CompressWish:
    layers = None if n_layers is None else tuple(n_layers)
    return CompressWish(n_layers=layers, widths=tuple(widths), only_show=only_show)

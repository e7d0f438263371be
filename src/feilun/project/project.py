"""Project: the façade that turns the wheel. The command line, the API and Python users all call this."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.config import CONFIG_NAME, ConfigMissing, dump_settings
from feilun.disk import write_whole
from feilun.project.alerts import AlertVerbs
from feilun.project.audit import AuditVerbs
from feilun.project.datasets import DatasetVerbs
from feilun.project.errors import ProjectExists
from feilun.project.labelling import LabellingVerbs
from feilun.project.opening import HEADER, propose_settings
from feilun.project.settings import SettingsVerbs
from feilun.project.turns import TurnVerbs
from feilun.project.workspace import Workspace
from feilun.store import find_workspace

if TYPE_CHECKING:
    from feilun.operate.archive import BackupManifest
    from feilun.operate.findings import Finding


class Project(TurnVerbs, LabellingVerbs, AlertVerbs, AuditVerbs, SettingsVerbs, DatasetVerbs):
    """One folder with a feilun.toml, and everything that can be done with it.

    Use it as a context manager, or call `close`. Verbs may be called from any thread.

    Raises:
        ConfigMissing, ConfigInvalid: there is no readable feilun.toml in `folder`.
    """

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
        write_whole(folder / CONFIG_NAME, dump_settings(settings, header=HEADER))
        return cls(folder)

    @cached_property
    def workspace(self) -> Workspace:
        """The tenants and keys of the workspace that the project is in; open as long as the project is."""
        return Workspace.around(self.store)

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def backup(self, out: str | Path, *, actor: str = "python") -> BackupManifest:
        """One archive of the workspace, made while it is served: rows, models, datasets, the projects' own files.

        `Project.restore` makes a workspace of it again.

        Raises:
            BackupExists, FolderRefused, NoRoom: `out` cannot be written.
            DatabaseDamaged, BundleDamaged, BundleMissing: what is to be kept is not whole.
        """
        from feilun.operate import back_up

        return back_up(self.store, Path(out), actor=actor)

    @staticmethod
    def restore(archive: str | Path, folder: str | Path, *, url: str = "", actor: str = "python") -> BackupManifest:
        """Write what `backup` kept into `folder`, which must be missing or empty.

        Args:
            url: of an empty PostgreSQL database for the rows; empty: SQLite in `folder`.
        Raises:
            StoreUrlInvalid, StoreUnavailable, DatabaseNotEmpty: the database cannot take the rows.
            BackupMissing, BackupRefused, BackupTooNew: the archive is none that can be restored; nothing was written.
            FolderNotEmpty, FolderRefused, NoRoom: `folder` cannot take it.
        """
        from feilun.operate import restore

        return restore(archive, folder, url=url, actor=actor)

    @staticmethod
    def doctor(folder: str | Path = ".") -> tuple[Finding, ...]:
        """What is wrong with a workspace and this machine, and what to do; also where no project can be opened."""
        from feilun.operate import examine

        return examine(Path(folder))


def open_projects(folder: str | Path, *, may_be_empty: bool = False) -> dict[str, Project]:
    """The project in `folder`, or all those in its sub-folders, by name.

    Raises:
        ConfigMissing: there is none, and it may not be empty.
    """
    folder = Path(folder).resolve()
    if (folder / CONFIG_NAME).is_file():
        folders = [folder]
    else:
        folders = sorted(path.parent for path in folder.glob(f"*/{CONFIG_NAME}"))
    if not folders and not may_be_empty:
        raise ConfigMissing(name=CONFIG_NAME, folder=str(folder))
    projects = [Project(path) for path in folders]
    return {project.name: project for project in projects}

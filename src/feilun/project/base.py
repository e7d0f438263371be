"""What all verbs of a project stand on: its folder, settings, task and store."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from feilun.config import CONFIG_NAME, FeilunSettings, load_settings
from feilun.errors import FeilunError
from feilun.records import Challenge
from feilun.store import HOUSE, Store, TenantUnknown, find_workspace
from feilun.tasks import Task, get_task

if TYPE_CHECKING:
    from feilun.evaluate import Judged
    from feilun.wheel.doubts import DoubtfulRow

log = logging.getLogger(__name__)
# Whose the project is, what it learns and on which backbone stay as they were when it was opened.
LIVE = ("data", "train", "evaluate", "compress", "goal", "release", "serve", "alerts", "label", "improve")


class Base:
    """A folder with a feilun.toml, opened. The verbs are in the files beside this one, a room of the loop each."""

    def __init__(self, folder: str | Path = ".") -> None:
        self.folder = Path(folder).resolve()
        self._seen_config = _stamp(self.folder / CONFIG_NAME)
        self.settings: FeilunSettings = load_settings(self.folder)
        self.name, self.tenant = self.settings.project.name, self.settings.project.tenant
        self.task: Task = get_task(self.settings.task)
        self.store = self._open_store()
        self._swapping = threading.Lock()  # held while a champion is loaded: seconds
        self._remembering = threading.Lock()  # held while corrections are taken up: milliseconds
        self._seen_release = ""
        self._challenge: Challenge | None = None  # the one whose model is on stage
        self._challenger_trouble: tuple[str, FeilunError] | None = None  # of which release, and why
        self._try_challenger_at = 0.0
        self._seen_feedback: int | None = None
        self._known_labels: tuple[float, tuple[str, ...]] = (0.0, ())  # until when, and which
        self._backlog: list[dict[str, Any]] = []
        self._read: dict[tuple[str, str], Any] = {}
        self._doubted: tuple[Any, list[DoubtfulRow]] = (None, [])
        self._alert_counts: tuple[float, int, Any] = (0.0, 0, None)  # until when, of how many hours, and which
        self._looked_at: tuple[Judged, ...] = ()  # holdouts of the models that somebody looked through last

    def _config_lock(self) -> FileLock:
        """Held while feilun.toml is read and written anew, by whichever process."""
        return FileLock(self.store.lock_path(f"settings-{self.name}"))

    def _follow_settings(self) -> None:
        """Take up what somebody has changed in feilun.toml, as far as it may change while the project is open."""
        seen = _stamp(self.folder / CONFIG_NAME)
        if seen == self._seen_config:
            return
        self._seen_config = seen
        try:
            found = load_settings(self.folder)
        except FeilunError as error:
            log.warning("the settings of %s stay as they were: %s", self.name, error.message("en"))
        else:
            self.settings = self.settings.model_copy(update={name: getattr(found, name) for name in LIVE})

    def _open_store(self) -> Store:
        """The workspace, with this project in it.

        Raises:
            TenantUnknown: nobody made the tenant that the settings name.
        """
        workspace, url = find_workspace(self.folder), self.settings.store.url
        if self.tenant != HOUSE and not url and not workspace.is_dir():
            # Beginning one here would hide the one that is about to be made in a folder above, with the tenant in it.
            raise TenantUnknown(tenant=self.tenant)
        store = Store(workspace, url=url)
        try:
            store.add_project(self.name, folder=self.folder, tenant=self.tenant)
        except FeilunError:
            store.close()
            raise
        return store


def _stamp(path: Path) -> tuple[int, ...]:
    """Another one whenever the file is another one."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino

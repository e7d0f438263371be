"""What the steps of one turn share: the store, the settings as they were when the turn began, where to work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feilun.config import FeilunSettings
from feilun.records import Dataset
from feilun.store import Store
from feilun.tasks import Task, get_task

OnEvent = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class TurnContext:
    """Made anew by every process that takes a turn up; everything in it comes from the store."""

    store: Store
    folder: Path
    turn: dict[str, Any]
    settings: FeilunSettings
    task: Task

    @classmethod
    def load(cls, store: Store, *, folder: Path, project: str, turn_id: str) -> TurnContext:
        turn = store.get_turn(project, turn_id)
        settings = FeilunSettings.model_validate(turn["settings"])
        return cls(store=store, folder=folder, turn=turn, settings=settings, task=get_task(settings.task))

    @property
    def project(self) -> str:
        return str(self.turn["project"])

    @property
    def turn_id(self) -> str:
        return str(self.turn["turn_id"])

    @property
    def workdir(self) -> Path:
        return self.store.turn_path(self.turn_id)

    @property
    def config_hash(self) -> str:
        canonical = json.dumps(self.turn["settings"], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def parent_model_id(self) -> str | None:
        """The model that this one is a smaller form of; None in a turn, which makes its model from data."""
        return self.turn.get("parent_model_id")

    def event(self, kind: str, data: dict[str, Any]) -> None:
        """Tell whoever follows the turn."""
        self.store.add_event(self.project, kind=kind, data=data, turn_id=self.turn_id)

    def dataset(self, dataset_id: str) -> Dataset:
        from feilun.data import read_snapshot

        return read_snapshot(self.store.dataset_path(dataset_id))

    def previous_dataset(self) -> Dataset | None:
        """The snapshot of the last finished turn: its holdout stays holdout, its training rows stay training rows."""
        last = self.store.find_last_turn(self.project)
        return self.dataset(last["dataset_id"]) if last else None

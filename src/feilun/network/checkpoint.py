"""Work that a killed process finds again: arrays and a few facts by name, each written aside and renamed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

KEY_FILE = "key"


class Checkpoints:
    """A folder of checkpoints that all belong to the same work; `key` says which, and others are thrown away.

    One file a name, replaced whole: safetensors with the facts as JSON in its header. Nothing here can execute.
    """

    def __init__(self, folder: Path, *, key: str) -> None:
        self.folder = folder
        try:
            same = (folder / KEY_FILE).read_text("utf-8") == key
        except OSError:
            same = False
        if not same:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / KEY_FILE).write_text(key, "utf-8")

    def find(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The arrays and facts kept under `name`; None when there are none, or they cannot be read."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._path(name), framework="np") as file:
                facts = json.loads(file.metadata()["facts"])
                return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None

    def save(self, name: str, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Keep these under `name`, in place of what was there."""
        from safetensors.numpy import save

        contiguous = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        aside = self._path(name).with_suffix(".partial")
        with aside.open("wb") as file:
            file.write(save(contiguous, metadata={"facts": json.dumps(facts)}))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path(name))

    def names(self) -> list[str]:
        """Everything that is kept."""
        return sorted(path.stem for path in self.folder.glob("*.safetensors"))

    def drop(self, name: str) -> None:
        """Forget what is kept under `name`."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

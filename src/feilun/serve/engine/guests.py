"""Models that are asked now and then beside the live one: loaded when asked, let go when nobody asks any more."""

from __future__ import annotations

import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from feilun.serve.engine.load import LoadedModel, load_bundle

MOST = 3  # at once: with the live model and a challenger five, about 50 MB each
IDLE_S = 60.0


class Guests:
    """The latest few models that somebody asked for by name. May be used from any thread."""

    def __init__(self, *, most: int = MOST, idle_s: float = IDLE_S) -> None:
        self._most, self._idle_s = most, idle_s
        self._models: OrderedDict[str, tuple[LoadedModel, float]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._models)

    def get(self, model_id: str, folder: Path) -> LoadedModel:
        """The model in `folder`, from before or loaded now; the one that was not asked for the longest goes for it.

        One is loaded at a time, so no more than `most` are ever in memory.

        Raises:
            BundleMissing, BundleDamaged, BundleTooNew, UnknownTask: as `load_bundle`.
        """
        with self._lock:
            known = self._models.pop(model_id, None)
            if known is None and len(self._models) >= self._most:
                self._models.popitem(last=False)
            model = known[0] if known else load_bundle(folder)
            self._models[model_id] = (model, time.monotonic())
        return model

    def let_go(self) -> None:
        """Forget those that nobody has asked for a while."""
        if not self._models or not self._lock.acquire(blocking=False):
            return  # somebody is loading one
        try:
            before = time.monotonic() - self._idle_s
            for model_id in [one for one, (_, asked_at) in self._models.items() if asked_at < before]:
                del self._models[model_id]
        finally:
            self._lock.release()

"""The settings of tune for as many examples and classes as there are."""

from __future__ import annotations

from typing import Any

from feilun.config import FeilunSettings, TuneSettings


def settle_recipe(settings: FeilunSettings, *, n_examples: int, n_classes: int) -> FeilunSettings:
    """The same settings, with [train.tune.few] or [train.tune.many] put in the place of [train.tune] where it holds.

    Every reader of the settings, a search and its processes among them, then sees the passes and the rate that hold.
    """
    tune = settings.train.tune
    taken = _special(tune, n_examples=n_examples, n_classes=n_classes)
    if not taken:
        return settings
    patience = max(tune.patience, taken["epochs"])  # more passes than usual are no reason to watch each of them
    tune = tune.model_copy(update={**taken, "patience": patience})
    return settings.model_copy(update={"train": settings.train.model_copy(update={"tune": tune})})


def _special(tune: TuneSettings, *, n_examples: int, n_classes: int) -> dict[str, Any]:
    if n_examples >= tune.many.min_rows:
        return tune.many.model_dump(exclude={"min_rows"})
    if n_examples <= tune.few.max_rows and n_classes <= tune.few.max_classes:
        return tune.few.model_dump(exclude={"max_rows", "max_classes"})
    return {}

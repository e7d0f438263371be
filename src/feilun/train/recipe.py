"""The settings of tune for as many examples as there are."""

from __future__ import annotations

from feilun.config import FeilunSettings


def settle_recipe(settings: FeilunSettings, *, n_examples: int) -> FeilunSettings:
    """The same settings, with [train.tune.many] put in the place of [train.tune] where there are many examples.

    Every reader of the settings, a search and its processes among them, then sees the passes and the rate that hold.
    """
    tune = settings.train.tune
    if n_examples < tune.many.min_rows:
        return settings
    taken = tune.many.model_dump(exclude={"min_rows"})
    patience = max(tune.patience, tune.many.epochs)  # more passes than usual are no reason to watch each of them
    tune = tune.model_copy(update={**taken, "patience": patience})
    return settings.model_copy(update={"train": settings.train.model_copy(update={"tune": tune})})

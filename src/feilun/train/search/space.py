"""The space of a search: from feilun.toml to Optuna's distributions, and from a trial back to settings of tune."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from feilun.config import FeilunSettings, Range, SearchSpaceSettings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Params = dict[str, Any]

GRID_POINTS = 3
"""A range without a step gives a grid so many points: its ends and its middle."""
GOLDEN = 0.618
WHOLE = ("epochs", "batch_size")
NOT_OF_TUNE = "head_c"
"""Searched too, but no setting of [train.tune]: there it comes from the probe."""


def searched(space: SearchSpaceSettings) -> dict[str, Range | tuple[float, ...]]:
    """What is varied, by name, in the order of the settings."""
    every = {name: getattr(space, name) for name in type(space).model_fields}
    return {name: values for name, values in every.items() if values != ()}


def distributions(space: SearchSpaceSettings) -> dict[str, BaseDistribution]:
    """Optuna's view of the space."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, values in searched(space).items():
        if not isinstance(values, Range):
            found[name] = CategoricalDistribution(values)
        elif name in WHOLE:
            step = max(1, round(values.step or 1))
            found[name] = IntDistribution(int(values.low), int(_highest(values, step)), log=values.log, step=step)
        else:
            high = values.high if values.step is None else _highest(values, values.step)
            found[name] = FloatDistribution(float(values.low), float(high), log=values.log, step=values.step)
    return found


def _highest(values: Range, step: float) -> float:
    """The last value that steps from `low` reach; a hair above a step still counts as on it."""
    return float(values.low + step * np.floor((values.high - values.low) / step + 1e-9))


def grid(space: SearchSpaceSettings, *, seed: int) -> Iterator[Params]:
    """Every point of the grid once, in such an order that a search stopped early has looked everywhere."""
    axes = {name: _points(name, values) for name, values in searched(space).items()}
    sizes = [len(points) for points in axes.values()]
    n_points = int(np.prod(sizes, dtype=np.int64)) if sizes else 0
    for place in _spread(n_points, seed=seed):
        where = np.unravel_index(place, sizes)
        yield {name: points[i] for (name, points), i in zip(axes.items(), where, strict=True)}


def _spread(n: int, *, seed: int) -> Iterator[int]:
    """0 … n - 1 once each, without holding them all, in strides of about the golden section of n."""
    if n == 0:
        return
    start, stride = int(np.random.default_rng([seed, n]).integers(n)), max(1, round(GOLDEN * n))
    while np.gcd(stride, n) != 1:
        stride += 1
    for i in range(n):
        yield (start + i * stride) % n


def _points(name: str, values: Range | tuple[float, ...]) -> list[Any]:
    if not isinstance(values, Range):
        return list(values)
    if values.step is not None:
        points = np.arange(values.low, values.high + values.step / 1e6, values.step)
    else:
        points = (np.geomspace if values.log else np.linspace)(values.low, values.high, GRID_POINTS)
    kind = (lambda point: round(float(point))) if name in WHOLE else (lambda point: float(f"{point:.12g}"))
    return list(dict.fromkeys(kind(point) for point in points))


def settings_for(settings: FeilunSettings, params: Params, *, epochs: int) -> FeilunSettings:
    """The project's settings with those of a trial in [train.tune].

    Passes are what the trial says, neither more (`min_updates`) nor fewer (`patience`): else two trials would differ in
    something that they do not know of.

    Args:
        epochs: the passes of a trial that does not vary them.
    """
    tuned = {name: value for name, value in params.items() if name != NOT_OF_TUNE}
    n_epochs = int(tuned.get("epochs", epochs))
    change = tuned | {"epochs": n_epochs, "min_updates": 0, "patience": n_epochs}
    tune = settings.train.tune.model_copy(update=change)
    return settings.model_copy(update={"train": settings.train.model_copy(update={"tune": tune})})


def given_params(settings: FeilunSettings, *, epochs: int, head_c: float) -> Params:
    """The tune rung's own settings, as a point of the space."""
    known = settings.train.tune.model_dump() | {"epochs": epochs, NOT_OF_TUNE: head_c}
    return {name: known[name] for name in searched(settings.train.search.space)}

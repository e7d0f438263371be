"""The training loop: any loss, any parameters, any batches; it keeps the time and tells how it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from feilun.errors import FeilunError
from feilun.network.batches import Packed
from feilun.network.checkpoint import Checkpoints
from feilun.network.optimiser import set_rates, trained

REPORT_EVERY = 10
CHECKPOINT_EVERY_S = 30.0
"""A killed fit loses so much work at most; writing a checkpoint takes about a hundredth of it."""


class Diverged(FeilunError):
    """The loss became infinite or not a number."""

    code, kind = "train.diverged", "invalid"
    en = "The loss became {loss} after {n_updates} updates. Lower [train.tune] learning_rate."
    zh = "经过 {n_updates} 次更新后，损失变为 {loss}。请调低 [train.tune] learning_rate。"


@dataclass(frozen=True)
class LoopSettings:
    """epochs: passes over the rows; warm_up: share of the run, in [0, 1); max_norm: gradients are clipped to it."""

    epochs: int
    warm_up: float = 0.1
    max_norm: float = 1.0


@dataclass(frozen=True)
class Report:
    """One look at a running fit. loss: mean since the epoch began; epoch counts from 1."""

    epoch: int
    epochs: int
    n_updates: int
    loss: float
    rows_per_s: float
    epoch_done: bool


@dataclass(frozen=True)
class Outcome:
    """How a fit ended: full epochs done, updates made, mean loss of the last epoch, whether the clock cut it short."""

    n_epochs: int
    n_updates: int
    loss: float
    in_a_hurry: bool


@dataclass
class Position:
    """Where a fit is: epoch counts from 1; n_done batches of it are done, losses summing to loss_sum over n_rows rows.

    rng: the state of the batches' generator when the epoch began; elapsed_s: seconds spent before this process.
    """

    epoch: int = 1
    n_done: int = 0
    n_updates: int = 0
    n_rows: int = 0
    loss_sum: float = 0.0
    in_a_hurry: bool = False
    elapsed_s: float = 0.0
    rng: dict[str, Any] = field(default_factory=dict)

    @property
    def mean_loss(self) -> float:
        """Over the batches of this epoch."""
        return self.loss_sum / self.n_done if self.n_done else math.nan


class Bookmark:
    """Keeps a running fit in checkpoints, so that a killed one goes on where it was and ends with the same bytes.

    rng: the generator that `batches` draws from.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        name: str,
        *,
        network: nn.Module,
        rng: np.random.Generator,
        every_s: float = CHECKPOINT_EVERY_S,
    ) -> None:
        self.checkpoints, self.name, self.network, self.rng, self.every_s = checkpoints, name, network, rng, every_s
        self._saved_at = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last checkpoint is old enough for another."""
        return time.monotonic() - self._saved_at >= self.every_s

    def save(self, optimiser: torch.optim.Optimizer, position: Position) -> None:
        """Weights, both moments of the optimiser, generators and position."""
        arrays = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for number, state in optimiser.state_dict()["state"].items():
            arrays |= {f"optimiser.{number}.{name}": value for name, value in state.items()}
        arrays["torch_rng"] = torch.get_rng_state()
        self.checkpoints.save(
            self.name, {name: value.detach().cpu().numpy() for name, value in arrays.items()}, asdict(position)
        )
        self._saved_at = time.monotonic()

    def load(self, optimiser: torch.optim.Optimizer) -> Position:
        """Put network and optimiser where they were; the beginning when nothing is kept."""
        found = self.checkpoints.find(self.name)
        if found is None:
            return Position()
        arrays, facts = {name: torch.from_numpy(array) for name, array in found[0].items()}, found[1]
        torch.set_rng_state(arrays.pop("torch_rng"))
        state: dict[int, dict[str, Tensor]] = {}
        for name in [name for name in arrays if name.startswith("optimiser.")]:
            _, number, key = name.split(".")
            state.setdefault(int(number), {})[key] = arrays.pop(name)
        self.network.load_state_dict({name.removeprefix("network."): value for name, value in arrays.items()})
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        return Position(**facts)


def optimise(
    loss_of: Callable[[Packed], Tensor],
    batches: Callable[[], Iterable[Packed]],
    optimiser: torch.optim.Optimizer,
    settings: LoopSettings,
    *,
    n_batches: int,
    time_limit_s: float,
    on_report: Callable[[Report], bool] = lambda report: True,
    bookmark: Bookmark | None = None,
) -> Outcome:
    """Minimise `loss_of` over `epochs` passes.

    The step size follows whichever is further on, the updates or the clock, so that a run whose time is short still
    ends with small steps, on a finished schedule, instead of being cut off in full swing. A run that is in time never
    asks the clock, and so is the same each time.

    Args:
        batches: gives the batches of one epoch, anew each time it is called; about `n_batches` of them.
        on_report: told every few updates and at the end of each epoch; False from the latter ends the run.
        bookmark: goes on from what it kept, and keeps the run as it goes.
    Raises:
        Diverged: the loss is not a finite number.
    """
    parameters = list(trained(optimiser))
    total, started = max(1, n_batches * settings.epochs), time.monotonic()
    at = bookmark.load(optimiser) if bookmark else Position()
    before_s = at.elapsed_s
    for epoch in range(at.epoch, settings.epochs + 1):
        if bookmark and at.rng and at.n_done:
            bookmark.rng.bit_generator.state = at.rng
        elif bookmark:
            at.rng = dict(bookmark.rng.bit_generator.state)
        epoch_started, rows_before = time.monotonic(), at.n_rows
        for number, batch in enumerate(batches()):
            if number < at.n_done:
                continue  # done before the process was killed
            at.elapsed_s = before_s + time.monotonic() - started
            by_clock = at.elapsed_s / time_limit_s if time_limit_s > 0 else 1.0
            if by_clock >= 1:
                return Outcome(n_epochs=epoch - 1, n_updates=at.n_updates, loss=at.mean_loss, in_a_hurry=True)
            by_updates = (at.n_updates + 0.5) / total
            at.in_a_hurry = at.in_a_hurry or (by_clock > by_updates > settings.warm_up)
            progress = max(by_updates, by_clock) if at.in_a_hurry else by_updates
            set_rates(optimiser, progress=progress, warm_up=settings.warm_up)
            at.loss_sum += _update(loss_of(batch), optimiser, parameters, max_norm=settings.max_norm, n=at.n_updates)
            at.n_updates, at.n_done, at.n_rows = at.n_updates + 1, number + 1, at.n_rows + len(batch.rows)
            if at.n_updates % REPORT_EVERY == 0:
                on_report(_report(at, settings, rows_before, epoch_started, epoch_done=False))
            if bookmark and bookmark.is_due():
                bookmark.save(optimiser, at)
        outcome = Outcome(n_epochs=epoch, n_updates=at.n_updates, loss=at.mean_loss, in_a_hurry=at.in_a_hurry)
        if not on_report(_report(at, settings, rows_before, epoch_started, epoch_done=True)):
            return outcome
        at.epoch, at.n_done, at.n_rows, at.loss_sum, at.rng = epoch + 1, 0, 0, 0.0, {}
    return outcome


def _report(at: Position, settings: LoopSettings, rows_before: int, started: float, *, epoch_done: bool) -> Report:
    speed = (at.n_rows - rows_before) / max(time.monotonic() - started, 1e-9)
    return Report(at.epoch, settings.epochs, at.n_updates, at.mean_loss, speed, epoch_done=epoch_done)


def _update(
    loss: Tensor, optimiser: torch.optim.Optimizer, parameters: list[torch.nn.Parameter], *, max_norm: float, n: int
) -> float:
    """One step of the optimiser; the loss before it."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Diverged(loss=value, n_updates=n)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, max_norm, foreach=True)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return value

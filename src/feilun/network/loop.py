"""The training loop: any loss, any parameters, any batches; it keeps the time and tells how it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from feilun.errors import FeilunError
from feilun.network.batches import Packed
from feilun.network.optimiser import set_rates, trained

REPORT_EVERY = 10


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


def optimise(
    loss_of: Callable[[Packed], Tensor],
    batches: Callable[[], Iterable[Packed]],
    optimiser: torch.optim.Optimizer,
    settings: LoopSettings,
    *,
    n_batches: int,
    time_limit_s: float,
    on_report: Callable[[Report], bool] = lambda report: True,
) -> Outcome:
    """Minimise `loss_of` over `epochs` passes.

    The step size follows whichever is further on, the updates or the clock, so that a run whose time is short still
    ends with small steps, on a finished schedule, instead of being cut off in full swing. A run that is in time never
    asks the clock, and so is the same each time.

    Args:
        batches: gives the batches of one epoch, anew each time it is called; about `n_batches` of them.
        on_report: told every few updates and at the end of each epoch; False from the latter ends the run.
    Raises:
        Diverged: the loss is not a finite number.
    """
    parameters = list(trained(optimiser))
    total, n_updates, started = max(1, n_batches * settings.epochs), 0, time.monotonic()
    hurry, mean = False, math.nan
    for epoch in range(1, settings.epochs + 1):
        losses, n_rows, epoch_started = [], 0, time.monotonic()
        for batch in batches():
            by_clock = (time.monotonic() - started) / time_limit_s if time_limit_s > 0 else 1.0
            if by_clock >= 1:
                return Outcome(n_epochs=epoch - 1, n_updates=n_updates, loss=mean, in_a_hurry=True)
            by_updates = (n_updates + 0.5) / total
            hurry = hurry or (by_clock > by_updates > settings.warm_up)
            progress = max(by_updates, by_clock) if hurry else by_updates
            set_rates(optimiser, progress=progress, warm_up=settings.warm_up)
            losses.append(_update(loss_of(batch), optimiser, parameters, max_norm=settings.max_norm, n=n_updates))
            n_updates, n_rows, mean = n_updates + 1, n_rows + len(batch.rows), sum(losses) / len(losses)
            if n_updates % REPORT_EVERY == 0:
                speed = n_rows / max(time.monotonic() - epoch_started, 1e-9)
                on_report(Report(epoch, settings.epochs, n_updates, mean, speed, epoch_done=False))
        speed = n_rows / max(time.monotonic() - epoch_started, 1e-9)
        if not on_report(Report(epoch, settings.epochs, n_updates, mean, speed, epoch_done=True)):
            return Outcome(n_epochs=epoch, n_updates=n_updates, loss=mean, in_a_hurry=False)
    return Outcome(n_epochs=settings.epochs, n_updates=n_updates, loss=mean, in_a_hurry=hurry)


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

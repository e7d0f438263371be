"""Where and how precisely torch computes, and leaving torch as it was found."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import torch

from feilun.network.budget import n_threads
from feilun.network.machine import NATIVE_BF16, cpu_flags

THREADS_PAY_FROM = 400_000_000
"""Multiplications of a batch with one square matrix from which several threads are quicker than one. Measured: 430
tokens of 384 numbers took 29 CPU seconds with one thread and 35 with two, and 308 with two beside a busy process."""

Args = ParamSpec("Args")
Owner = TypeVar("Owner", bound="Threaded")
Result = TypeVar("Result")


def pick_device() -> torch.device:
    """The first CUDA device when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_precision(device: torch.device) -> torch.dtype:
    """The type of matrix products: bfloat16 where the hardware multiplies it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if cpu_flags().intersection(NATIVE_BF16) else torch.float32


def threads_for(n_tokens: float, *, n_hidden: int) -> int:
    """How many threads to compute batches of so many tokens with: all there are, or one when a batch is small.

    On small products threads wait for each other longer than they work; beside another busy process, ten times longer.
    """
    return n_threads() if n_tokens * n_hidden**2 >= THREADS_PAY_FROM else 1


class Threaded(Protocol):
    """Something that knows how many threads its batches are worth."""

    @property
    def n_threads(self) -> int: ...


def on_its_threads(work: Callable[Concatenate[Owner, Args], Result]) -> Callable[Concatenate[Owner, Args], Result]:
    """Let torch use `self.n_threads` threads during a method, and as many as before afterwards."""

    @wraps(work)
    def wrapped(self: Owner, *args: Args.args, **kwargs: Args.kwargs) -> Result:
        before = torch.get_num_threads()
        torch.set_num_threads(self.n_threads)
        try:
            return work(self, *args, **kwargs)
        finally:
            torch.set_num_threads(before)

    return wrapped

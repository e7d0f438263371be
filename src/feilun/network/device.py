"""Where and how precisely torch computes, and leaving torch as it was found."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from feilun.network.budget import n_threads

Args = ParamSpec("Args")
Result = TypeVar("Result")

NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""CPU flags of x86 and Arm chips that multiply bfloat16 themselves; elsewhere it is emulated, slower than float32."""


def pick_device() -> torch.device:
    """The first CUDA device when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_precision(device: torch.device) -> torch.dtype:
    """The type of matrix products: bfloat16 where the hardware multiplies it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if _cpu_flags().intersection(NATIVE_BF16) else torch.float32


@cache
def _cpu_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return frozenset()
    lines = [line for line in text.splitlines() if line.lower().startswith(("flags", "features"))]
    return frozenset(lines[0].partition(":")[2].split()) if lines else frozenset()


def on_all_cores(work: Callable[Args, Result]) -> Callable[Args, Result]:
    """Let torch use every core during `work`, and as many threads as before afterwards."""

    @wraps(work)
    def wrapped(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads())
        try:
            return work(*args, **kwargs)
        finally:
            torch.set_num_threads(before)

    return wrapped

"""Where and how precisely torch computes, and leaving torch as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

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


@contextmanager
def all_cores(n_threads: int) -> Iterator[None]:
    """Let torch use `n_threads` inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""What this machine has left: memory and disk, as far as a process may use them."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

MB = 1e6
NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""CPU flags of x86 and Arm chips that multiply bfloat16 themselves; elsewhere it is emulated, slower than float32."""
CGROUP = Path("/sys/fs/cgroup")


def memory_left_mb() -> float:
    """Memory that can still be taken without swapping, the container's limit included; infinite where nobody says."""
    return min(_system_left_mb(), _container_left_mb())


def disk_left_mb(folder: Path) -> float:
    """Free space on the disk of `folder`, or of its nearest parent that is there."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / MB


@cache
def cpu_flags() -> frozenset[str]:
    """What the processor can do, in Linux' words; empty where nobody says."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return frozenset()
    lines = [line for line in text.splitlines() if line.lower().startswith(("flags", "features"))]
    return frozenset(lines[0].partition(":")[2].split()) if lines else frozenset()


def _system_left_mb() -> float:
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return float("inf")
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 / MB if found else float("inf")


def _container_left_mb() -> float:
    try:
        limit = (CGROUP / "memory.max").read_text("utf-8").strip()
        used = int((CGROUP / "memory.current").read_text("utf-8"))
    except (OSError, ValueError):
        return float("inf")
    return (int(limit) - used) / MB if limit.isdigit() else float("inf")

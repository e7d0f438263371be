"""What this machine has left: memory and disk, as far as a process may use them."""

from __future__ import annotations

import shutil
from pathlib import Path

MB = 1e6
CGROUP = Path("/sys/fs/cgroup")


def memory_left_mb() -> float:
    """Memory that can still be taken without swapping, the container's limit included; infinite where nobody says."""
    return min(_system_left_mb(), _container_left_mb())


def disk_left_mb(folder: Path) -> float:
    """Free space on the disk of `folder`, or of its nearest parent that is there."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / MB


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

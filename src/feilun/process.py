"""Child processes of ours: what they are told, and that they never outlive the one who started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere a killed parent leaves its children running."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we could ask
            os.kill(os.getpid(), signal.SIGKILL)


def child_environment(**more: str) -> dict[str, str]:
    """A child's environment: our own package first, and nothing that dials out; `more` is added."""
    source = str(Path(__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([source, inherited]) if inherited else source
    return os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"} | more

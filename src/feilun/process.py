"""Processes of ours: what children are told, that they never outlive the one who started them, and who is who."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

log = logging.getLogger(__name__)
EXIT_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h

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


def leave(why: str) -> NoReturn:
    """End this process at once, from whatever thread: its work is another's now, or cannot go on."""
    log.error("%s; this process ends", why)
    logging.shutdown()
    os._exit(EXIT_TRY_AGAIN)


def identity() -> str:
    """This process among those of all machines: where it runs, its number, and when it started."""
    return f"{_place()} {os.getpid()} {_started(os.getpid())}"


def is_gone(who: str) -> bool:
    """Whether the process with this `identity` ran here and has ended. False when that cannot be told from here."""
    place, pid, started = who.rsplit(" ", 2)
    return bool(place) and place == _place() and started != "" and not _is_alive(int(pid), started)


def _is_alive(pid: int, started: str) -> bool:
    found = _started(pid)
    if found:
        return found == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's, hidden from us in /proc
    return False  # dead, and its parent has not looked yet


def _place() -> str:
    """Where processes share their numbers: this boot of this machine, in this container. Empty where Linux is not."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a living process started, in ticks since boot; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return "" if state in "ZX" else rest[18]

"""What this machine can do, told before anybody waits for it."""

from __future__ import annotations

import math
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from feilun.models import resolve
from feilun.models.errors import ModelMissing
from feilun.network.machine import NATIVE_BF16, cpu_flags, disk_left_mb, memory_left_mb

INT8 = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
LANGUAGES = ("en", "zh")


def describe_machine(workspace: Path) -> dict[str, Any]:
    """Cores, memory and disk that are left, what the processor is good at, which backbones need not be fetched."""
    memory, flags = memory_left_mb(), cpu_flags()
    return {
        "n_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_left_mb": None if math.isinf(memory) else memory,
        "disk_left_mb": disk_left_mb(workspace),
        "can_train": find_spec("torch") is not None,
        "has_bfloat16": any(flag in flags for flag in NATIVE_BF16),
        "has_int8": any(flag in flags for flag in INT8),
        "backbones": [language for language in LANGUAGES if _is_here(language)],
    }


def _is_here(language: str) -> bool:
    try:
        resolve("", language=language)
    except ModelMissing:
        return False
    return True

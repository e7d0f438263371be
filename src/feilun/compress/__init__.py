"""What is shipped: one graph, eight bits where that costs nothing, checked on real rows, sealed with checksums."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feilun.compress.points import Form, Students, Workbench, choose, hold_back
    from feilun.compress.run import compress
    from feilun.compress.sealing import seal

__all__ = ["Form", "Students", "Workbench", "choose", "compress", "hold_back", "seal"]

_ROOMS = {
    "Form": "points",
    "Students": "points",
    "Workbench": "points",
    "choose": "points",
    "compress": "run",
    "hold_back": "points",
    "seal": "sealing",
}


def __getattr__(name: str) -> Any:
    # Lazy: onnx is imported only by those who export.
    if name in _ROOMS:
        return getattr(import_module(f"feilun.compress.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'feilun.compress' has no attribute {name!r}")

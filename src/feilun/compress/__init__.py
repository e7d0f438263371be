"""What is shipped: one graph, eight bits where that costs nothing, checked on real rows, sealed with checksums."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feilun.compress.points import Form, Workbench, choose, hold_back
    from feilun.compress.run import compress
    from feilun.compress.sealing import seal
    from feilun.compress.students import Students, shape_of

__all__ = ["Form", "Students", "Workbench", "choose", "compress", "hold_back", "seal", "shape_of"]

_ROOMS = {
    "Form": "points",
    "Students": "students",
    "Workbench": "points",
    "choose": "points",
    "compress": "run",
    "hold_back": "points",
    "seal": "sealing",
    "shape_of": "students",
}


def __getattr__(name: str) -> Any:
    # Lazy: onnx is imported only by those who export.
    if name in _ROOMS:
        return getattr(import_module(f"feilun.compress.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'feilun.compress' has no attribute {name!r}")

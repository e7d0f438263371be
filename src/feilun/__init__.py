"""Feilun 飞轮: from a file of messages to a served model that learns from corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feilun.version import __version__

if TYPE_CHECKING:
    from feilun.errors import FeilunError
    from feilun.project import Project, Workspace

__all__ = ["FeilunError", "Project", "Workspace", "__version__"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `import feilun` (and `feilun --help`) stays light.
    if name in ("Project", "Workspace"):
        from feilun import project

        return getattr(project, name)
    if name == "FeilunError":
        from feilun.errors import FeilunError

        return FeilunError
    raise AttributeError(f"module 'feilun' has no attribute {name!r}")

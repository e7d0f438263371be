"""The settings of a new project, from a look at its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from feilun.config import FeilunSettings

if TYPE_CHECKING:
    pass

HEADER = """feilun.toml: the contract of this project. Everything can be rerun from it.
Turn the wheel: feilun turn    Serve: feilun serve    Every key: docs/en/configuration.md"""


def propose_settings(
    folder: Path,
    *,
    data: str | Path,
    holdout: str | Path | None = None,
    text: str | None = None,
    label: str | None = None,
    language: str | None = None,
    name: str | None = None,
) -> FeilunSettings:
    """The settings `feilun init` would write for a data file; nothing is written."""
    from feilun.data import inspect_file, make_settings

    guess = inspect_file(Path(data), text=text, label=label)
    return make_settings(
        guess,
        name=name or _name_from(folder),
        language=language,
        folder=folder,
        data_path=Path(data),
        holdout_path=None if holdout is None else Path(holdout),
    )


def _name_from(folder: Path) -> str:
    letters = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in folder.name).strip("-_")
    return letters[:64] or "project"

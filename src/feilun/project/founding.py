"""A new project in a folder of projects, made of a file in one step: it is there whole, or not at all."""

from __future__ import annotations

import re
import secrets
import shutil
from importlib.resources import files
from pathlib import Path

from feilun.config import CONFIG_NAME, NAME_PATTERN, dump_settings
from feilun.errors import FeilunError
from feilun.project.data import ADDED
from feilun.project.errors import NameUnusable, ProjectExists
from feilun.project.opening import HEADER, propose_settings
from feilun.project.project import Project
from feilun.store import HOUSE, find_workspace
from feilun.store.chain import Change

SAMPLES = {"en": "banking77", "zh": "massive-zh-cn"}


def found_project(
    root: Path,
    *,
    name: str,
    data: Path,
    holdout: Path | None = None,
    text: str | None = None,
    label: str | None = None,
    language: str | None = None,
    tenant: str = HOUSE,
    budget_s: float | None = None,
    actor: str = "python",
) -> Project:
    """Make the folder `root`/`name` with copies of the files and a commented feilun.toml, and open it.

    Args:
        data, holdout: files of labelled messages; copied.
        text, label, language: as `Project.init`.
        budget_s: [train] budget_s; None: the default.
    Raises:
        NameUnusable: the name cannot stand in an address.
        ProjectExists: there is one, or another folder, of that name.
        FeilunError: what `Project.init` raises about the file.
    """
    if not re.match(NAME_PATTERN, name):
        raise NameUnusable(name=name[:64])
    folder = root / name
    if folder.exists():
        raise ProjectExists(folder=name, name=CONFIG_NAME)
    workspace = find_workspace(root)
    # Beside the projects, but where nobody looks for one; the same disk, so that one rename makes it real.
    aside = workspace / "incoming" / secrets.token_hex(8)
    try:
        (aside / ADDED).mkdir(parents=True)
        kept = shutil.copyfile(data, aside / ADDED / f"messages{data.suffix}")
        judged = None if holdout is None else shutil.copyfile(holdout, aside / ADDED / f"holdout{holdout.suffix}")
        settings = propose_settings(
            aside, data=kept, holdout=judged, text=text, label=label, language=language, name=name
        )
        project = settings.project.model_copy(update={"tenant": tenant})
        train = settings.train.model_copy(update={} if budget_s is None else {"budget_s": budget_s})
        settings = settings.model_copy(update={"project": project, "train": train})
        (aside / CONFIG_NAME).write_text(dump_settings(settings, header=HEADER), "utf-8")
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    try:
        made = Project(folder)
    except FeilunError:
        shutil.rmtree(folder)  # the workspace does not take it: it belongs to nobody
        raise
    made.store.add_audit(Change("project.founded", name, actor, tenant=tenant, project=name))
    return made


def sample_path(language: str) -> Path:
    """The bundled sample in "en" or "zh": real messages of customers, a few of each class."""
    return Path(str(files("feilun"))) / "samples" / SAMPLES[language] / "start.csv"

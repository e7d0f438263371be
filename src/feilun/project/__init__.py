"""The façade that turns the wheel: one folder with a feilun.toml, and everything that can be done with it."""

from feilun.project.errors import (
    GoalNotMet,
    NoModel,
    NoSuchDoubt,
    NothingToRollBack,
    ProjectExists,
    TooFewRows,
    WorkspaceMissing,
)
from feilun.project.opening import propose_settings
from feilun.project.project import Project, open_projects
from feilun.project.workspace import Workspace

__all__ = [
    "GoalNotMet",
    "NoModel",
    "NoSuchDoubt",
    "NothingToRollBack",
    "Project",
    "ProjectExists",
    "TooFewRows",
    "Workspace",
    "WorkspaceMissing",
    "open_projects",
    "propose_settings",
]

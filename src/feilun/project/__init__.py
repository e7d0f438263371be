"""The façade that turns the wheel: one folder with a feilun.toml, and everything that can be done with it."""

from feilun.project.errors import (
    FoundingElsewhere,
    GoalNotMet,
    NoModel,
    NoSuchDoubt,
    NothingToRollBack,
    ProjectExists,
    TooFewRows,
    UploadUnknown,
    WorkspaceMissing,
)
from feilun.project.founding import SAMPLES, found_project, sample_path
from feilun.project.opening import propose_settings
from feilun.project.project import Project, open_projects
from feilun.project.uploads import Upload, Uploads
from feilun.project.workspace import Workspace

__all__ = [
    "SAMPLES",
    "FoundingElsewhere",
    "GoalNotMet",
    "NoModel",
    "NoSuchDoubt",
    "NothingToRollBack",
    "Project",
    "ProjectExists",
    "TooFewRows",
    "Upload",
    "UploadUnknown",
    "Uploads",
    "Workspace",
    "WorkspaceMissing",
    "found_project",
    "open_projects",
    "propose_settings",
    "sample_path",
]

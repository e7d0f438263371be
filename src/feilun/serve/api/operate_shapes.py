"""Jobs, backups and the doctor's findings, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from feilun.serve.api.shapes import Shape


class JobRow(Shape):
    """Something that takes time, under way or asked for."""

    kind: Literal["turn", "turn_request", "compression", "backup"]
    job_id: str = Field(description="Id of the turn, compression or backup; empty for a turn that is only asked for.")
    project: str = Field(description="Empty for a backup, which is the workspace's.")
    state: Literal["running", "waiting", "paused"]
    by: str = Field(description="Who asked for it; of a turn that is asked for, what did: hand, labels or schedule.")
    since: datetime
    step: str | None = Field(description="What it is at, as it said last: data, train, compress, evaluate, …")
    heard_at: datetime | None = Field(description="When it said so.")
    note: str = Field(description="Why it was asked for, if somebody said so.")
    may_cancel: bool = Field(description="Whether POST …/turns/{turn_id}/cancel ends it.")


class JobList(Shape):
    jobs: list[JobRow] = Field(description="The oldest first.")


class BackupRequest(Shape):
    """There is nothing to say: a backup is of the whole workspace."""


class BackupRow(Shape):
    """One archive that the workspace keeps."""

    backup_id: str
    state: Literal["running", "done", "failed"]
    actor: str = Field(description="Who asked for it.")
    created_at: datetime
    finished_at: datetime | None
    size: int = Field(description="Bytes of the archive; 0 until it is done.")
    sha256: str = Field(description="Of the whole archive, as `sha256sum` prints it; empty until it is done.")
    n_members: int
    projects: list[str]
    left_out: list[str] = Field(description="What is missing, damaged or outside of the projects, and so not in it.")
    code: str = Field(description="What went wrong, when failed.")
    en: str = Field(description="The same in words.")
    zh: str


class BackupSize(Shape):
    """How much there is to back up, in bytes, and how much may be kept."""

    database: int
    models: int
    datasets: int
    projects: int = Field(description="feilun.toml and the data files in the projects' folders.")
    disk_left: int
    most_kept: int = Field(description="Archives that the workspace keeps at most.")
    is_postgres: bool = Field(description="Whether the rows come from PostgreSQL; in an archive they are SQLite.")


class BackupList(Shape):
    backups: list[BackupRow] = Field(description="The latest first.")
    size: BackupSize


class FindingRow(Shape):
    """One thing that the doctor looked at."""

    code: str
    level: Literal["ok", "notice", "problem"]
    found: str = Field(description="In the caller's language.")
    action: str = Field(description="What to do about it; empty when there is nothing to do.")
    fields: dict[str, Any] = Field(description="The values in the words, by name.")


class DoctorReply(Shape):
    n_problems: int
    findings: list[FindingRow]

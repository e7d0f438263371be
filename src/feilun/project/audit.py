"""Who did what: the audit log of the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feilun.config import load_settings
from feilun.project.base import Base
from feilun.records import AuditVerdict
from feilun.store import Reach, Store, find_workspace
from feilun.store.chain import HASHED


class AuditVerbs(Base):
    """The audit log, which is the workspace's: all its projects are in one chain."""

    def audit(self, *, project: str | None = None, after: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Entries in order: the latest ones, or those behind the entry `after`; of one project, or of all."""
        return self.store.list_audit(Reach(project=project), after=after, limit=limit)

    def audit_head(self) -> str:
        """Where the log ends, "seq:hash". Kept elsewhere, it shows later that the log was not put back."""
        return str(self.store.get_audit_head())

    def verify_audit(self, *, head: str | None = None) -> AuditVerdict:
        """Whether the log is whole; with a `head` that was kept elsewhere, also whether it is still the same one.

        Raises:
            HeadMalformed: `head` is none.
        """
        from feilun.trust import verify_audit

        return verify_audit(self.store, head=head)

    def export_audit(self, path: str | Path, *, project: str | None = None) -> int:
        """Write the log as CSV, TSV, JSON lines or Excel, by the name of the file; how many entries it holds.

        Raises:
            UnknownOutput, SheetFull: it cannot be written like that.
        """
        from feilun.data.writing import write_rows

        columns = (*HASHED, "hash")
        with self.store.audit_chain() as (entries, _, _):
            rows = (((), [row[name] for name in columns]) for row in entries if project in (None, row["project"]))
            return write_rows(Path(path), rows, columns=(), added=columns)

    @staticmethod
    def rekey_audit(folder: str | Path = ".", *, actor: str = "python") -> str:
        """Sign the log with a new key, because the old one is lost or may be known; gives the head.

        Works where a project cannot be opened: one that was moved without its key has a change to enter first.
        """
        folder = Path(folder).resolve()
        with Store(find_workspace(folder), url=load_settings(folder).store.url) as store:
            store.change_audit_key(why="changed", actor=actor)
            return str(store.get_audit_head())

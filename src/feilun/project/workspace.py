"""Workspace: whose the projects are, and who may come in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feilun import trust
from feilun.config import CONFIG_NAME, load_settings
from feilun.project.backups import BackupVerbs
from feilun.project.errors import WorkspaceMissing
from feilun.project.jobs import JobVerbs
from feilun.project.people import PeopleVerbs
from feilun.project.usage import UsageVerbs
from feilun.store import EVERYWHERE, Reach, Store, find_workspace

Row = dict[str, Any]


class Workspace(PeopleVerbs, UsageVerbs, BackupVerbs, JobVerbs):
    """The tenants, people and API keys of a workspace, which may hold many projects, what they use and may use, what
    works in it now, and its backups.

    Use it as a context manager, or call `close`. Verbs may be called from any thread. Those with `by` do what the owner
    of that key (its row) may do; without it, they speak for the operator, whose machine this is, and whom the audit log
    calls `actor`.
    """

    def __init__(self, folder: str | Path = ".", *, make: bool = False) -> None:
        """Open the workspace of a project, or of a folder that holds projects.

        Args:
            make: begin one where there is none; the folder must be there.
        Raises:
            WorkspaceMissing: there is none.
        """
        folder = Path(folder).resolve()
        configs = [folder / CONFIG_NAME, *sorted(folder.glob(f"*/{CONFIG_NAME}"))]
        config = next((path for path in configs if path.is_file()), None)
        found = find_workspace(folder)
        if not (found.is_dir() or config == configs[0] or (make and folder.is_dir())):
            raise WorkspaceMissing(folder=str(folder))
        self.store = Store(found, url="" if config is None else load_settings(config.parent).store.url)

    @classmethod
    def around(cls, store: Store) -> Workspace:
        """The workspace that `store` has opened."""
        workspace = cls.__new__(cls)
        workspace.store = store
        return workspace

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # tenants

    def create_tenant(self, tenant: str, *, name: str = "", actor: str = "python") -> Row:
        """A new tenant. Projects become its own by `tenant` under [project] in their feilun.toml.

        Raises:
            TenantInvalid, TenantExists: it cannot be made.
        """
        return trust.create_tenant(self.store, tenant, name=name, actor=actor) | {"projects": []}

    def list_tenants(self) -> list[Row]:
        """All, each with the names of its projects."""
        projects = defaultdict(list)
        for row in self.store.list_projects(EVERYWHERE):
            projects[row["tenant"]].append(row["project"])
        return [row | {"projects": projects[row["tenant"]]} for row in self.store.list_tenants(EVERYWHERE)]

    def get_tenant(self, tenant: str) -> Row:
        """One, with the names of its projects.

        Raises:
            TenantUnknown: there is none.
        """
        return self._with_projects(self.store.get_tenant(EVERYWHERE, tenant))

    def update_tenant(
        self, tenant: str, *, name: str | None = None, is_disabled: bool | None = None, actor: str = "python"
    ) -> Row:
        """Rename a tenant, shut it out, or let it in again; None leaves as it is.

        Within a second, a running server refuses every key of a tenant that is shut out; its projects then answer
        nobody but the operator. Nothing is deleted.

        Raises:
            TenantUnknown, TenantInvalid: there is none, or the name cannot be used.
        """
        changed = trust.update_tenant(self.store, tenant, name=name, is_disabled=is_disabled, actor=actor)
        return self._with_projects(changed)

    def _with_projects(self, row: Row) -> Row:
        projects = self.store.list_projects(Reach(row["tenant"]))
        return row | {"projects": [project["project"] for project in projects]}

    # keys

    def create_key(
        self,
        *,
        name: str,
        scopes: Sequence[str] = (),
        role: str | None = None,
        tenant: str | None = None,
        project: str | None = None,
        expires_in_days: float | None = None,
        by: Row | None = None,
        actor: str = "python",
    ) -> Row:
        """A new key; the secret is in the field `key`, this once.

        Args:
            role: viewer, labeller, maintainer or owner, instead of `scopes`.
            tenant: whose it is; None is the project's, or else the maker's own.
            project: the only project it opens; None for every one of the tenant, or of the workspace.
            expires_in_days: > 0; None never expires.
        Raises:
            KeyRequestInvalid: it makes no sense as asked.
            TenantUnknown, ProjectUnknown: there is no such tenant or project, as far as the maker sees.
            KeyBeyondMaker: it would open more than the maker's, or for longer.
        """
        row, secret = trust.create_key(
            self.store,
            name=name,
            scopes=scopes,
            role=role,
            tenant=tenant,
            project=project,
            expires_in_days=expires_in_days,
            by=by,
            actor=actor,
        )
        return trust.describe_key(row) | {"key": secret}

    def list_keys(self, *, by: Row | None = None) -> list[Row]:
        """Every key in sight, oldest first; never the keys themselves."""
        return [trust.describe_key(row) for row in trust.list_keys(self.store, by=by)]

    def get_key(self, key_id: str, *, by: Row | None = None) -> Row:
        """Raises:
        KeyUnknown: there is no such key in sight.
        """
        return trust.describe_key(trust.get_key(self.store, key_id, by=by))

    def rotate_key(
        self,
        key_id: str,
        *,
        grace_s: float = trust.GRACE_S,
        expires_in_days: float | None = None,
        by: Row | None = None,
        actor: str = "python",
    ) -> Row:
        """A new secret for a key, in the field `key`, this once; the present one opens for another `grace_s` seconds.

        Args:
            expires_in_days: a new lifetime of the key; None keeps its end.
        Raises:
            KeyUnknown, KeyClosed: there is no such key in sight, or it opens nothing any more.
            KeyRequestInvalid: the grace or the lifetime makes no sense.
            KeyBeyondMaker: it opens more than the caller's, or for longer.
        """
        row, secret = trust.rotate_key(
            self.store, key_id, grace_s=grace_s, expires_in_days=expires_in_days, by=by, actor=actor
        )
        return trust.describe_key(row) | {"key": secret}

    def revoke_key(self, key_id: str, *, by: Row | None = None, actor: str = "python") -> Row:
        """Close a key for good; a running server refuses it within a second. Closing it again changes nothing.

        Raises:
            KeyUnknown: there is no such key in sight.
        """
        return trust.describe_key(trust.revoke_key(self.store, key_id, by=by, actor=actor))

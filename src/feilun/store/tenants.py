"""Verbs on tenants and their projects; what of a workspace somebody may see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import FEILUN, HOUSE, Change
from feilun.store.errors import ProjectUnknown, TenantExists, TenantUnknown
from feilun.store.verbs import MAX_SHOWN, Verbs


@dataclass(frozen=True)
class Reach:
    """How far somebody sees: one project, one tenant, or (both empty) the whole workspace, as its operator does."""

    tenant: str | None = None
    project: str | None = None

    @property
    def is_operators(self) -> bool:
        return self.tenant is None and self.project is None

    def rows_of(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        """What rows of `table`, which has the columns tenant and project, must fulfil to be in sight."""
        wanted = {"tenant": self.tenant, "project": self.project}
        return [table.c[name] == value for name, value in wanted.items() if value is not None]


EVERYWHERE = Reach()


class TenantVerbs(Verbs):
    """Whose the projects are."""

    def add_tenant(self, tenant: str, *, name: str, actor: str) -> dict[str, Any]:
        """A new tenant.

        Raises:
            TenantExists: there is one of that name already.
        """

        def work(connection: sa.Connection) -> None:
            if connection.execute(self._tenant(tenant)).first() is not None:
                raise TenantExists(tenant=tenant)
            connection.execute(t.tenants.insert().values(tenant=tenant, name=name, created_at=t.utc_now()))

        made = Change("tenant.created", tenant, actor, tenant=tenant, details={"name": name})
        self.writer.write(work, audit=lambda _: made)
        return self.get_tenant(EVERYWHERE, tenant)

    def update_tenant(
        self, tenant: str, *, actor: str, name: str | None = None, is_disabled: bool | None = None
    ) -> dict[str, Any]:
        """Rename it, or shut it out and let it in again; None leaves as it is. Shutting out twice keeps the first time.

        Raises:
            TenantUnknown: there is none.
        """

        def work(connection: sa.Connection) -> dict[str, Any]:
            row = connection.execute(self._tenant(tenant)).mappings().first()
            if row is None:
                raise TenantUnknown(tenant=tenant[:MAX_SHOWN])
            values: dict[str, Any] = {} if name is None or name == row["name"] else {"name": name}
            if is_disabled is not None and is_disabled != (row["disabled_at"] is not None):
                values["disabled_at"] = t.utc_now() if is_disabled else None
            if values:
                connection.execute(t.tenants.update().where(t.tenants.c.tenant == tenant).values(values))
            return {"name": values.get("name"), "is_disabled": is_disabled if "disabled_at" in values else None}

        self.writer.write(
            work,
            audit=lambda told: (
                Change("tenant.changed", tenant, actor, tenant=tenant, details=told)
                if any(value is not None for value in told.values())
                else None
            ),
        )
        return self.get_tenant(EVERYWHERE, tenant)

    def get_tenant(self, within: Reach, tenant: str) -> dict[str, Any]:
        """A tenant that is in sight.

        Raises:
            TenantUnknown: it is not, or there is none.
        """
        row = self._find(self._tenant(tenant)) if within.tenant in (None, tenant) else None
        if row is None:
            raise TenantUnknown(tenant=tenant[:MAX_SHOWN])
        return row

    def list_tenants(self, within: Reach) -> list[dict[str, Any]]:
        """Those in sight, by name."""
        query = sa.select(t.tenants).order_by(t.tenants.c.tenant)
        return self._list(query if within.tenant is None else query.where(t.tenants.c.tenant == within.tenant))

    def add_project(self, project: str, *, folder: Path, tenant: str = HOUSE) -> None:
        """Remember where a project lives and whose it is; adding it again moves it.

        Raises:
            TenantUnknown: there is no such tenant.
        """
        row = {"folder": str(folder), "tenant": tenant}

        def work(connection: sa.Connection) -> str:
            if connection.execute(self._tenant(tenant)).first() is None:
                raise TenantUnknown(tenant=tenant[:MAX_SHOWN])
            if connection.execute(t.projects.update().where(t.projects.c.project == project).values(row)).rowcount:
                return "project.moved"
            connection.execute(t.projects.insert().values(project=project, created_at=t.utc_now(), **row))
            return "project.added"

        same = (t.projects.c.project == project, t.projects.c.folder == str(folder), t.projects.c.tenant == tenant)
        if self._find(sa.select(t.projects).where(*same)) is None:
            place = {"folder": Path(folder).name}
            self.writer.write(
                work, audit=lambda action: Change(action, project, FEILUN, project, tenant, details=place)
            )

    def get_project(self, within: Reach, project: str) -> dict[str, Any]:
        """A project that is in sight.

        Raises:
            ProjectUnknown: it is not, or there is none.
        """
        query = sa.select(t.projects).where(t.projects.c.project == project, *within.rows_of(t.projects))
        row = self._find(query)
        if row is None:
            raise ProjectUnknown(name=project[:MAX_SHOWN])
        return row

    def list_projects(self, within: Reach) -> list[dict[str, Any]]:
        """Those in sight, by name."""
        return self._list(sa.select(t.projects).where(*within.rows_of(t.projects)).order_by(t.projects.c.project))

    def tenant_of(self, project: str) -> str:
        """Whose a project is.

        Raises:
            ProjectUnknown: there is no such project.
        """
        return str(self.get_project(EVERYWHERE, project)["tenant"])

    @staticmethod
    def _tenant(tenant: str) -> sa.Select[Any]:
        return sa.select(t.tenants).where(t.tenants.c.tenant == tenant)

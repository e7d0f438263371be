"""`feilun tenant`: whose the projects are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from feilun.cli.shared import AsJson, Where, Yes, confirm, new_app, open_workspace, result, say, table, user_name

app = new_app(help="Tenants: customers or teams that share a workspace and never see each other.")
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="Id of the tenant.")]
HERE = Path()


@app.command()
def create(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Its id: letters, digits, '-' and '_'.")],
    folder: Where = HERE,
    name: Annotated[str, typer.Option(help="As people write it (default: the id).")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a tenant, and the workspace in DIR if there is none.

    A project becomes its own by `tenant = "…"` under [project] in feilun.toml.

    \b
    Examples:
      feilun tenant create acme shop --name "Acme GmbH"
    """
    with open_workspace(folder, make=True) as workspace:
        made = workspace.create_tenant(tenant, name=name, actor=user_name())
        result(made, as_json=as_json, human=lambda row: _show([row]))
    say("tenant.created", tenant=tenant)


@app.command("list")
def list_(folder: Where = HERE, as_json: AsJson = False) -> None:
    """List the tenants of the workspace and their projects.

    \b
    Examples:
      feilun tenant list shop
    """
    with open_workspace(folder) as workspace:
        result(workspace.list_tenants(), as_json=as_json, human=_show)


@app.command()
def rename(
    tenant: Tenant,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As people write it.")],
    folder: Where = HERE,
    as_json: AsJson = False,
) -> None:
    """Give a tenant another name; its id stays.

    \b
    Examples:
      feilun tenant rename acme "Acme AG" shop
    """
    with open_workspace(folder) as workspace:
        changed = workspace.update_tenant(tenant, name=name, actor=user_name())
        result(changed, as_json=as_json, human=lambda row: _show([row]))


@app.command()
def disable(tenant: Tenant, folder: Where = HERE, yes: Yes = False, as_json: AsJson = False) -> None:
    """Shut a tenant out: within a second its keys open nothing, and its projects answer nobody but the operator.

    Nothing is deleted.

    \b
    Examples:
      feilun tenant disable acme shop --yes
    """
    with open_workspace(folder) as workspace:
        row = workspace.get_tenant(tenant)
        confirm("tenant.confirm_disable", yes=yes, name=row["name"])
        changed = workspace.update_tenant(tenant, is_disabled=True, actor=user_name())
        result(changed, as_json=as_json, human=lambda row: _show([row]))


@app.command()
def enable(tenant: Tenant, folder: Where = HERE, as_json: AsJson = False) -> None:
    """Let a tenant in again; its keys open what they did.

    \b
    Examples:
      feilun tenant enable acme shop
    """
    with open_workspace(folder) as workspace:
        changed = workspace.update_tenant(tenant, is_disabled=False, actor=user_name())
        result(changed, as_json=as_json, human=lambda row: _show([row]))


def _show(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (row["tenant"], row["name"], " ".join(row["projects"]) or None, row["created_at"], row["disabled_at"])
            for row in rows
        ],
        columns=("tenant", "name", "projects", "created_at", "disabled_at"),
    )

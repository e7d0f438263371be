"""`feilun person`: who may sign in to the console."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from feilun.cli.shared import (
    HERE,
    AsJson,
    Where,
    Yes,
    confirm,
    new_app,
    open_workspace,
    result,
    say,
    table,
    user_name,
    words,
)

app = new_app(help="People: who signs in to the console with a name and a password.")
Person = Annotated[str, typer.Argument(metavar="PERSON", help="Id of the person, as `feilun person list` shows it.")]
ROLE_HELP = "viewer, labeller, maintainer or owner."


@app.command()
def add(
    sign_in_name: Annotated[str, typer.Argument(metavar="NAME", help="Name to sign in with.")],
    folder: Where = HERE,
    role: Annotated[str, typer.Option(metavar="ROLE", help=ROLE_HELP)] = "labeller",
    name: Annotated[str, typer.Option(help="As people write it (default: the sign-in name).")] = "",
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Whose they are: they see its projects.")] = None,
    operator: Annotated[
        bool, typer.Option(help="They see every project (the default where there is one tenant).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add somebody and print the code with which they choose their password, this once.

    \b
    Examples:
      feilun person add desk1 support --role labeller
      feilun person add head shop --tenant acme --role owner --name "Head of support"
    """
    with open_workspace(folder) as workspace:
        is_said = (tenant is not None) != operator
        if not is_said and (operator or len(workspace.list_tenants()) > 1):
            raise typer.BadParameter(words("person.tenant_or_operator"), param_hint="--tenant")
        made = workspace.add_person(sign_in_name, role=role, name=name, tenant=tenant, actor=user_name())
    _show_code(made, as_json=as_json)


@app.command("list")
def list_(folder: Where = HERE, as_json: AsJson = False) -> None:
    """List the people of the workspace; never their passwords.

    \b
    Examples:
      feilun person list support
    """
    with open_workspace(folder) as workspace:
        result(workspace.list_people(), as_json=as_json, human=_show)


@app.command()
def role(
    person_id: Person,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=ROLE_HELP)],
    folder: Where = HERE,
    as_json: AsJson = False,
) -> None:
    """Give somebody another role; it holds at their next click.

    \b
    Examples:
      feilun person role person_0123456789ab maintainer support
    """
    with open_workspace(folder) as workspace:
        changed = workspace.update_person(person_id, role=role, actor=user_name())
        result(changed, as_json=as_json, human=lambda row: _show([row]))


@app.command()
def disable(person_id: Person, folder: Where = HERE, yes: Yes = False, as_json: AsJson = False) -> None:
    """Shut somebody out: they are signed out everywhere at once, and their password opens nothing.

    \b
    Examples:
      feilun person disable person_0123456789ab support --yes
    """
    with open_workspace(folder) as workspace:
        row = workspace.get_person(person_id)
        confirm("person.confirm_disable", yes=yes, name=row["sign_in_name"])
        changed = workspace.update_person(person_id, is_disabled=True, actor=user_name())
        result(changed, as_json=as_json, human=lambda row: _show([row]))


@app.command()
def enable(person_id: Person, folder: Where = HERE, as_json: AsJson = False) -> None:
    """Let somebody in again, with the password they had.

    \b
    Examples:
      feilun person enable person_0123456789ab support
    """
    with open_workspace(folder) as workspace:
        changed = workspace.update_person(person_id, is_disabled=False, actor=user_name())
        result(changed, as_json=as_json, human=lambda row: _show([row]))


@app.command()
def reset(person_id: Person, folder: Where = HERE, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take somebody's password away, sign them out everywhere, and print a code to choose another, this once.

    \b
    Examples:
      feilun person reset person_0123456789ab support --yes
    """
    with open_workspace(folder) as workspace:
        row = workspace.get_person(person_id)
        confirm("person.confirm_reset", yes=yes, name=row["sign_in_name"])
        made = workspace.reset_person(person_id, actor=user_name())
    _show_code(made, as_json=as_json)


def _show_code(made: dict[str, Any], *, as_json: bool) -> None:
    result(made, as_json=as_json, human=lambda made: typer.echo(made["code"]))
    say("person.invited", name=made["sign_in_name"])


def _show(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                row["person_id"],
                row["sign_in_name"],
                row["name"],
                row["role"],
                row["tenant"] or words("key.operator"),
                row["has_password"],
                row["invited_until"],
                row["disabled_at"],
            )
            for row in rows
        ],
        columns=(
            "person_id",
            "sign_in_name",
            "name",
            "role",
            "tenant",
            "has_password",
            "invited_until",
            "disabled_at",
        ),
    )

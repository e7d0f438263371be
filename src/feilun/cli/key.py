"""`feilun key`: who may come in."""

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
    open_project,
    open_workspace,
    result,
    say,
    table,
    user_name,
    words,
)

app = new_app(help="API keys: needed from anywhere but this machine itself.")
Key = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, as `feilun key list` shows it.")]
Days = Annotated[float | None, typer.Option(help="Days until it expires (default: never, or as before).")]
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _seconds(text: str) -> float:
    """A length of time such as 24h, in seconds."""
    try:
        return float(text[:-1]) * SECONDS[text[-1:]]
    except (KeyError, ValueError):
        raise typer.BadParameter(words("key.bad_time", text=text)) from None


@app.command()
def create(
    folder: Where = HERE,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="viewer, labeller, maintainer or owner: a set of scopes.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="predict, feedback, read, admin or keys; may be repeated."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Open every project of this tenant, not the one in DIR only.")
    ] = None,
    every_project: Annotated[
        bool, typer.Option(help="A key of the operator: open every project of the workspace.")
    ] = False,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: only its hash is kept.

    Without --role and --scope it may predict and give feedback.

    \b
    Examples:
      feilun key create support --name website --scope predict --scope feedback
      feilun key create shop --tenant acme --name ann --role owner --days 90
    """
    wanted: dict[str, Any] = {"name": name, "role": role, "expires_in_days": days}
    wanted["scopes"] = scope or ([] if role else ["predict", "feedback"])
    if tenant is not None and every_project:
        raise typer.BadParameter(words("key.tenant_or_all"), param_hint="--tenant")
    if tenant is not None or every_project:
        with open_workspace(folder) as workspace:
            made = workspace.create_key(tenant=tenant, actor=user_name(), **wanted)
    else:
        with open_project(folder) as project:
            made = project.workspace.create_key(project=project.name, actor=user_name(), **wanted)
    _show_made(made, as_json=as_json)


@app.command("list")
def list_(folder: Where = HERE, as_json: AsJson = False) -> None:
    """List the keys of the workspace; never the keys themselves.

    \b
    Examples:
      feilun key list support
    """
    with open_workspace(folder) as workspace:
        result(workspace.list_keys(), as_json=as_json, human=_show_keys)


@app.command()
def rotate(
    key_id: Key,
    folder: Where = HERE,
    grace: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long the present one goes on, such as 30m, 24h, 7d; 0s: not at all."),
    ] = "24h",
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret and print it, this once; its id, its rights and its counts stay.

    \b
    Examples:
      feilun key rotate key_0123456789ab support
      feilun key rotate key_0123456789ab support --grace 0s --days 90
    """
    with open_workspace(folder) as workspace:
        made = workspace.rotate_key(key_id, grace_s=_seconds(grace), expires_in_days=days, actor=user_name())
    _show_made(made, as_json=as_json)


@app.command()
def revoke(key_id: Key, folder: Where = HERE, yes: Yes = False, as_json: AsJson = False) -> None:
    """Close a key for good; a running server refuses it within a second.

    \b
    Examples:
      feilun key revoke key_0123456789ab support --yes
    """
    with open_workspace(folder) as workspace:
        row = workspace.get_key(key_id)
        confirm("key.confirm_revoke", yes=yes, name=row["name"])
        revoked = workspace.revoke_key(key_id, actor=user_name())
        result(revoked, as_json=as_json, human=lambda row: _show_keys([row]))


def _show_made(made: dict[str, Any], *, as_json: bool) -> None:
    result(made, as_json=as_json, human=lambda made: typer.echo(made["key"]))
    say("key.created", key_id=made["key_id"], scopes=" ".join(made["scopes"]))


def _show_keys(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                row["key_id"],
                row["name"],
                row["role"] or " ".join(row["scopes"]),
                row["tenant"] or words("key.operator"),
                row["project"] or words("key.every_project"),
                row["expires_at"],
                row["last_used_at"],
                row["revoked_at"],
            )
            for row in rows
        ],
        columns=("key_id", "name", "role", "tenant", "project", "expires_at", "last_used_at", "revoked_at"),
    )

"""`feilun key`: who may come in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from feilun.cli.shared import (
    HERE,
    AsJson,
    Folder,
    Yes,
    confirm,
    new_app,
    open_project,
    result,
    say,
    table,
    user_name,
    words,
)

app = new_app(help="API keys: needed from anywhere but this machine itself.")
SECRETS = ("secret_hash",)  # of no use to anyone, so never printed


@app.command()
def create(
    folder: Folder = HERE,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="predict, feedback, read or admin; may be repeated.")
    ] = None,
    every_project: Annotated[
        bool, typer.Option(help="Open every project of the workspace, not this one only.")
    ] = False,
    days: Annotated[float | None, typer.Option(help="Days until it expires (default: never).")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: only its hash is kept.

    \b
    Examples:
      feilun key create support --name website --scope predict --scope feedback
      feilun key create support --name ops --scope admin --days 90
    """
    from feilun.trust import create_key

    with open_project(folder) as project:
        row, secret = create_key(
            project.store,
            name=name,
            scopes=scope or ["predict", "feedback"],
            project=None if every_project else project.name,
            expires_in_days=days,
            actor=user_name(),
        )
        made = _public(row) | {"key": secret}
        result(made, as_json=as_json, human=lambda made: typer.echo(made["key"]))
        say("key.created", key_id=row["key_id"], scopes=" ".join(row["scopes"]))


@app.command("list")
def list_(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the keys of the workspace; never the keys themselves.

    \b
    Examples:
      feilun key list support
    """
    with open_project(folder) as project:
        result([_public(row) for row in project.store.list_keys()], as_json=as_json, human=_show_keys)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, as `feilun key list` shows it.")],
    folder: Folder = HERE,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Close a key for good; a running server refuses it within a second.

    \b
    Examples:
      feilun key revoke key_0123456789ab support --yes
    """
    with open_project(folder) as project:
        row = project.store.get_key(key_id)
        confirm("key.confirm_revoke", yes=yes, name=row["name"])
        result(
            _public(project.store.revoke_key(key_id, actor=user_name())),
            as_json=as_json,
            human=lambda row: _show_keys([row]),
        )


def _public(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in (*SECRETS, "seq")}


def _show_keys(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                row["key_id"],
                row["name"],
                " ".join(row["scopes"]),
                row["project"] or words("key.every_project"),
                row["created_at"],
                row["expires_at"],
                row["revoked_at"],
            )
            for row in rows
        ],
        columns=("key_id", "name", "scopes", "project", "created_at", "expires_at", "revoked_at"),
    )

"""`feilun limit`: how much a key or a tenant may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feilun.cli.shared import HERE, AsJson, Where, new_app, open_workspace, result, table, user_name

if TYPE_CHECKING:
    from feilun.records import Limit

app = new_app(help="Limits of keys and tenants: requests a minute, requests and characters a month.")
FIELDS = ("subject", "subject_id", "per_minute", "burst", "monthly_requests", "monthly_characters")


@app.command("set")
def set_(
    folder: Where = HERE,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="Id of the key that it is for.")] = None,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="The tenant that it is for.")] = None,
    per_minute: Annotated[int | None, typer.Option(help="Most requests a minute.")] = None,
    burst: Annotated[
        int | None, typer.Option(help="Requests that may come at once (default: two seconds' worth).")
    ] = None,
    monthly_requests: Annotated[
        int | None, typer.Option(help="Most requests a month (UTC); one with several inputs counts as so many.")
    ] = None,
    monthly_characters: Annotated[int | None, typer.Option(help="Most characters of inputs a month (UTC).")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a key or a tenant may use, all of it: what is left out has no limit. Servers keep to it within a second.

    \b
    Examples:
      feilun limit set support --key key_0123456789ab --per-minute 600 --monthly-requests 100000
      feilun limit set support --tenant house --monthly-characters 50000000
      feilun limit set support --key key_0123456789ab
    """
    with open_workspace(folder) as workspace:
        made = workspace.set_limit(
            key_id=key,
            tenant=tenant,
            per_minute=per_minute,
            burst=burst,
            monthly_requests=monthly_requests,
            monthly_characters=monthly_characters,
            actor=user_name(),
        )
    result(made, as_json=as_json, human=lambda made: _show([made]))


@app.command()
def show(folder: Where = HERE, as_json: AsJson = False) -> None:
    """List the limits that are set.

    \b
    Examples:
      feilun limit show support
    """
    with open_workspace(folder) as workspace:
        result(workspace.limits(), as_json=as_json, human=_show)


def _show(rows: list[Limit]) -> None:
    table([[getattr(row, name) for name in FIELDS] for row in rows], columns=FIELDS)

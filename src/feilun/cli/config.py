"""`feilun config`: the settings of a project, explained and changed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from feilun.cli.shared import HERE, AsJson, Folder, new_app, open_project, result, table, user_name, words
from feilun.errors import language

app = new_app(help="The settings of a project: what they are, what they mean, and changing them.")
Setting = Annotated[str, typer.Argument(metavar="SETTING", help="Table and key, such as goal.at_least.")]


@app.command()
def show(
    folder: Folder = HERE,
    everything: Annotated[bool, typer.Option("--all", help="Also those that stand at their default.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what feilun.toml sets otherwise than the default; with --all every setting. --json has all, explained.

    \b
    Examples:
      feilun config show support
      feilun config show support --all
    """
    with open_project(folder) as project:
        told = project.describe_settings(language())
        result(told, as_json=as_json, human=lambda told: _show(told, everything=everything))


@app.command("set")
def set_(
    setting: Setting,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As in feilun.toml: 0.9, true, daily, '[\"failed\"]'.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Give a setting another value in feilun.toml; comments stay. Says when it takes effect; no restart is needed.

    What names a path or an address, or says what is learnt, is changed in the file itself.

    \b
    Examples:
      feilun config set goal.at_least 0.9 support
      feilun config set improve.schedule daily support
    """
    _change(folder, setting, _parsed(value), as_json=as_json)


@app.command()
def unset(setting: Setting, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Let a setting go back to its default.

    \b
    Examples:
      feilun config unset goal.at_least support
    """
    _change(folder, setting, None, as_json=as_json)


def _change(folder: Any, setting: str, value: Any, *, as_json: bool) -> None:
    from feilun.project.settings import effect_of

    with open_project(folder) as project:
        changed = project.change_settings({setting: value}, actor=user_name())
        effect = effect_of(setting)
    made = {"changed": {name: list(pair) for name, pair in changed.items()}, "effect": effect}
    key = f"config.{effect}" if changed else "config.same"
    result(made, as_json=as_json, human=lambda _: typer.echo(words(key, setting=setting)))


def _parsed(text: str) -> Any:
    """A value as TOML writes it; what is none is a text."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _show(told: dict[str, Any], *, everything: bool) -> None:
    rows = [one for section in told["sections"] for one in section["settings"]]
    table(
        [
            (one["name"], _cell(one), _written(one["default"]), words(f"config.effect.{one['effect']}"), one["meaning"])
            for one in rows
            if everything or not one["is_default"]
        ],
        columns=("setting", "value", "default", "effect", "meaning"),
    )


def _cell(one: dict[str, Any]) -> str:
    return words("config.hidden") if one["is_hidden"] and not one["is_default"] else _written(one["value"])


def _written(value: Any) -> str:
    """As somebody would say it to `feilun config set`."""
    import json

    if value is None or value == "":
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

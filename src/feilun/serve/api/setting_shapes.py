"""A project's settings as they go in and come out, field by field."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from feilun.serve.api.shapes import Shape


class SettingRow(Shape):
    """One key of feilun.toml."""

    name: str = Field(description="Table and key.", examples=["goal.at_least"])
    value: Any = Field(description="As it stands; null when it is empty or not shown.")
    default: Any = Field(description="What it is when the file says nothing; null when it is empty or needed.")
    is_default: bool = Field(description="Whether it stands at its default, or has none.")
    is_hidden: bool = Field(description="Whether its value is not shown, because a password may be in it.")
    kind: Literal["switch", "whole", "number", "text", "choice", "choices", "other"]
    choices: list[str] = Field(description="What it takes, where that is named one by one.")
    least: float | None = Field(description="The limit below; `allowed` says whether it may be reached.")
    most: float | None = Field(description="The limit above.")
    allowed: str = Field(description="What it takes, in the caller's language.")
    may_be_empty: bool = Field(description="Whether null is a value of its own: there is no such limit then.")
    effect: Literal["now", "next_turn", "file"] = Field(
        description="When a change takes effect; file: it is changed in feilun.toml itself, on the machine."
    )
    meaning: str = Field(description="In the caller's language.")


class SettingSection(Shape):
    table: str = Field(examples=["goal"])
    meaning: str
    settings: list[SettingRow]


class SettingsReply(Shape):
    """feilun.toml of a project, explained."""

    etag: str = Field(description="What If-Match takes, as in the header ETag.")
    sections: list[SettingSection] = Field(description="In the order of the file.")


class SettingsChange(Shape):
    """Other values for some keys; all are taken, or none."""

    changes: dict[str, Any] = Field(
        min_length=1,
        max_length=100,
        description="By key; null goes back to the default.",
        examples=[{"goal.at_least": 0.9}],
    )


class SettingPair(Shape):
    old: Any
    new: Any


class SettingsChanged(Shape):
    etag: str
    changed: dict[str, SettingPair] = Field(description="What is another value than before, by key.")

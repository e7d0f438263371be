"""What config.py says of each setting: its key, what it takes, and its meaning in both languages."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal

from pydantic.fields import FieldInfo

from feilun.config import FeilunSettings, Settings

Kind = Literal["switch", "whole", "number", "text", "choice", "choices", "other"]
REPEATED = ("data.sources", "alerts.to")  # tables that stand as often in a file as somebody needs
_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
_PLAIN: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number", str: "text"}


@dataclass(frozen=True)
class SettingWords:
    """One key of feilun.toml. `table` and `key` are as in the file; `name` is both, with dots between."""

    table: str
    key: str
    field: FieldInfo

    @property
    def name(self) -> str:
        return f"{self.table}.{self.key}"

    @property
    def kind(self) -> Kind:
        annotation = _bare(self.field.annotation)
        if typing.get_origin(annotation) is Literal:
            return "choice"
        return "choices" if choices_of(self.field) else _PLAIN.get(annotation, "other")

    @property
    def may_be_empty(self) -> bool:
        """Whether None is a value of it."""
        return NoneType in typing.get_args(self.field.annotation)

    def meaning(self, lang: str) -> str:
        return chinese()[self.table][self.key] if lang == "zh" else str(self.field.description)


@cache
def chinese() -> dict[str, dict[str, str]]:
    """Chinese words by table and key; `_` is the meaning of the table."""
    return tomllib.loads(Path(__file__).with_name("config.zh.toml").read_text("utf-8"))


def table_meaning(name: str, model: type[Settings], lang: str) -> str:
    """What a table is about."""
    if lang == "zh":
        return chinese()[name]["_"]
    return str(model.__doc__).splitlines()[0].split("] ", 1)[-1]


def tables(model: type[Settings] = FeilunSettings, name: str = "") -> Iterator[tuple[str, type[Settings]]]:
    """Every table of feilun.toml with its model, in the order of the file."""
    for key, field in model.model_fields.items():
        for inner in _settings_in(field.annotation):
            path = f"{name}.{key}" if name else key
            if path == "data.holdout":
                continue  # the same keys as [[data.sources]]
            yield path, inner
            yield from tables(inner, path)


def settings_of(name: str, model: type[Settings]) -> list[SettingWords]:
    """The keys of a table, without those that are tables with a section of their own."""
    return [SettingWords(name, key, field) for key, field in model.model_fields.items() if not is_table(field)]


@cache
def all_settings() -> dict[str, SettingWords]:
    """Every key that stands once in a file, by its name."""
    return {one.name: one for name, model in tables() if name not in REPEATED for one in settings_of(name, model)}


def is_table(field: FieldInfo) -> bool:
    """Whether a key is a table with a section of its own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, Settings)


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The values that a key takes, or that its list is made of; empty where they are not named one by one."""
    annotation = _bare(field.annotation)
    for one in (annotation, *typing.get_args(annotation)):
        if typing.get_origin(one) is Literal:
            return tuple(str(choice) for choice in typing.get_args(one))
    return ()


def limits_of(field: FieldInfo) -> dict[str, float]:
    """The limits of a key, as they are checked, by their sign: {"≥": 0, "<": 1}."""
    found: dict[str, float] = {}
    for limit in field.metadata:
        found |= {sign: getattr(limit, name) for name, sign in _SIGNS.items() if hasattr(limit, name)}
    return found


def _settings_in(annotation: Any) -> list[type[Settings]]:
    found = [annotation, *typing.get_args(annotation)]
    return [one for one in found if isinstance(one, type) and issubclass(one, Settings)]


def _bare(annotation: Any) -> Any:
    """Without the None of an optional one."""
    if typing.get_origin(annotation) in (UnionType, typing.Union):
        left = [one for one in typing.get_args(annotation) if one is not NoneType]
        return left[0] if len(left) == 1 else annotation
    return annotation

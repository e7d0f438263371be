"""The settings of a project: explained, and changed where that is safe."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import ValidationError

from feilun.config import CONFIG_NAME, FeilunSettings, load_settings, set_keys
from feilun.config_words import REPEATED, SettingWords, all_settings, choices_of, limits_of, table_meaning, tables
from feilun.disk import write_whole
from feilun.project.base import Base
from feilun.project.errors import SettingInFile, SettingsOutdated, SettingsRefused, SettingUnknown
from feilun.store.chain import Change

Row = dict[str, Any]
Effect = Literal["now", "next_turn", "file"]
METRIC = "goal.metric"
MAX_SHOWN = 40  # characters of a refused value
WORDS = {
    "switch": ("true or false", "true 或 false"),
    "whole": ("a whole number", "整数"),
    "number": ("a number", "数字"),
    "text": ("text", "文本"),
    "choice": ("one of: ", "以下之一："),
    "choices": ("a list of: ", "以下各项组成的列表："),
}


class SettingsVerbs(Base):
    """feilun.toml, read with its meaning, and changed key by key."""

    def describe_settings(self, lang: str = "en") -> Row:
        """Every key by section: its value, its default, what it takes, what it means, and when a change takes effect.

        Args:
            lang: of the explanations, "en" or "zh".
        """
        text = _read(self.folder / CONFIG_NAME)
        told, metrics = load_settings(self.folder).model_dump(mode="json"), self._metrics()
        rows = {one.name: _describe(one, told, lang) for one in all_settings().values()}
        if metrics:
            rows[METRIC] |= {"kind": "choice", "choices": metrics, "allowed": _one_of(metrics, lang)}
        sections = [
            {
                "table": name,
                "meaning": table_meaning(name, model, lang),
                "settings": [row for key, row in rows.items() if all_settings()[key].table == name],
            }
            for name, model in tables()
            if name not in (*REPEATED, "store")
        ]
        return {"etag": _etag(text), "sections": sections}

    def settings_etag(self) -> str:
        """Another one whenever feilun.toml is another one."""
        return _etag(_read(self.folder / CONFIG_NAME))

    def change_settings(
        self, changes: Mapping[str, Any], *, etag: str | None = None, actor: str = "python"
    ) -> dict[str, tuple[Any, Any]]:
        """Give keys other values in feilun.toml; its comments stay. What changed: old and new value by key.

        All changes are made, or none. Those of the next turn leave a turn under way alone.

        Args:
            changes: by key, such as {"goal.at_least": 0.9}; None goes back to the default.
            etag: as `describe_settings` gave it, so that nobody's change in between is written over; None: whatever
                stands there now.
        Raises:
            SettingUnknown: there is no such key.
            SettingInFile: it is not safe to change from here.
            SettingsRefused: a value cannot be used.
            SettingsOutdated: the file has changed since `etag`.
        """
        for name in changes:
            _must_be_editable(name)
        config = self.folder / CONFIG_NAME
        with self._config_lock():
            text = _read(config)
            if etag is not None and etag != _etag(text):
                raise SettingsOutdated(name=CONFIG_NAME)
            old = load_settings(self.folder)
            new = _validated(text, changes, metrics=self._metrics())
            told = {name: (_value(old, name), _value(new, name)) for name in changes}
            told = {name: pair for name, pair in told.items() if pair[0] != pair[1]}
            if told:
                values = {name: None if changes[name] is None else _value(new, name) for name in told}
                # Entered first: an entry for a change that came to nothing does no harm, the other way round it may.
                self.store.add_audit(Change("settings.changed", CONFIG_NAME, actor, self.name, details=told))
                write_whole(config, set_keys(text, values))
            self._follow_settings()
        return told

    def _metrics(self) -> list[str]:
        """The figures that a goal may be set on, as the latest report has them; none before there is one."""
        rows = self.store.list_models(self.name, limit=1)
        return sorted(rows[0]["report"].get("metrics", ())) if rows else []


@cache
def _editable() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("editable.toml").read_text("utf-8"))


def effect_of(name: str) -> Effect:
    """When a change of this key takes effect; "file" for one that is changed in feilun.toml alone."""
    found: list[Effect] = [effect for effect in ("now", "next_turn") if name in _editable()[effect]]
    return found[0] if found else "file"


def _must_be_editable(name: str) -> None:
    if name not in all_settings():
        near = get_close_matches(name, all_settings(), n=1)
        raise SettingUnknown(setting=name[:64], guess=near[0] if near else "goal.at_least")
    if effect_of(name) == "file":
        raise SettingInFile(setting=name, name=CONFIG_NAME)


def _validated(text: str, changes: Mapping[str, Any], *, metrics: list[str]) -> FeilunSettings:
    """The settings as the changed file would give them.

    Raises:
        SettingsRefused: it would not be valid; every mistake is told.
    """
    wrong = [name for name, value in changes.items() if _is_beyond(name, value)]
    if metrics and changes.get(METRIC, metrics[0]) not in (None, *metrics):
        wrong.append(METRIC)
    raw = tomllib.loads(text)
    for name in changes.keys() - set(wrong):
        _put(raw, name.split("."), changes[name])
    try:
        new = FeilunSettings.model_validate(raw)
    except ValidationError as error:
        found = [".".join(str(part) for part in one["loc"]) for one in error.errors()]
        wrong += [name for name in changes if any(f"{at}.".startswith(f"{name}.") for at in found)]
    if wrong:
        raise _refused(wrong, changes)
    return new


def _put(raw: dict[str, Any], path: list[str], value: Any) -> None:
    *tables_, key = path
    for one in tables_:
        raw = raw.setdefault(one, {})
    if value is None:
        raw.pop(key, None)
    else:
        raw[key] = value


def _is_beyond(name: str, value: Any) -> bool:
    """What the model would let through: no number, or more than can be set here. A text is no number here."""
    kind = all_settings()[name].kind
    if kind in ("whole", "number", "switch") and isinstance(value, str):
        return True
    if isinstance(value, bool) and kind in ("whole", "number"):
        return True
    if not isinstance(value, int | float):
        return False
    return not math.isfinite(value) or value > _editable()["most"].get(name, math.inf)


def _refused(names: list[str], changes: Mapping[str, Any]) -> SettingsRefused:
    def told(lang: str) -> str:
        shape = "{} = {}（{}）" if lang == "zh" else "{} = {} ({})"
        joint = "；" if lang == "zh" else "; "
        return joint.join(shape.format(name, str(changes[name])[:MAX_SHOWN], allowed(name, lang)) for name in names)

    return SettingsRefused(settings=names, mistakes_en=told("en"), mistakes_zh=told("zh"))


def allowed(name: str, lang: str) -> str:
    """What a key takes, in words."""
    one = all_settings()[name]
    words = WORDS[one.kind][lang == "zh"]
    if choices_of(one.field):
        return f"{words}{', '.join(choices_of(one.field))}"
    joint = " 且 " if lang == "zh" else " and "
    return f"{words} {joint.join(f'{sign} {limit:g}' for sign, limit in _limits(one).items())}".rstrip()


def _one_of(choices: list[str], lang: str) -> str:
    return f"{WORDS['choice'][lang == 'zh']}{', '.join(choices)}"


def _limits(one: SettingWords) -> dict[str, float]:
    most = _editable()["most"].get(one.name)
    return limits_of(one.field) | ({} if most is None else {"≤": most})


def _describe(one: SettingWords, told: dict[str, Any], lang: str) -> Row:
    is_hidden = one.name in _editable()["hidden"]
    value, default = _at(told, one.name), _default(one)
    limits = _limits(one)
    return {
        "name": one.name,
        "value": None if is_hidden else _shown(value),
        "default": default,
        "is_default": one.field.is_required() or value == default or bool(value is None and one.field.exclude),
        "is_hidden": is_hidden,
        "kind": one.kind,
        "choices": choices_of(one.field),
        "least": limits.get("≥", limits.get(">")),
        "most": limits.get("≤", limits.get("<")),
        "allowed": allowed(one.name, lang) if one.kind in WORDS else "",
        "may_be_empty": one.may_be_empty,
        "effect": effect_of(one.name),
        "meaning": one.meaning(lang),
    }


def _default(one: SettingWords) -> Any:
    if one.field.is_required():
        return None
    field = one.field.get_default(call_default_factory=True)
    dump = getattr(field, "model_dump", None)
    return dump(mode="json") if dump else list(field) if isinstance(field, tuple) else field


def _value(settings: FeilunSettings, name: str) -> Any:
    return _at(settings.model_dump(mode="json"), name)


def _at(told: dict[str, Any], name: str) -> Any:
    found: Any = told
    for part in name.split("."):
        found = found.get(part)
    return found


def _shown(value: Any) -> Any:
    """Without the folders of this machine: readers of a project need not know where it lies."""
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    scheme, colon, path = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return f"{scheme}{colon}{PurePath(path).name}" if path.startswith("/") and path[:2] != "//" else value


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig")


def _etag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

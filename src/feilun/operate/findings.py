"""Finding: one thing that the doctor looked at, in words that findings.toml has in both languages."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from feilun.errors import language

Level = Literal["ok", "notice", "problem"]
TEXTS = Path(__file__).with_name("findings.toml")


class Finding(BaseModel):
    """What was found, how bad it is, and what to do about it (empty when there is nothing to do)."""

    model_config = ConfigDict(frozen=True)

    code: str
    level: Level
    fields: dict[str, Any] = {}

    def found(self, lang: str | None = None) -> str:
        """What was found, in `lang` ("en" or "zh"; default: the process's language)."""
        return self._words("found", lang)

    def action(self, lang: str | None = None) -> str:
        """What to do about it."""
        return self._words("action", lang)

    def to_dict(self, lang: str | None = None) -> dict[str, Any]:
        """Code, level, both sentences and the fields."""
        return self.model_dump() | {"found": self.found(lang), "action": self.action(lang)}

    def _words(self, part: str, lang: str | None) -> str:
        spoken = lang or language()
        text = _texts()[self.code].get(part, {"en": "", "zh": ""})[spoken]
        chosen = {name.removesuffix(f"_{spoken}"): value for name, value in self.fields.items()}
        return str(text.format(**chosen))


@cache
def _texts() -> dict[str, Any]:
    """Words by code."""
    flat: dict[str, Any] = {}
    for group, entries in tomllib.loads(TEXTS.read_text("utf-8")).items():
        flat |= {f"{group}.{name}": entry for name, entry in entries.items()}
    return flat

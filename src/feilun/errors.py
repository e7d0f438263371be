"""The one shape of every error: what was found, what was expected, what to do next, in two languages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

Kind = Literal["invalid", "missing", "conflict", "forbidden", "unavailable", "exhausted"]

EXIT_DONE, EXIT_NOT_REACHED, EXIT_WRONG_USE = 0, 1, 2


def language() -> str:
    """The language of messages to people: FEILUN_LANG, else the locale; "zh" or "en"."""
    spoken = os.environ.get("FEILUN_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "zh" if spoken.lower().startswith("zh") else "en"


class FeilunError(Exception):
    """A mistake a person can mend. Each subclass is one mistake, defined beside the code that raises it.

    Subclasses set `code` (stable, documented), `kind` (from which the API takes its status, the command
    line its exit code) and the two texts, whose placeholders are the same and are given as keywords.
    Values travel as fields; they name ids, rows and settings, never a person's text or a key.
    """

    code: ClassVar[str] = "feilun.error"
    kind: ClassVar[Kind] = "invalid"
    en: ClassVar[str] = "Something went wrong."
    zh: ClassVar[str] = "出错了。"
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """What each value of the field `what` is called, in English and in Chinese; empty where there is no such field."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        super().__init__(self.message())

    def message(self, lang: str | None = None) -> str:
        """The sentence for a person, in `lang` ("en" or "zh"; default: the process's language)."""
        is_chinese = (lang or language()) == "zh"
        spoken = {"what": self.reasons[self.fields["what"]][is_chinese]} if self.reasons else {}
        return (self.zh if is_chinese else self.en).format(**self.fields | spoken)

    def to_dict(self, lang: str | None = None) -> dict[str, Any]:
        """The API's error shape: code, message, fields."""
        return {"code": self.code, "message": self.message(lang), "fields": self.fields}

    def __str__(self) -> str:
        return self.message()


class ExtraMissing(FeilunError):
    """A feature needs a package that the light install leaves out."""

    code, kind = "feilun.extra_missing", "unavailable"
    en = "{feature} needs {package}, which is not installed. Install it with: pip install 'feilun[{extra}]'"
    zh = "{feature} 需要 {package}，但尚未安装。请运行：pip install 'feilun[{extra}]'"

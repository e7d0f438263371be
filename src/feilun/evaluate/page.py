"""Lines of Markdown in one language: what every section of a report writes on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from feilun.evaluate.words import WORDS
from feilun.records import Interval


class Page:
    """Lines of Markdown in one language."""

    def __init__(self, lang: str) -> None:
        self.lang, self.words, self.lines = lang, WORDS[lang], list[str]()

    def text(self) -> str:
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip() + "\n"

    def heading(self, key: str, *, depth: int = 2) -> None:
        self.lines += ["", "#" * depth + " " + self.words[key], ""]

    def say(self, key: str, **fields: Any) -> None:
        self.lines += [self.words[key].format(**fields), ""]

    def table(self, key: str, rows: Iterable[Iterable[str]], **fields: Any) -> None:
        head = self.words[key].format(**fields)
        self.lines += [head, "|---" * (head.count("|") - 1) + "|"]
        self.lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
        self.lines.append("")

    def percent(self, fraction: float, *, digits: int = 1) -> str:
        return f"{100 * fraction:.{digits}f}" + (" %" if self.lang == "en" else "%")

    def level(self, interval: Interval) -> str:
        return f"{100 * interval.level:g}" + (" %" if self.lang == "en" else "%")

    def span(self, interval: Interval) -> str:
        return f"{self.percent(interval.low)} – {self.percent(interval.high)}"

    def bounds(self, interval: Interval) -> dict[str, str]:
        return {"low": self.percent(interval.low), "high": self.percent(interval.high)}

    def metric(self, name: str) -> str:
        return self.words.get(name, name)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

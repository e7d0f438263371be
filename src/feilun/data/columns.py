"""Which column holds the text and which the label: by well-known names first, then by what the cells look like."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from feilun.data.errors import CannotTellColumns, NoHeader, NoLabelColumn
from feilun.data.table import Table, shown

_TEXT_NAMES = (
    "text texts message messages msg content contents sentence sentences utterance utterances utt query queries "
    "question questions comment comments review reviews body feedback description "
    "文本 内容 消息 留言 问题 提问 句子 评论 评价 用户消息 客户消息 用户问题 正文 描述 文字 訊息 內容 問題 評論"
)
_LABEL_NAMES = (
    "label labels intent intents category categories class classes topic topics tag tags sentiment target "
    "标签 类别 分类 意图 类型 主题 情感 标注 情感倾向 標籤 類別 分類 意圖"
)
TEXT_NAMES, LABEL_NAMES = frozenset(_TEXT_NAMES.split()), frozenset(_LABEL_NAMES.split())
# Past so many distinct values a column is free text, or has a class a row: neither can be a label.
MAX_LABELS = 2000
MAX_LABEL_CHARS = 80


@dataclass
class ColumnStats:
    """What the cells of one column look like; empty cells do not count."""

    n_filled: int = 0
    n_chars: int = 0
    n_numeric: int = 0
    longest: int = 0
    values: Counter[str] = field(default_factory=Counter)
    is_open: bool = False

    def add(self, value: str) -> None:
        """Take one cell into account; past MAX_LABELS distinct short values, values are no longer counted."""
        value = value.strip()
        if not value:
            return
        self.n_filled += 1
        self.n_chars += len(value)
        self.longest = max(self.longest, len(value))
        self.n_numeric += _is_number(value)
        if not self.is_open:
            self.values[value] += 1
            if len(self.values) > MAX_LABELS:
                self.is_open = True
                self.values.clear()

    @property
    def mean_chars(self) -> float:
        return self.n_chars / self.n_filled if self.n_filled else 0.0

    @property
    def could_be_text(self) -> bool:
        """Mostly words, and mostly different ones."""
        if not self.n_filled or self.n_numeric * 2 > self.n_filled:
            return False
        return self.is_open or len(self.values) * 4 > self.n_filled or len(self.values) > 50

    @property
    def could_be_label(self) -> bool:
        """Short values that come again: on average at least twice."""
        if self.is_open or not self.n_filled or self.longest > MAX_LABEL_CHARS:
            return False
        return len(self.values) == 1 or len(self.values) * 2 <= self.n_filled


def guess_columns(
    table: Table, stats: dict[str, ColumnStats], *, text: str | None, label: str | None
) -> tuple[str, str]:
    """(text column, label column); names that are given stand.

    Raises:
        NoSuchColumn: a given name is not in the file.
        CannotTellColumns: no column fits the messages, or several fit equally well.
        NoLabelColumn: no column fits the labels.
        NoHeader: the first row is data.
    """
    for given in (text, label):
        if given is not None:
            table.position(given)
    chosen_label = label or _by_name(LABEL_NAMES, [c for c in stats if c != text])
    chosen_text = text or _by_name(TEXT_NAMES, [c for c in stats if c != chosen_label])
    if not (chosen_text and chosen_label) and _header_is_data(stats):
        raise NoHeader(path=table.name)
    chosen_text = chosen_text or _text_by_cells(table, stats, taken=chosen_label)
    return chosen_text, chosen_label or _label_by_cells(table, stats, taken=chosen_text)


def guess_text(table: Table, stats: dict[str, ColumnStats], *, text: str | None) -> str:
    """The text column of a file that may have no labels; a name that is given stands. Raises as `guess_columns`."""
    if text is not None:
        table.position(text)
        return text
    if len(stats) == 1:
        return next(iter(stats))
    named = _by_name(TEXT_NAMES, list(stats))
    if not named and _header_is_data(stats):
        raise NoHeader(path=table.name)
    return named or _text_by_cells(table, stats, taken="")


def _by_name(known: frozenset[str], columns: list[str]) -> str:
    """The one column with a well-known name, or the one whose name contains such a word; "" when none or several."""
    whole = [column for column in columns if column.strip().casefold() in known]
    if whole:
        return whole[0] if len(whole) == 1 else ""
    parts = [
        c for c in columns if any(word in known for word in c.casefold().replace("-", "_").replace(" ", "_").split("_"))
    ]
    return parts[0] if len(parts) == 1 else ""


def _text_by_cells(table: Table, stats: dict[str, ColumnStats], *, taken: str) -> str:
    fitting = [column for column, s in stats.items() if column != taken and s.could_be_text]
    if not fitting:
        raise CannotTellColumns(
            path=table.name, role_en="message", role_zh="消息文本", columns=shown(table.columns), flag="--text"
        )
    return max(fitting, key=lambda column: stats[column].mean_chars)


def _label_by_cells(table: Table, stats: dict[str, ColumnStats], *, taken: str) -> str:
    fitting = [column for column, s in stats.items() if column != taken and s.could_be_label]
    words = [column for column in fitting if stats[column].n_numeric < stats[column].n_filled]
    for candidates in (words, fitting):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            break
    if not fitting:
        raise NoLabelColumn(path=table.name, columns=shown(table.columns))
    raise CannotTellColumns(
        path=table.name, role_en="label", role_zh="标签", columns=shown(table.columns), flag="--label"
    )


def _header_is_data(stats: dict[str, ColumnStats]) -> bool:
    """A name among its own column's values is no name."""
    return any(column in s.values for column, s in stats.items())


def _is_number(value: str) -> bool:
    if value[0] not in "+-.0123456789":
        return False
    try:
        float(value.replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True

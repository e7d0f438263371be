"""Why a row is set aside, in both languages. The codes are stable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feilun.records import SetAside

REASONS: Mapping[str, tuple[str, str]] = {
    "empty": ("The text cell is empty.", "文本单元格为空。"),
    "too_long": (
        "The text has {n_chars} characters; max_chars allows {limit}.",
        "文本有 {n_chars} 个字符，max_chars 上限为 {limit}。",
    ),
    "ragged": (
        "The row has {found} cells, the header {expected}; look for a missing delimiter or a text without quotes.",
        "该行有 {found} 个单元格，而表头有 {expected} 个；请检查是否缺少分隔符，或文本没有加引号。",
    ),
    "quotes": (
        "A quotation mark opens a cell and is not closed, or stands inside a cell without being doubled.",
        "引号打开后没有闭合，或单元格内的引号没有写成两个。",
    ),
    "nul": ("The row contains a NUL character.", "该行含有 NUL 字符。"),
    "undecodable": (
        "The row has bytes or characters that are not valid {encoding}.",
        "该行含有不合法的 {encoding} 字节或字符。",
    ),
    "json": ("The line is not a JSON object.", "该行不是 JSON 对象。"),
    "conflict": (
        "The same text stands under several labels equally often; decide which is right and keep that one.",
        "同一文本以相同次数出现在多个标签下；请判断哪个正确并只保留它。",
    ),
    "outvoted": (
        "The same text stands more often under another label; the majority was kept.",
        "同一文本更多地出现在另一个标签下；已保留多数的标签。",
    ),
    "corrected": (
        "A correction gives this text another label; the correction was kept.",
        "有一条纠正给了该文本另一个标签；已采用纠正。",
    ),
    "holdout_unlabelled": (
        "A row of the holdout file has no label, so nothing can be judged on it.",
        "留出文件中的这一行没有标签，无法用于评估。",
    ),
}


def set_aside(reason: str, *, source: str, row: int, **fields: Any) -> SetAside:
    """The record of one bad row."""
    en, zh = REASONS[reason]
    return SetAside(source=source, row=row, reason_code=reason, en=en.format(**fields), zh=zh.format(**fields))

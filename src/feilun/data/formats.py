"""Which format a file is in, by its first bytes; the extension only decides what the bytes leave open."""

from __future__ import annotations

import json
from pathlib import Path

from feilun.data.encoding import BOMS, MARK_ERRORS, recognise, utf16_without_bom
from feilun.data.errors import EmptyFile, UnknownFormat
from feilun.data.table import Format

HEAD_BYTES = 64 * 1024
# First bytes of files that people try: (magic, in English, in Chinese).
STRANGERS = (
    (
        b"\xd0\xcf\x11\xe0",
        "an old (.xls, .doc) or password-protected office file",
        "旧版（.xls、.doc）或加了密码的办公文档",
    ),
    (b"%PDF", "a PDF", " PDF 文件"),
    (b"\x1f\x8b", "a gzip archive; unpack it first", " gzip 压缩包，请先解压"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first", " 7z 压缩包，请先解压"),
    (b"Rar!", "a RAR archive; unpack it first", " RAR 压缩包，请先解压"),
    (b"SQLite format 3", "an SQLite database", " SQLite 数据库"),
    (b"\x89PNG", "a picture", "图片"),
    (b"\xff\xd8\xff", "a picture", "图片"),
)
MARKUP = ("<!doctype", "<html", "<?xml", "<table")
# A few stray control characters are damage to a row; more of them, also in a short file, are no text.
MAX_CONTROL_SHARE, MAX_STRAY = 0.02, 8


def sniff(path: Path, *, name: str, encoding: str = "") -> Format:
    """The format of a file.

    Raises:
        EmptyFile: it has no bytes, or only white space.
        UnknownFormat: none we read; says what it is where that can be told.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.strip(b"\0 \r\n\t"):
        raise EmptyFile(path=name)
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"  # or another kind of ZIP: whoever opens it tells, see `feilun.data.parser`
    if head.startswith(b"PAR1"):
        return "parquet"
    for magic, found_en, found_zh in STRANGERS:
        if head.startswith(magic):
            raise UnknownFormat(path=name, found_en=found_en, found_zh=found_zh)
    if _is_binary(head):
        raise UnknownFormat(path=name, found_en="a binary file of an unknown kind", found_zh="未知类型的二进制文件")
    return _text(head.decode(recognise(path, name=name, declared=encoding), errors=MARK_ERRORS), path, name)


def _is_binary(head: bytes) -> bool:
    """Many control characters, in a file that no byte-order mark calls text and that is no UTF-16 without one.

    UTF-16 has a NUL beside each Latin character; a random binary file has its NULs and controls anywhere.
    """
    if any(head.startswith(bom) for bom, _ in BOMS):
        return False
    controls = bytes(set(range(1, 32)) - set(b"\t\n\r\f\x1a\x1b"))
    limit = max(MAX_STRAY, MAX_CONTROL_SHARE * len(head))
    n_controls = len(head) - len(head.translate(None, controls))
    # UTF-16 without a mark has controls and NULs as halves of characters.
    return max(n_controls, head.count(0)) > limit and not utf16_without_bom(head)


def _text(text: str, path: Path, name: str) -> Format:
    start = text.lstrip("\ufeff \t\r\n")
    lowered = start[:16].lower()
    if lowered.startswith(MARKUP):
        raise UnknownFormat(path=name, found_en="a web page or XML", found_zh="网页或 XML")
    suffix = path.suffix.lower()
    if start.startswith("[") and suffix in {".json", ".jsonl", ".ndjson"}:
        raise UnknownFormat(path=name, found_en="one JSON array", found_zh="单个 JSON 数组")
    if suffix in {".jsonl", ".ndjson"} or (start.startswith("{") and _is_json(start.splitlines()[0])):
        return "jsonl"
    if suffix == ".json":
        raise UnknownFormat(path=name, found_en="JSON over several lines", found_zh="跨多行的 JSON")
    return "tsv" if suffix in {".tsv", ".tab"} else "csv"


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False

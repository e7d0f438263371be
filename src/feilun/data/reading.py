"""The one way into a file, whatever its format.

table = open_table(path, name="support.csv")
for row in table.rows(): ...            # may be called again; nothing is kept in memory
"""

from __future__ import annotations

from pathlib import Path

from feilun.data.delimited import open_delimited
from feilun.data.errors import FileMissing
from feilun.data.foreign import open_foreign
from feilun.data.formats import sniff
from feilun.data.jsonl import open_jsonl
from feilun.data.table import Table


def open_table(
    path: Path, *, name: str = "", encoding: str = "", sheet: str = "", separator: str = "|", folder: Path | None = None
) -> Table:
    """Recognise a file's format by its content, and its encoding and delimiter, and read its header.

    Args:
        name: the path as the user wrote it, for messages and references.
        encoding: of text files; empty means: recognise.
        sheet: of Excel files; empty means: the first.
        separator: joins the items of JSON lists into one cell.
        folder: where `path` was looked for, for the message when it is missing.
    Raises:
        FileMissing, UnknownFormat, FileBroken, TooBig, TooMuch, EmptyFile, UnknownEncoding, WrongEncoding, NoSuchSheet,
        ExtraMissing (Parquet without pyarrow).
    """
    name = name or str(path)
    if not path.is_file():
        raise FileMissing(path=name, folder=str(folder or path.parent))
    kind = sniff(path, name=name, encoding=encoding)
    if kind in ("xlsx", "parquet"):
        return open_foreign(path, kind=kind, name=name, sheet=sheet, separator=separator)
    if kind == "jsonl":
        return open_jsonl(path, name=name, encoding=encoding, separator=separator)
    return open_delimited(path, name=name, encoding=encoding)

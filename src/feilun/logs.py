"""What Feilun writes down for its operators: one JSON object a line; ids and figures, never a message or a key."""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from filelock import FileLock

OURS = "feilun"
REQUEST_ID: ContextVar[str] = ContextVar("feilun_request_id", default="")
_KEY = re.compile(r"fl_[0-9A-Za-z]{6,}")
MAX_BYTES = 10_000_000
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # json.dumps would make one for each line


def place(error: BaseException) -> str:
    """Type and place of an error, without its words: those may quote a person's message, or a key."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}\n{frames}".rstrip()


def hide_keys(text: str) -> str:
    """`text` without API keys, wherever they came from."""
    return _KEY.sub("fl_…", text) if "fl_" in text else text


class JsonLines(logging.Formatter):
    """A record as one line of JSON. `extra={"fields": {…}}` adds fields.

    What other packages log is written without its values and only up to the first line break: asyncio, for one, puts
    the words of exceptions there. Of an exception, type and place are written.
    """

    def format(self, record: logging.LogRecord) -> str:
        is_ours = record.name.partition(".")[0] == OURS
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() if is_ours else str(record.msg).partition("\n")[0],
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = place(record.exc_info[1])
        return hide_keys(_ENCODER.encode(line))


class LogFile(RotatingFileHandler):
    """A file of JSON lines, begun anew at MAX_BYTES.

    The size is that of the file, not worked out by formatting every line twice, as the standard handler does.
    """

    def __init__(self, path: Path, *, keep: int) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=keep, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(JsonLines())

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # type: ignore[override]
        return self.stream is not None and os.fstat(self.stream.fileno()).st_size >= self.maxBytes

    def doRollover(self) -> None:
        """Once, of all the servers that write to it: who comes later goes on in the file that was begun."""
        with FileLock(f"{self.baseFilename}.lock"):
            if self.stream is not None and not _is_at(self.stream, Path(self.baseFilename)):
                self.stream.close()
                self.stream = self._open()
            else:
                super().doRollover()


def _is_at(stream: TextIOWrapper, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False

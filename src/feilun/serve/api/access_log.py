"""The line that every request leaves, and the files that a server writes."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from feilun.logs import REQUEST_ID, LogFile
from feilun.serve.api.access import Caller

log = logging.getLogger("feilun.access")
_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADER = b"x-request-id"
KEEP_SERVER, KEEP_ACCESS = 3, 9  # full files beside the present one; requests must not wash errors away


def name_request(headers: list[tuple[bytes, bytes]]) -> str:
    """The request's id: the one it brought, when that is a plain word and no key of ours, else a new one."""
    said = next((value for name, value in headers if name == HEADER), b"")
    is_sane = _SANE.fullmatch(said) and b"fl_" not in said
    request_id = said.decode() if is_sane else secrets.token_hex(8)
    REQUEST_ID.set(request_id)
    return request_id


def write_access(scope: Any, *, status: int, seconds: float, caller: Caller | None) -> None:
    """Which route was asked, by whose key, and how it went: no address, no query, no body, no header."""
    if not log.isEnabledFor(logging.INFO):
        return
    fields = {
        "method": scope["method"][:16],
        "route": getattr(scope.get("route"), "path", "none"),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "key_id": caller.key["key_id"] if caller is not None and caller.key is not None else None,
    }
    log.info("request", extra={"fields": fields})


@contextmanager
def log_files(folder: Path) -> Iterator[None]:
    """Write `folder`/server.log, what a server has to say, and `folder`/access.log, a line for each request."""
    root, server = logging.getLogger(), LogFile(folder / "server.log", keep=KEEP_SERVER)
    access = LogFile(folder / "access.log", keep=KEEP_ACCESS)
    levels, propagates = (root.level, log.level), log.propagate
    server.setLevel(logging.INFO)
    root.addHandler(server)
    root.setLevel(min(root.level or logging.INFO, logging.INFO))
    log.addHandler(access)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        root.removeHandler(server)
        log.removeHandler(access)
        root.setLevel(levels[0])
        log.setLevel(levels[1])
        log.propagate = propagates
        server.close()
        access.close()

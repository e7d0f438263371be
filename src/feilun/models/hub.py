"""Hugging Face, its mirrors and ModelScope, over plain HTTPS."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from feilun.models.catalog import Source
from feilun.models.fetch import CHUNK, CONNECT_S, FILES, MAX_BYTES, Progress, Room, SourceFailed, unreachable
from feilun.models.layout import CONFIG

READ_S = 30.0  # silence in the middle of a file
IDLE_ATTEMPTS = 2  # a broken-off file is taken up where it stopped, as long as each attempt brings something


def hub_url(source: Source, name: str) -> str:
    """Where a hub serves the file `name` of a repository."""
    revision = urllib.parse.quote(source.revision, safe="")
    if source.kind == "hf":
        base = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        return f"{base.rstrip('/')}/{source.repo}/resolve/{revision}/{name}"
    base = os.environ.get("MODELSCOPE_DOMAIN") or "www.modelscope.cn"
    base = base if "://" in base else f"https://{base}"
    return f"{base.rstrip('/')}/models/{source.repo}/resolve/{revision}/{name}"


def fetch_hub(source: Source, into: Path, *, progress: Progress, room: Room) -> None:
    """Download the three files of a backbone from a hub."""
    if source.kind == "hf" and os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise SourceFailed("HF_HUB_OFFLINE is set")
    url = hub_url(source, CONFIG)
    _knock(url)
    for name in FILES:
        _download(hub_url(source, name), into / name, token=_token(source), progress=progress, room=room)


def read_hub_text(source: Source, name: str, *, limit: int = 1 << 20) -> str:
    """A small text file of a repository, or "" when it is not there."""
    try:
        with _open(hub_url(source, name), token=_token(source)) as response:
            return str(response.read(limit).decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException):
        return ""


def _token(source: Source) -> str:
    return os.environ.get("HF_TOKEN", "") if source.kind == "hf" else ""


def _knock(url: str) -> None:
    """Fail within CONNECT_S when nobody answers at `url` (or at the proxy on the way there)."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SourceFailed(f"{url} is not an http(s) address")
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    place = f"{host}:{port}"
    if place in unreachable:
        raise SourceFailed(f"{place} was unreachable before")
    outcome: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_S).close()
            outcome.append("")
        except OSError as error:
            outcome.append(str(error))

    # In a thread because looking up a name has no time limit of its own.
    knock = threading.Thread(target=connect, daemon=True)
    knock.start()
    knock.join(CONNECT_S)
    reason = outcome[0] if outcome else f"no answer within {CONNECT_S:g} s"
    if reason:
        unreachable.add(place)
        raise SourceFailed(f"{place} is unreachable ({reason})")


class _Http(http.client.HTTPConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_S
        super().connect()
        self.sock.settimeout(READ_S)


class _Https(http.client.HTTPSConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_S
        super().connect()
        self.sock.settimeout(READ_S)


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Http, req)  # type: ignore[arg-type]


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Https, req)  # type: ignore[arg-type]


def _open(url: str, *, token: str = "", start: int = 0) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "feilun", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    if token:  # for the hub alone, never for where it redirects to
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return urllib.request.build_opener(_HttpHandler, _HttpsHandler).open(request)


def _download(url: str, path: Path, *, token: str, progress: Progress, room: Room) -> None:
    """One file, taken up again where it broke off."""
    reason, idle = "", 0
    while idle < IDLE_ATTEMPTS:
        start = path.stat().st_size if path.exists() else 0
        try:
            with _open(url, token=token, start=start) as response:
                if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                    start = 0  # it cannot resume: from the beginning
                length = int(response.headers.get("Content-Length") or 0)
                room(length)
                done = _save(response, path, start=start, total=start + length if length else 0, progress=progress)
            if not length or done == start + length:
                return
            reason = f"{path.name} ended after {done} of {start + length} bytes"
        except urllib.error.HTTPError as error:
            raise SourceFailed(f"{url} answered {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = f"{url}: {error or type(error).__name__}"
        grown = (path.stat().st_size if path.exists() else 0) > start
        idle = 0 if grown else idle + 1
    raise SourceFailed(reason)


def _save(response: Any, path: Path, *, start: int, total: int, progress: Progress) -> int:
    done = start
    with path.open("ab" if start else "wb") as file:
        while chunk := response.read(CHUNK):
            done += len(chunk)
            if done > MAX_BYTES:
                raise SourceFailed(f"{path.name} is larger than {MAX_BYTES} bytes")
            file.write(chunk)
            progress(path.name, done, total)
    return done

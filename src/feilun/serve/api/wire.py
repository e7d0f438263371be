"""HTTP on one connection: uvicorn's, with an end to heads that never end, and mistakes told in our shape.

Who comes when the house is full is turned away here, before a request is made of what was sent: under overload that
happens to most, so it must cost little.
"""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from feilun.errors import FeilunError
from feilun.serve.api.access_log import HEADER, name_request, write_access
from feilun.serve.api.errors import HeadTooLarge, HeadTooSlow, NotHttp, ServerBusy
from feilun.serve.api.guard import OPEN_PATHS, SECURITY_HEADERS
from feilun.serve.api.house import House
from feilun.serve.api.problems import is_openai, problem, speak

HEAD_WITHIN_S = 30.0  # a connection on which nothing is said is let go as well
MAX_HEAD_BYTES = 64 * 1024
MAX_IN_FLIGHT = 256
MAX_UNREAD_BYTES = 64 * 1024  # of a body that was refused; with a longer one the line ends
DRAIN_WITHIN_S = 5.0  # for the rest of a body that was refused: a client reads the reply only after it has sent it


class Wire(HttpToolsProtocol):
    """Counts and times what comes before a body; the parser keeps headers of any number and length."""

    _head_timer: asyncio.TimerHandle | None = None
    _drain_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _is_asking = False  # whether anything was ever heard on this connection
    _is_turned_away = False  # what is left of the present request is not looked at

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        # Only while the head is not whole: a piece may hold all of it and a long body.
        if self._head_timer is not None and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HeadTooLarge(max_kb=MAX_HEAD_BYTES >> 10))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()  # set when the one before, in the same piece, was turned away
        self._is_asking = True
        if self._head_timer is None:  # a later request on the same connection
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_is_here()
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._refuse(HeadTooLarge(max_kb=MAX_HEAD_BYTES >> 10))
            return
        if self._is_full():
            self._turn_away()
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._is_turned_away:
            super().on_body(body)

    def on_response_complete(self) -> None:
        unfinished = self.cycle is not None and self.cycle.more_body
        super().on_response_complete()
        if unfinished:
            self._drain_timer = self.loop.call_later(DRAIN_WITHIN_S, self._hang_up)

    def on_message_complete(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        if self._is_turned_away:
            self._is_turned_away = False
            self.on_response_complete()
        else:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(NotHttp())

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_WITHIN_S, self._give_up)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if self._is_asking:
            self._refuse(HeadTooSlow(seconds=int(HEAD_WITHIN_S)))
        else:
            self._hang_up()

    def _is_full(self) -> bool:
        """Whether there is no room for this request; one that waits behind another of its line is in the house."""
        is_next = self.cycle is None or self.cycle.response_complete
        return is_next and self._house.n_in_flight >= MAX_IN_FLIGHT and self._path not in OPEN_PATHS

    def _turn_away(self) -> None:
        """Refuse before anything is looked at, count it, and go on listening once its body is through."""
        started, method = time.perf_counter(), self.parser.get_method().decode("ascii")
        spoken = next((value for name, value in self.headers if name == b"accept-language"), b"")
        request_id = name_request(self.headers).encode()
        head, body = _busy(MAX_IN_FLIGHT, speak(spoken.decode("latin-1")), is_openai(self._path))
        is_last = not self.parser.should_keep_alive() or _unread(self.headers) > MAX_UNREAD_BYTES
        own = [b"%s: %s" % (HEADER, request_id), *([b"connection: close"] if is_last else [])]
        self.transport.write(b"\r\n".join([head, *own, b"", b"" if method == "HEAD" else body]))
        self._house.metrics.count_refusal(reason=ServerBusy.code)
        seconds = time.perf_counter() - started
        self._house.metrics.count_request(method=method, route="none", status=503, seconds=seconds)
        outcomes, known = self._house.outcomes, self._house.projects
        outcomes.count(method=method, path=self._path, status=503, known=known)
        write_access({"method": method}, status=503, seconds=seconds, caller=None)
        self._is_turned_away = True
        if is_last:
            self._hang_up()
        else:
            self._drain_timer = self.loop.call_later(DRAIN_WITHIN_S, self._hang_up)

    @property
    def _house(self) -> House:
        house: House = self.app.state.house  # type: ignore[union-attr]
        return house

    @property
    def _path(self) -> str:
        return self.url.partition(b"?")[0].decode("latin-1")

    def _refuse(self, error: FeilunError) -> None:
        """Say why and hang up; without a word where another reply is under way."""
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            reply: Any = problem(error, path="", lang="en")
            lines = [b"HTTP/1.1 %d Refused" % reply.status_code, b"connection: close"]
            lines += [name + b": " + value for name, value in reply.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", reply.body]))
        self._hang_up()

    def _hang_up(self) -> None:
        self._head_is_here()
        self.transport.close()


@lru_cache
def _busy(n_requests: int, lang: str, is_openais: bool) -> tuple[bytes, bytes]:
    """Head, without its end, and body of the reply to who comes when the house is full."""
    path = "/v1/models" if is_openais else ""
    reply: Any = problem(ServerBusy(n_requests=n_requests), path=path, lang=lang)
    lines = [b"HTTP/1.1 503 Service Unavailable"]
    lines += [name + b": " + value for name, value in reply.raw_headers]
    lines += [f"{name.lower()}: {value}".encode() for name, value in SECURITY_HEADERS.items()]
    return b"\r\n".join(lines), reply.body


def _unread(headers: list[tuple[bytes, bytes]]) -> float:
    """Bytes of the body that the head announces; no end where it does not say."""
    said = dict(headers)
    if b"transfer-encoding" in said:
        return float("inf")
    length = said.get(b"content-length", b"0")
    return int(length[:20]) if length.isdigit() else float("inf")

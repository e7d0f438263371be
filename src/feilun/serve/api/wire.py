"""HTTP on one connection: uvicorn's, with an end to heads that never end, and mistakes told in our shape."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from feilun.errors import FeilunError
from feilun.serve.api.errors import HeadTooLarge, HeadTooSlow, NotHttp
from feilun.serve.api.problems import problem

HEAD_WITHIN_S = 30.0  # a connection on which nothing is said is let go as well
MAX_HEAD_BYTES = 64 * 1024
DRAIN_WITHIN_S = 5.0  # for the rest of a body that was refused: a client reads the reply only after it has sent it


class Wire(HttpToolsProtocol):
    """Counts and times what comes before a body; the parser keeps headers of any number and length."""

    _head_timer: asyncio.TimerHandle | None = None
    _drain_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _is_asking = False  # whether anything was ever heard on this connection

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
        self._is_asking = True
        if self._head_timer is None:  # a later request on the same connection
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_is_here()
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._refuse(HeadTooLarge(max_kb=MAX_HEAD_BYTES >> 10))
            return
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        unfinished = self.cycle.more_body
        super().on_response_complete()
        if unfinished:
            self._drain_timer = self.loop.call_later(DRAIN_WITHIN_S, self._hang_up)

    def on_message_complete(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
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

"""The guard in front of every route: who comes in, how much, and how what went wrong is told."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feilun.errors import FeilunError
from feilun.logs import place
from feilun.serve.api.access import Caller
from feilun.serve.api.access_log import HEADER, name_request, write_access
from feilun.serve.api.cookies import drop_session
from feilun.serve.api.errors import BodyTooLarge, BodyTooSlow, ServerError
from feilun.serve.api.house import Gone, House
from feilun.serve.api.meter import CURRENT, Meter
from feilun.serve.api.problems import problem, speak
from feilun.spans import LISTENER
from feilun.trust import SessionEnded

log = logging.getLogger(__name__)
OPEN_PATHS = ("/health", "/ready")
UPLOADS = "/v1/uploads"  # files, too large to be read whole before the route sees them
SESSION = ("/v1/session", "/v1/session/invitation")  # where somebody comes in; who they are is not known before
CONSOLE = "/console/"  # the console's files below it, and "/" which leads there
BODY_WITHIN_S = 30.0
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_SECURITY = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


def is_open(path: str) -> bool:
    """Whether an address, or a route's pattern of addresses, is meant for everybody: nothing there is anyone's data."""
    return path in OPEN_PATHS or path in SESSION or path == "/" or path.startswith(CONSOLE)


class Guard:
    """ASGI middleware. Everything that is refused here is refused before any route is looked for.

    Nobody without a key learns which addresses exist; a body is read whole, up to the limit, before a route sees it.
    """

    def __init__(self, app: ASGIApp, *, house: House) -> None:
        self._app, self._house = app, house
        self._max_body = int(house.settings.max_body_mb * 1_000_000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = _Reply(send, started=time.perf_counter(), request_id=name_request(scope["headers"]))
        self._house.n_in_flight += 1
        self._house.metrics.in_flight.set(self._house.n_in_flight)
        headers = Headers(scope=scope)
        trace = None if self._house.traces is None else self._house.traces.begin(scope["headers"])
        if trace is not None:
            LISTENER.set(trace.note)
        try:
            await self._let_in(scope, receive, reply, headers)
        except Gone:
            reply.status = 499
        except FeilunError as error:
            self._house.metrics.count_refusal(reason=error.code)
            await reply.tell(error, scope, receive, headers)
        except Exception as error:
            await reply.tell(_logged(error, scope), scope, receive, headers)
        finally:
            if reply.meter is not None:
                reply.meter.finish(is_answered=reply.status < 400)
            self._house.n_in_flight -= 1
            self._house.metrics.in_flight.set(self._house.n_in_flight)
            self._count(scope, reply)
            if trace is not None:
                trace.end(scope, status=reply.status)

    def _count(self, scope: Scope, reply: _Reply) -> None:
        self._house.metrics.count_request(
            method=scope["method"],
            route=getattr(scope.get("route"), "path", "none"),
            status=reply.status,
            seconds=reply.seconds,
        )
        self._house.outcomes.count(
            method=scope["method"],
            path=scope["path"],
            status=reply.status,
            known=self._house.projects,
            project="" if reply.meter is None else reply.meter.project,
        )
        write_access(scope, status=reply.status, seconds=reply.seconds, caller=scope.get("state", {}).get("caller"))

    async def _let_in(self, scope: Scope, receive: Receive, reply: _Reply, headers: Headers) -> None:
        state = scope.setdefault("state", {})
        try:
            state["caller"] = await self._who(scope, headers)
        except FeilunError:
            if not is_open(scope["path"]):
                raise
            state["caller"] = None
        else:
            till, caller, path = self._house.till, state["caller"], scope["path"]
            reply.standing = partial(till.headers_for, caller, path)
            reply.meter = await till.admit(caller, path)
            CURRENT.set(reply.meter)
        state["meter"] = reply.meter
        if scope["path"] == UPLOADS:
            await self._app(scope, receive, reply.send)  # which reads it piece by piece
            return
        body = await self._body(receive, headers)
        await self._app(scope, _replay(body, receive), reply.send)

    async def _who(self, scope: Scope, headers: Headers) -> Caller:
        access = self._house.access
        known = access.quick(scope, headers)
        return known if known is not None else await self._house.read(access.identify, scope, headers)

    async def _body(self, receive: Receive, headers: Headers) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: it is, or says it will be, larger than the limit; the rest is not read.
            BodyTooSlow: it took too long.
        """
        said = headers.get("content-length", "")
        if said.isdecimal() and int(said[:20]) > self._max_body:
            raise self._too_large()
        chunks, size = [], 0
        with anyio.move_on_after(BODY_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone()
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > self._max_body:
                    raise self._too_large()
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
        raise BodyTooSlow(seconds=int(BODY_WITHIN_S))

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(max_mb=self._house.settings.max_body_mb)


class _Reply:
    """Sends, and remembers what was sent."""

    def __init__(self, send: Send, *, started: float, request_id: str) -> None:
        self._send, self._started = send, started
        self._name = (HEADER, request_id.encode())
        self.status, self.seconds, self._has_begun = 500, 0.0, False
        self.meter: Meter | None = None
        self.standing: Callable[[], dict[str, str]] | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun, self.status = True, message["status"]
            self.seconds = time.perf_counter() - self._started
            given = {name for name, _ in message["headers"]}
            ours = [header for header in _SECURITY if header[0] not in given]
            standing = self.standing() if self.standing is not None else {}
            ours += [(name.lower().encode(), value.encode()) for name, value in standing.items()]
            message["headers"] = [*message["headers"], self._name, *ours]
        await self._send(message)

    async def tell(self, error: FeilunError, scope: Scope, receive: Receive, headers: Headers) -> None:
        """Send `error`, unless a reply has begun: then the connection ends, and the client sees it cut short."""
        if self._has_begun:
            log.error("a reply was cut short: %s", error.message("en"))
            return
        refusal = problem(error, path=scope["path"], lang=speak(headers.get("accept-language")))
        if isinstance(error, SessionEnded):
            drop_session(refusal)
        await refusal(scope, receive, self.send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` first, then whatever comes: the client hanging up."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _logged(error: Exception, scope: Scope) -> ServerError:
    """The error that the client sees for a bug of ours.

    The log gets the place and the type; not the words of the exception, which may quote a message.
    """
    error_id = secrets.token_hex(6)
    route: Any = getattr(scope.get("route"), "path", "none")
    told = {"fields": {"error_id": error_id, "method": scope["method"][:16], "route": route}}
    log.error("error %s: %s", error_id, place(error), extra=told)
    return ServerError(error_id=error_id)

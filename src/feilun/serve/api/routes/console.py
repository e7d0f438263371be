"""The console's files: open to everybody, as they are the same for everybody; what they show comes by the other routes.

A page gets a nonce of its own. Ant Design writes its styles into the document while it runs, and the nonce is how the
browser knows them from styles that somebody smuggled in: the policy has no 'unsafe-inline' and no 'unsafe-eval'.
"""

from __future__ import annotations

import secrets
from functools import lru_cache

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from feilun.console import Console, read_console
from feilun.serve.api.errors import ConsoleNotBuilt, RouteMissing
from feilun.serve.api.guard import CONSOLE
from feilun.serve.api.house import House
from feilun.serve.api.problems import speak

FOREVER = "public, max-age=31536000, immutable"  # an asset's name has the hash of its content in it
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_to(app: FastAPI) -> None:
    """Put the console's addresses into the app; the OpenAPI document leaves them out: programs have no use for them."""
    for path, endpoint in (("/", root), (CONSOLE + "assets/{file}", asset), (CONSOLE + "{screen:path}", page)):
        app.router.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False)


async def root() -> Response:
    """To the console; relative, so that it holds behind a proxy that adds a prefix."""
    return RedirectResponse(CONSOLE.lstrip("/"))


async def page(request: Request) -> Response:
    """The one page, whatever the screen: which one is shown is decided in the browser."""
    console, nonce = await _console(request), secrets.token_urlsafe(16)
    if console is None:
        return _missing(request)
    return HTMLResponse(console.page_with(nonce), headers={"Content-Security-Policy": POLICY.format(nonce=nonce)})


async def asset(request: Request, file: str) -> Response:
    """A script or a style sheet."""
    console = await _console(request)
    found = console.assets.get(file) if console is not None else None
    if found is None:
        raise RouteMissing()
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if found.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.gzipped, media_type=found.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(found.content, media_type=found.media_type, headers=headers)


async def _console(request: Request) -> Console | None:
    """In a thread: reading and compressing the files takes a tenth of a second, once, and no answer waits for it."""
    house: House = request.app.state.house
    return await house.read(_built)


@lru_cache(maxsize=1)
def _built() -> Console | None:
    return read_console()


def _missing(request: Request) -> Response:
    """Plain text for a person in front of a browser; the API beside it works all the same."""
    error = ConsoleNotBuilt()
    lang = speak(request.headers.get("accept-language"))
    return Response(error.message(lang) + "\n", 503, media_type="text/plain; charset=utf-8")

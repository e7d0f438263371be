"""The cookies of a session and of a device, and what else a request must have so that no other site's page can use it.

Source:
    OWASP Session Management and Cross-Site Request Forgery Prevention cheat sheets; RFC 6265bis (`__Host-`, SameSite).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from feilun.serve.api.errors import CrossSite
from feilun.store import LONGEST
from feilun.trust import KNOWN_FOR, MAX_PROOFS

PLAIN, SECURE = "feilun_session", "__Host-feilun_session"  # browsers keep the latter for https and this very host
DEVICE_PLAIN, DEVICE_SECURE = "feilun_device", "__Host-feilun_device"  # likewise; outlives the session
BETWEEN, _PROOF = "~", re.compile(r"[\w.-]{1,128}", re.ASCII)
FORM_PROOF = "X-Feilun-Console"  # a form cannot send it, and no other site's script may
SAFE = ("GET", "HEAD", "OPTIONS")


def is_https(scope: Any, headers: Headers) -> bool:
    """Whether the browser speaks https, to us or to the proxy in front, which says so last. Whoever lies about it
    gets a cookie that their own browser does not send back."""
    said = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    return said == "https" or scope["scheme"] == "https"


def token_in(scope: Any, headers: Headers) -> str | None:
    """The token of the session that a request carries. Over https a cookie without the prefix counts for nothing:
    anybody on a neighbouring name, or on the line before https, could have set it."""
    return _cookie(headers, SECURE if is_https(scope, headers) else PLAIN)


def proofs_in(scope: Any, headers: Headers) -> list[str]:
    """What the browser keeps to show that people have signed in on it before."""
    found = _cookie(headers, DEVICE_SECURE if is_https(scope, headers) else DEVICE_PLAIN)
    kept = [] if found is None else found.split(BETWEEN)[:MAX_PROOFS]
    return [one for one in kept if _PROOF.fullmatch(one)]  # what is none is not handed back either


def must_be_own_page(scope: Any, headers: Headers) -> None:
    """Whether our own page is behind a request that a browser may have sent with a cookie.

    The browser's word on it decides where there is one; over plain http it says no more than the page's origin.

    Raises:
        CrossSite: it is not, or it changes something and does not show that a script of ours sent it.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_unsafe = scope["method"] not in SAFE
    is_foreign = (
        site not in ("same-origin", "none") if site is not None else origin is not None and not _is_own(origin, headers)
    )
    if is_foreign or (is_unsafe and (site == "none" or headers.get(FORM_PROOF) != "1")):
        raise CrossSite(header=FORM_PROOF)


def keep_session(reply: Response, scope: Any, headers: Headers, *, token: str) -> None:
    """Have the browser send `token` with every request of our own pages; no script can read it."""
    name = SECURE if is_https(scope, headers) else PLAIN
    _keep(reply, name, token, scope=scope, headers=headers, longest=LONGEST)


def keep_proofs(reply: Response, scope: Any, headers: Headers, *, proofs: Sequence[str]) -> None:
    """Have the browser show, when somebody signs in again, that they have been here; signing out leaves it there."""
    name = DEVICE_SECURE if is_https(scope, headers) else DEVICE_PLAIN
    _keep(reply, name, BETWEEN.join(proofs), scope=scope, headers=headers, longest=KNOWN_FOR)


def drop_session(reply: Response) -> None:
    """Have the browser forget its session, whichever way it was kept."""
    for name, secure in ((PLAIN, False), (SECURE, True)):
        reply.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")


def _keep(reply: Response, name: str, value: str, *, scope: Any, headers: Headers, longest: timedelta) -> None:
    reply.set_cookie(
        name,
        value,
        max_age=int(longest.total_seconds()),
        path="/",
        secure=is_https(scope, headers),
        httponly=True,
        samesite="strict",
    )


def _cookie(headers: Headers, name: str) -> str | None:
    found = headers.get("cookie")
    return None if found is None else cookie_parser(found).get(name) or None


def _is_own(origin: str, headers: Headers) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").strip().lower() != ""
    except ValueError:
        return False

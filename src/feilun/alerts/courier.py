"""The way of one alert to one target: its address and its secret are read, judged and used, and never kept."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feilun.alerts.address import Destination, Door, Resolve, resolve_name
from feilun.alerts.errors import AlertNotSent
from feilun.alerts.formats import Parcel, read_reply, wrap
from feilun.alerts.post import Connect, Reply, post
from feilun.config import AlertTargetSettings

MAX_SECRET = 4096  # bytes of a file that holds an address or a secret


def deliver(
    target: AlertTargetSettings,
    payload: Mapping[str, Any],
    *,
    delivery_id: str,
    lang: str,
    folder: Path,
    door: Door,
    resolve: Resolve = resolve_name,
    connect: Connect = socket.create_connection,
) -> None:
    """Send one alert, and return when the target has taken it.

    Args:
        delivery_id: the same for each try, so that a target can tell a repeated alert.
        folder: what the paths of `file:` are relative to.
    Raises:
        AlertNotSent: it did not arrive, or nobody knows whether it did.
    """
    to = _destination(target, folder, door)
    secret = _referred(target, target.secret, folder).encode() if target.secret else b""
    text = str(payload["data"][lang])
    parcel = wrap(payload, format=target.format, delivery_id=delivery_id, text=text, secret=secret, now=time.time())
    addresses = door.addresses(to, target=target.name, resolve=resolve)
    try:
        reply = post(_with(to, parcel), parcel.body, addresses=addresses, headers=parcel.headers, connect=connect)
    except TimeoutError as error:
        raise AlertNotSent(target=target.name, what="timeout", detail="") from error
    except ssl.SSLError as error:
        raise AlertNotSent(target=target.name, what="tls", detail="") from error
    except (OSError, http.client.HTTPException) as error:
        raise AlertNotSent(target=target.name, what="unreachable", detail="") from error
    _must_be_taken(target, reply)


def host_of(target: AlertTargetSettings, *, folder: Path, door: Door) -> str:
    """The host that a target's alerts go to.

    Raises:
        AlertNotSent: nothing can be sent there as the settings are.
    """
    if target.secret:
        _referred(target, target.secret, folder)
    return _destination(target, folder, door).host


def _destination(target: AlertTargetSettings, folder: Path, door: Door) -> Destination:
    is_named = target.url.startswith(("env:", "file:"))
    return door.check(_referred(target, target.url, folder) if is_named else target.url, target=target.name)


def _referred(target: AlertTargetSettings, reference: str, folder: Path) -> str:
    """What stands in the environment variable or the file that a setting names."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        found = os.environ.get(name, "")
    else:
        try:
            with (folder / name).open("rb") as file:
                found = file.read(MAX_SECRET).decode()
        except (OSError, UnicodeDecodeError):
            found = ""
    if not found.strip():
        raise AlertNotSent(target=target.name, what="reference", detail=reference)
    return found.strip()


def _with(to: Destination, parcel: Parcel) -> Destination:
    if not parcel.query:
        return to
    return Destination(to.scheme, to.host, to.port, f"{to.path}{'&' if '?' in to.path else '?'}{parcel.query}")


def _must_be_taken(target: AlertTargetSettings, reply: Reply) -> None:
    if 300 <= reply.status < 400:
        raise AlertNotSent(target=target.name, what="redirect", detail=reply.status)
    if not 200 <= reply.status < 300:
        raise AlertNotSent(target=target.name, what="status", detail=reply.status)
    number = read_reply(target.format, reply.body)
    if number is None:
        raise AlertNotSent(target=target.name, what="unread", detail="")
    if number != 0:
        raise AlertNotSent(target=target.name, what="refused", detail=number)

"""One POST to an address that was judged: no proxy, no redirect, little patience, and little of the answer is read."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from feilun.alerts.address import Destination
from feilun.version import __version__

Connect = Callable[[tuple[str, int], float], socket.socket]
WAIT_S = 5.0  # for each answer of the other side
WHOLE_S = 10.0  # for all of it, so that nobody holds us with a byte a second
MAX_REPLY = 64 * 1024


class Reply(NamedTuple):
    """What came back; of a longer body its beginning."""

    status: int
    body: bytes


def post(
    to: Destination,
    body: bytes,
    *,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    connect: Connect = socket.create_connection,
) -> Reply:
    """Post to the first of `addresses` that takes the connection; the certificate must be the host's.

    Raises:
        TimeoutError: it took too long.
        OSError, http.client.HTTPException: it cannot be reached, breaks off, or speaks no HTTP.
    """
    line = _dial(to, addresses, connect)
    with _no_longer_than(WHOLE_S, line):
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()
        asking = http.client.HTTPConnection(to.host, to.port)
        asking.sock = line
        said = {"Host": to.authority, "User-Agent": f"feilun/{__version__}", "Connection": "close"}
        asking.request("POST", to.path, body, {**said, **headers})
        answer = asking.getresponse()
        return Reply(answer.status, answer.read(MAX_REPLY))


def _dial(to: Destination, addresses: Sequence[str], connect: Connect) -> socket.socket:
    """A line to the first address that takes it; over https still without its handshake."""
    trouble: OSError = OSError("no address")
    for address in addresses:
        try:
            line = connect((address, to.port), WAIT_S)
        except OSError as error:
            trouble = error
            continue
        line.settimeout(WAIT_S)
        if to.scheme == "http":
            return line
        return ssl.create_default_context().wrap_socket(line, server_hostname=to.host, do_handshake_on_connect=False)
    raise trouble


@contextmanager
def _no_longer_than(seconds: float, line: socket.socket) -> Iterator[None]:
    """Break `line` off when the time is over, whatever is being waited for, and close it at the end.

    Raises:
        TimeoutError: it was.
    """
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        with suppress(OSError):
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # of the socket, not of what TLS knows of it

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
        if is_over.is_set():  # what was cut off may look like the end of an answer
            raise TimeoutError
    except (OSError, http.client.HTTPException) as error:
        if is_over.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        line.close()

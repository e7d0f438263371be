"""A web server on loopback that keeps what is posted to it and answers as it is told: the other side of an alert."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import tomlkit

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Got:
    """A request as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


def say(body: bytes = b"ok", *, status: int = 200, **headers: str) -> Answer:
    """Answer like this."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@dataclass
class Receiver:
    """What came, and how the next request is answered."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answer: Answer = field(default_factory=say)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self) -> Got:
        """The next request that nobody waited for yet."""
        assert self.arrived.acquire(timeout=60), "nothing came"
        return self.got[-1]


@contextmanager
def receiving(*, certificate: Path | None = None) -> Iterator[Receiver]:
    """A receiver on a free port; with a certificate it speaks https."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            receiver.arrived.release()
            receiver.answer(self)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up in the middle is what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def make_certificate(path: Path, *, host: str) -> Path:
    """A certificate of `host` with its key in one file, signed by itself."""
    key, made = path.with_suffix(".key"), path.with_suffix(".crt")
    subject = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *subject, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(key.read_text("utf-8") + made.read_text("utf-8"), "utf-8")
    return path


def tell(folder: Path, port: int, *others: dict[str, str], **rules: Any) -> dict[str, Any]:
    """Have a project tell the receiver at `port`; gives the [serve] settings of a server that may."""
    ops = {"name": "ops", "url": f"http://127.0.0.1:{port}/in", "secret": "env:OPS_SECRET"}
    write_settings(folder, alerts=rules | {"to": [ops, *others]})
    return {"alert_hosts": (f"127.0.0.1:{port}",), "alert_networks": ("127.0.0.0/8",)}


def write_settings(folder: Path, **tables: Any) -> None:
    """Change tables of a project's settings."""
    path = folder / "feilun.toml"
    document = tomlkit.parse(path.read_text("utf-8"))
    for name, table in tables.items():
        document[name] = table
    path.write_text(tomlkit.dumps(document), "utf-8")

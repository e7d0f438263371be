"""Callers who talk too long, too slowly or not at all: they are let go, and everybody else is answered."""

from __future__ import annotations

import json
import socket
import threading
import time

import httpx
import pytest

from feilun.serve.api import wire

AT = "/v1/projects/support"
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


def line_to(client: httpx.Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", client.base_url.port), timeout=30)


def talk(client: httpx.Client, *pieces: bytes) -> tuple[bytes, str]:
    """Version and status of the reply to these bytes, and the code of its error."""
    with line_to(client) as line:
        try:
            for piece in pieces:
                line.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server had heard enough
        answer = b""
        try:
            while piece := line.recv(65536):  # whoever refuses hangs up, soon
                answer += piece
        except ConnectionResetError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0][:12], json.loads(body)["code"] if body else ""


@pytest.mark.parametrize(
    "pieces",
    [
        [b"X-%d: y\r\n" % n for n in range(10_000)],
        [b"X: " + b"y" * 20_000_000],
        [b"X: ", *[b"y" * 1000] * 2000],
    ],
    ids=["ten thousand", "one of twenty megabytes", "one in pieces"],
)
def test_headers_without_end_are_refused_and_not_kept(client: httpx.Client, pieces: list[bytes]) -> None:
    status, code = talk(client, GET, *pieces, b"\r\n\r\n")
    assert (status, code) in (
        (b"HTTP/1.1 431", "request.head_too_large"),
        (b"", ""),
    )  # or cut off in the middle
    assert client.get("/health").status_code == 200


def test_an_address_of_a_hundred_kilobytes_is_refused(client: httpx.Client) -> None:
    status, code = talk(client, b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, code) == (b"HTTP/1.1 431", "request.head_too_large")


def test_a_long_body_right_behind_the_headers_is_no_long_head(client: httpx.Client) -> None:
    body = json.dumps({"inputs": [{"text": "where is my parcel " * 4000}]}).encode()
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with line_to(client) as line:
        line.sendall(head.encode() + body)
        assert line.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_who_says_nothing_or_a_letter_at_a_time_is_let_go_also_on_a_line_that_was_used(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HEAD_WITHIN_S", 3.0)
    with line_to(client) as slow, line_to(client) as silent, line_to(client) as again:
        drip = threading.Thread(target=drip_into, args=(slow,))
        drip.start()
        again.sendall(GET + b"\r\n")
        assert b" 200 " in again.recv(65536)
        again.sendall(GET)
        assert silent.recv(100) == b""
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
        assert again.recv(100).startswith(b"HTTP/1.1 408")
        drip.join()


def drip_into(line: socket.socket) -> None:
    try:
        for letter in GET + b"X: " + b"y" * 1000:
            line.sendall(bytes([letter]))
            time.sleep(0.05)
    except OSError:
        pass


def test_two_hundred_idle_lines_hold_up_nobody(client: httpx.Client) -> None:
    lines = [line_to(client) for _ in range(200)]
    replies = [client.post(f"{AT}/predictions", json={"inputs": [{"text": "x"}]}) for _ in range(20)]
    assert [reply.status_code for reply in replies] == [200] * 20
    for line in lines:
        line.close()


@pytest.mark.parametrize("junk", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000])
def test_what_is_not_http_is_refused_in_our_shape(client: httpx.Client, junk: bytes) -> None:
    assert talk(client, junk) == (b"HTTP/1.1 400", "request.not_http")


def test_who_was_refused_before_the_body_was_there_goes_on_talking_on_the_same_line(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "DRAIN_WITHIN_S", 1.0)
    head = b"POST /v1/projects HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 10\r\n\r\n"
    with line_to(client) as line:
        line.sendall(head)
        assert line.recv(65536).startswith(b"HTTP/1.1 403")
        line.sendall(b"x" * 10)
        time.sleep(1.5)
        line.sendall(GET + b"\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("says", ["", "Content-Length: 100000000\r\n"], ids=["without a length", "with its length"])
def test_ten_times_the_largest_body_is_refused_before_it_has_come(client: httpx.Client, says: str) -> None:
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    framed = [] if says else [b"186a0\r\n" + b" " * 100_000 + b"\r\n"] * 1000
    status, code = talk(
        client, f"{head}{says or 'Transfer-Encoding: chunked' + chr(13) + chr(10)}\r\n".encode(), *framed
    )
    assert (status, code) in ((b"HTTP/1.1 413", "request.too_large"), (b"", ""))


def exchange(line: socket.socket, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next reply on a line to these bytes."""
    for piece in pieces:
        line.sendall(piece)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += line.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
    while len(body) < int(headers["content-length"]):
        body += line.recv(65536)
    return int(first.split()[1]), headers, body


def test_who_comes_to_a_full_house_is_told_so_on_the_spot_and_may_ask_again_on_the_same_line(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"inputs": [{"text": "where is my parcel"}]}).encode()
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nAccept-Language: zh\r\nX-Request-Id: mine\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with line_to(client) as line:
        monkeypatch.setattr(wire, "MAX_IN_FLIGHT", 0)
        for pieces in ([head.encode() + body], [head.encode(), body[:7], body[7:]]):
            status, headers, reply = exchange(line, *pieces)
            assert (status, json.loads(reply)["code"]) == (503, "serve.busy")
            assert "请求" in json.loads(reply)["message"]
            assert headers.items() >= {"retry-after": "1", "x-request-id": "mine", "cache-control": "no-store"}.items()
        assert exchange(line, GET + b"\r\n")[0] == 200  # health is for everybody
        monkeypatch.setattr(wire, "MAX_IN_FLIGHT", 1)
        status, _, reply = exchange(line, head.encode() + body)
        assert status == 200 and json.loads(reply)["predictions"]
    page = client.get("/metrics").text
    assert 'feilun_refused_total{reason="serve.busy"} 2.0' in page
    assert 'feilun_http_requests_total{method="POST",route="none",status="503"} 2.0' in page


def test_who_sends_much_to_a_full_house_or_keeps_the_rest_to_himself_is_hung_up_on(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "DRAIN_WITHIN_S", 0.5)
    monkeypatch.setattr(wire, "MAX_IN_FLIGHT", 0)
    head = f"POST {AT}/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    for says, goes_on in (
        (b"Content-Length: 100000000", False),
        (b"Transfer-Encoding: chunked", False),
        (b"Content-Length: 10", True),  # of which nothing comes
    ):
        with line_to(client) as line:
            status, headers, _ = exchange(line, head + says + b"\r\n\r\n")
            assert (status, "connection" not in headers) == (503, goes_on)
            assert line.recv(1) == b""

"""The way to a target: what each kind is sent, how it is signed, and what is made of its answers; over real sockets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from feilun.alerts import AlertNotSent, Door, deliver, post
from feilun.config import AlertTargetSettings, ServeSettings
from tests.receiver import Receiver, make_certificate, receiving, say

PAYLOAD = {"type": "alert.fired", "timestamp": "t", "data": {"en": "a < b & c", "zh": "出错了"}}
HOST = "hooks.example.com"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def send(
    url: str, folder: Path, *, lang: str = "en", networks: tuple[str, ...] = ("127.0.0.0/8",), **said: Any
) -> None:
    """One delivery to `url`, on loopback whatever its host is called."""
    (folder / "url").write_text(f"{url}\n", "utf-8")
    where = urlsplit(url).netloc
    door = Door.of(ServeSettings(alert_hosts=(where,), alert_networks=networks))
    target = AlertTargetSettings(name="ops", url="file:url", **said)
    way: dict[str, Any] = {"folder": folder, "door": door, "resolve": lambda host, port: ["127.0.0.1"]}
    deliver(target, PAYLOAD, delivery_id="alert_1", lang=lang, **way)


def failure(url: str, folder: Path, **said: Any) -> tuple[str, Any]:
    with pytest.raises(AlertNotSent) as refused:
        send(url, folder, **said)
    assert url not in str(refused.value.to_dict())
    return refused.value.fields["what"], refused.value.fields["detail"]


def signed(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    ("secret", "key"), [("plain words", b"plain words"), (f"whsec_{base64.b64encode(b'k' * 24).decode()}", b"k" * 24)]
)
def test_json_is_signed_as_standard_webhooks_has_it(receiver, tmp_path, monkeypatch, secret: str, key: bytes):
    monkeypatch.setenv("OPS_SECRET", secret)
    send(f"http://{HOST}:{receiver.port}/in?team=a", tmp_path, secret="env:OPS_SECRET")
    (got,) = receiver.got
    assert json.loads(got.body) == PAYLOAD
    assert (got.path, got.headers["host"], got.headers["webhook-id"]) == (
        "/in?team=a",
        f"{HOST}:{receiver.port}",
        "alert_1",
    )
    at = got.headers["webhook-timestamp"]
    assert abs(int(at) - time.time()) < 60
    assert got.headers["webhook-signature"] == "v1," + signed(key, f"alert_1.{at}.".encode() + got.body)


def test_without_a_secret_nothing_is_signed(receiver, tmp_path):
    send(f"http://{HOST}:{receiver.port}/in", tmp_path)
    assert "webhook-signature" not in receiver.got[0].headers


def test_slack_gets_its_three_characters_escaped(receiver, tmp_path):
    send(f"http://{HOST}:{receiver.port}/services/T/B/X", tmp_path, format="slack")
    assert json.loads(receiver.got[0].body) == {"text": "a &lt; b &amp; c"}


def test_wecom_gets_a_text_in_the_language_that_is_set(receiver, tmp_path):
    receiver.answer = say(b'{"errcode":0,"errmsg":"ok"}')
    send(f"http://{HOST}:{receiver.port}/cgi-bin/webhook/send?key=k", tmp_path, format="wecom", lang="zh")
    (got,) = receiver.got
    assert got.path == "/cgi-bin/webhook/send?key=k"
    assert json.loads(got.body) == {"msgtype": "text", "text": {"content": "出错了"}}


def test_dingtalk_gets_time_and_signature_behind_its_address(receiver, tmp_path, monkeypatch):
    monkeypatch.setenv("DING", "SECabc")
    receiver.answer = say(b'{"errcode":0,"errmsg":"ok"}')
    send(f"http://{HOST}:{receiver.port}/robot/send?access_token=t", tmp_path, format="dingtalk", secret="env:DING")
    (got,) = receiver.got
    asked = parse_qs(urlsplit(got.path).query)
    (at,) = asked["timestamp"]
    assert abs(int(at) / 1000 - time.time()) < 60
    assert asked == {"access_token": ["t"], "timestamp": [at], "sign": [signed(b"SECabc", f"{at}\nSECabc".encode())]}


def test_feishu_gets_time_and_signature_in_its_message(receiver, tmp_path, monkeypatch):
    monkeypatch.setenv("FEISHU", "secret")
    receiver.answer = say(b'{"code":0,"msg":"success","data":{},"StatusCode":0}')
    send(f"http://{HOST}:{receiver.port}/open-apis/bot/v2/hook/h", tmp_path, format="feishu", secret="env:FEISHU")
    said = json.loads(receiver.got[0].body)
    key = f"{said['timestamp']}\nsecret".encode()
    assert said.pop("sign") == signed(key, b"")
    assert said == {"timestamp": said["timestamp"], "msg_type": "text", "content": {"text": "a < b & c"}}


@pytest.mark.parametrize(
    ("format", "body", "number"),
    [
        ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}', 93000),
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', 310000),
        ("feishu", b'{"code":19021,"msg":"sign match fail"}', 19021),
        ("feishu", b'{"StatusCode":1}', 1),
    ],
)
def test_a_chat_that_says_no_with_status_200_is_understood(receiver, tmp_path, format: str, body: bytes, number: int):
    receiver.answer = say(body)
    assert failure(f"http://{HOST}:{receiver.port}/", tmp_path, format=format) == ("refused", number)


@pytest.mark.parametrize(
    "body", [b"<html>a portal that wants a password</html>", b"[]", b"{}", b'{"errcode":"no"}', b""]
)
def test_what_no_chat_would_say_is_no_yes(receiver, tmp_path, body: bytes):
    receiver.answer = say(body)
    for format in ("wecom", "dingtalk", "feishu"):
        assert failure(f"http://{HOST}:{receiver.port}/", tmp_path, format=format) == ("unread", "")


def test_a_redirect_is_not_followed_and_other_statuses_are_told(receiver, tmp_path):
    url = f"http://{HOST}:{receiver.port}/"
    for status in (301, 302, 307, 308):
        receiver.answer = say(status=status, Location=f"http://127.0.0.1:{receiver.port}/inside")
        assert failure(url, tmp_path) == ("redirect", status)
    receiver.answer = say(b"our secrets", status=500)
    assert failure(url, tmp_path) == ("status", 500)
    assert [got.path for got in receiver.got] == ["/"] * 5


def test_who_answers_a_byte_a_time_or_not_at_all_is_left(receiver, tmp_path, monkeypatch):
    monkeypatch.setattr(post, "WHOLE_S", 0.5)
    url = f"http://{HOST}:{receiver.port}/"

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(600):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    receiver.answer = drip
    assert failure(url, tmp_path) == ("timeout", "")
    monkeypatch.setattr(post, "WAIT_S", 0.2)
    monkeypatch.setattr(post, "WHOLE_S", 60)
    receiver.answer = lambda handler: time.sleep(2)
    assert failure(url, tmp_path) == ("timeout", "")


def test_of_an_endless_answer_only_the_beginning_is_read(receiver, tmp_path):
    sent = 0

    def pour(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            sent += handler.wfile.write(b"x" * 65536)

    receiver.answer = pour
    send(f"http://{HOST}:{receiver.port}/", tmp_path)
    assert sent < 50_000_000


def test_who_speaks_no_http_or_hangs_up_is_unreachable(receiver, tmp_path):
    for noise in (b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300):

        def answer(handler: BaseHTTPRequestHandler, noise: bytes = noise) -> None:
            handler.wfile.write(noise)
            handler.close_connection = True

        receiver.answer = answer
        assert failure(f"http://{HOST}:{receiver.port}/", tmp_path) == ("unreachable", "")


def test_proxies_of_the_environment_are_not_used(receiver, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    send(f"http://{HOST}:{receiver.port}/", tmp_path)
    assert len(receiver.got) == 1


def test_over_https_the_certificate_must_be_the_hosts_and_trusted(tmp_path, monkeypatch):
    right = make_certificate(tmp_path / "right.pem", host=HOST)
    wrong = make_certificate(tmp_path / "wrong.pem", host="other.example.com")
    with receiving(certificate=right) as receiver:
        url = f"https://{HOST}:{receiver.port}/in"
        assert failure(url, tmp_path) == ("tls", "")  # nobody trusts it yet
        monkeypatch.setenv("SSL_CERT_FILE", str(right.with_suffix(".crt")))
        send(url, tmp_path)
        assert [(got.path, got.headers["host"]) for got in receiver.got] == [("/in", f"{HOST}:{receiver.port}")]
    with receiving(certificate=wrong) as receiver:
        monkeypatch.setenv("SSL_CERT_FILE", str(wrong.with_suffix(".crt")))
        assert failure(f"https://{HOST}:{receiver.port}/in", tmp_path) == ("tls", "")
        assert receiver.got == []


def test_a_secret_that_is_not_where_the_settings_say_stops_the_alert(receiver, tmp_path, monkeypatch):
    url = f"http://{HOST}:{receiver.port}/"
    monkeypatch.delenv("NOT_THERE", raising=False)
    (tmp_path / "empty").write_text("\n", "utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for reference in ("env:NOT_THERE", "file:not-there", "file:empty", "file:bytes", "file:."):
        assert failure(url, tmp_path, secret=reference) == ("reference", reference)
    assert receiver.got == []

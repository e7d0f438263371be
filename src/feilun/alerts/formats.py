"""How an alert looks to each kind of target, and what its answer means. After the vendors' own documents:

json: Standard Webhooks 1.0, https://www.standardwebhooks.com
slack: Incoming webhooks, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
wecom: 群机器人配置说明, https://developer.work.weixin.qq.com/document/path/91770
dingtalk: 自定义机器人安全设置, https://open.dingtalk.com/document/robots/customize-robot-security-settings
feishu: 自定义机器人使用指南, https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_plus

STANDARD_PREFIX = "whsec_"


class Parcel(NamedTuple):
    """What is posted: `query` goes behind the address."""

    body: bytes
    headers: dict[str, str]
    query: str = ""


def wrap(payload: Mapping[str, Any], *, format: str, delivery_id: str, text: str, secret: bytes, now: float) -> Parcel:
    """The alert as a target of this format wants it, signed when there is a secret.

    Args:
        payload: what is sent as JSON; a chat is sent `text`.
        now: seconds since 1970.
    """
    return _FORMATS[format](payload, delivery_id, text, secret, now)


def read_reply(format: str, body: bytes) -> int | None:
    """The number with which a chat says what became of a message; None when this is no answer of such a chat.

    0: it took it, as a target that gives no numbers has done with every message that it answered well.
    """
    names = _NUMBERS.get(format)
    if names is None:
        return 0
    try:
        said = json.loads(body)
    except ValueError:
        return None
    found = [said[name] for name in names if name in said] if isinstance(said, dict) else []
    return next((one for one in found if isinstance(one, int)), None)


def _json(payload: Mapping[str, Any], delivery_id: str, _text: str, secret: bytes, now: float) -> Parcel:
    body, at = _dump(payload), str(int(now))
    headers = _JSON | {"webhook-id": delivery_id, "webhook-timestamp": at}
    if secret:
        signed = _hmac(_standard_key(secret), f"{delivery_id}.{at}.".encode() + body)
        headers["webhook-signature"] = f"v1,{signed}"
    return Parcel(body, headers)


def _slack(_payload: Mapping[str, Any], _id: str, text: str, _secret: bytes, _now: float) -> Parcel:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Parcel(_dump({"text": escaped}), _JSON)


def _wecom(_payload: Mapping[str, Any], _id: str, text: str, _secret: bytes, _now: float) -> Parcel:
    return Parcel(_dump({"msgtype": "text", "text": {"content": text}}), _JSON)


def _dingtalk(_payload: Mapping[str, Any], _id: str, text: str, secret: bytes, now: float) -> Parcel:
    body = _dump({"msgtype": "text", "text": {"content": text}})
    if not secret:
        return Parcel(body, _JSON)
    at = str(int(now * 1000))
    signed = _hmac(secret, at.encode() + b"\n" + secret)
    return Parcel(body, _JSON, query=f"timestamp={at}&sign={quote_plus(signed)}")


def _feishu(_payload: Mapping[str, Any], _id: str, text: str, secret: bytes, now: float) -> Parcel:
    message: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
    if secret:
        at = str(int(now))
        # What is signed is the key here, and the message is empty: so says the document.
        message |= {"timestamp": at, "sign": _hmac(at.encode() + b"\n" + secret, b"")}
    return Parcel(_dump(message), _JSON)


_JSON = {"Content-Type": "application/json; charset=utf-8"}
_NUMBERS = {"wecom": ("errcode",), "dingtalk": ("errcode",), "feishu": ("code", "StatusCode")}
_FORMATS: dict[str, Callable[[Mapping[str, Any], str, str, bytes, float], Parcel]] = {
    "json": _json,
    "slack": _slack,
    "wecom": _wecom,
    "dingtalk": _dingtalk,
    "feishu": _feishu,
}


def _hmac(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def _standard_key(secret: bytes) -> bytes:
    """What `whsec_…` stands for; another secret is the key as it is."""
    text = secret.decode("utf-8", "replace")
    if not text.startswith(STANDARD_PREFIX):
        return secret
    try:
        return base64.b64decode(text.removeprefix(STANDARD_PREFIX), validate=True)
    except binascii.Error:
        return secret


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

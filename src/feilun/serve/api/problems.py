"""From an error to a reply, in the caller's language: {code, message, fields}, or OpenAI's shape at its addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from starlette.responses import Response

from feilun.errors import FeilunError, language
from feilun.serve.api.errors import RequestInvalid

_BY_KIND = {"invalid": 422, "missing": 404, "conflict": 409, "forbidden": 403, "unavailable": 503, "exhausted": 429}
# Where the code says more than its kind.
_BY_CODE = {
    "auth.key_missing": 401,
    "auth.key_invalid": 401,
    "auth.session_ended": 401,
    "request.malformed": 400,
    "request.method_refused": 405,
    "request.too_slow": 408,
    "request.head_too_slow": 408,
    "request.head_too_large": 431,
    "request.not_http": 400,
    "request.too_large": 413,
    "upload.too_large": 413,
    "feedback.idempotency_conflict": 422,  # as the IETF's Idempotency-Key draft has it; 409 is for a twin in flight
    "feilun.internal": 500,
    "store.full": 507,
    "settings.outdated": 412,
}
RETRY_AFTER_S = 1


# Addresses of OpenAI's interface, whose clients know errors by their own shape, and mistakes as 400.
_OPENAI_PATHS = ("/v1/models", "/v1/chat", "/v1/embeddings")
_OPENAI_CODES = {
    "v1.model_unknown": "model_not_found",
    "auth.key_missing": "invalid_api_key",
    "auth.key_invalid": "invalid_api_key",
    "auth.session_ended": "invalid_api_key",
    "limit.rate": "rate_limit_exceeded",
    "limit.quota": "insufficient_quota",
}
_OPENAI_TYPES = {"limit.rate": "rate_limit_error", "limit.quota": "insufficient_quota"}


def is_openai(path: str) -> bool:
    """Whether clients of OpenAI's interface use this address."""
    return any(path == one or path.startswith(one + "/") for one in _OPENAI_PATHS)


def status_of(error: FeilunError) -> int:
    """The HTTP status of an error: by its code where that says more, else by its kind."""
    return _BY_CODE.get(error.code, _BY_KIND[error.kind])


def problem(error: FeilunError, *, path: str, lang: str, headers: Mapping[str, str] | None = None) -> Response:
    """The reply that `error` becomes at the address `path`. Paths of this machine are cut down to their last part."""
    status = status_of(error)
    fields = {key: public(value) for key, value in error.fields.items()}
    shown = type(error).__new__(type(error))  # not made anew: a mistake of another process takes no fields
    shown.__dict__.update(error.__dict__ | {"fields": fields})
    body = {"code": error.code, "message": shown.message(lang), "fields": fields}
    if is_openai(path):
        status = 400 if status == 422 else status
        body = {"error": _as_openai(body, status)}
    extra = dict(headers or {})
    if status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    if status == 503:
        extra["Retry-After"] = str(RETRY_AFTER_S)
    if status == 429:
        extra["Retry-After"] = str(fields["retry_after_s"])
    # ASCII escapes, so that even a lone surrogate that came in can go out
    content = json.dumps(body, default=str, ensure_ascii=True).encode()
    return Response(content, status, headers=extra, media_type="application/json")


def _as_openai(body: dict[str, Any], status: int) -> dict[str, Any]:
    fields = body["fields"]
    mistakes = fields.get("mistakes") or [{"field": fields.get("param")}]
    return {
        "message": body["message"],
        "type": _OPENAI_TYPES.get(body["code"], "server_error" if status >= 500 else "invalid_request_error"),
        "param": mistakes[0]["field"],
        "code": _OPENAI_CODES.get(body["code"], body["code"]),
        "fields": fields,
    }


def public(value: Any) -> Any:
    """A field as the outside may see it: of a path of this machine its last part."""
    if isinstance(value, PurePath) or (isinstance(value, str) and value.startswith("/")):
        return PurePath(value).name
    return value


def speak(accept_language: str | None) -> str:
    """ "en" or "zh", whichever the header wants more; the server's own language when it wants neither."""
    return _wanted((accept_language or "")[:500]) or language()


@lru_cache(maxsize=256)
def _wanted(accept_language: str) -> str:
    """ "en" or "zh", "" for neither."""
    best, spoken = 0.0, ""
    for part in accept_language.split(","):
        tag, _, weight = part.strip().lower().partition(";q=")
        try:
            q = float(weight) if weight else 1.0
        except ValueError:
            continue
        base = tag.partition("-")[0]
        if base in ("en", "zh") and q > best:
            best, spoken = q, base
    return spoken


# What pydantic found, in our words: its error type -> (en, zh), with its context as placeholders.
_MISTAKES = {
    "missing": ("is needed", "不可缺少"),
    "extra_forbidden": ("is not known here", "不是已知的字段"),
    "not_both": ("cannot be given beside {other}", "不能与 {other} 同时给出"),
    "json_invalid": ("is not valid JSON", "不是有效的 JSON"),
    "string_type": ("must be text", "必须是文本"),
    "string_unicode": ("must be valid Unicode text", "必须是有效的 Unicode 文本"),
    "string_too_short": ("must have at least {min_length} character(s)", "至少需要 {min_length} 个字符"),
    "string_too_long": ("must have at most {max_length} characters", "最多 {max_length} 个字符"),
    "too_short": ("must have at least {min_length} item(s)", "至少需要 {min_length} 项"),
    "too_long": ("must have at most {max_length} items", "最多 {max_length} 项"),
    "list_type": ("must be a list", "必须是列表"),
    "bool_type": ("must be true or false", "必须是 true 或 false"),
    "int_type": ("must be a whole number", "必须是整数"),
    "int_parsing": ("must be a whole number", "必须是整数"),
    "int_parsing_size": ("is too large a number", "数值过大"),
    "greater_than_equal": ("must be at least {ge}", "不得小于 {ge}"),
    "less_than_equal": ("must be at most {le}", "不得大于 {le}"),
    "literal_error": ("must be {expected}", "必须是 {expected}"),
    "model_attributes_type": ("must be a JSON object", "必须是 JSON 对象"),
    "blank": ("must not be blank", "不得为空白"),
    "not_texts": ("must be text, or a list of texts", "必须是文本或文本的列表"),
    "not_content": ("must be text, or a list of parts with a type", "必须是文本，或带有 type 的片段列表"),
    "token_ids": (
        "must be text: token ids of another model's tokenizer mean something else here",
        "必须是文本：其他模型分词器的编号在这里含义不同",
    ),
    "unusable": ("must be text that can be stored", "必须是可存储的文本"),
}
_OTHER = ("has the wrong shape", "格式不正确")
_SHOWN = 20


def lacks(field: str, *, lang: str) -> RequestInvalid:
    """A field of the body that this request would have needed is missing."""
    return explain([{"type": "missing", "loc": ("body", field)}], lang=lang)


def explain(errors: Sequence[Any], *, lang: str) -> RequestInvalid:
    """Pydantic's errors as one error of ours; names fields, never what was in them."""
    mistakes = []
    for error in errors[:_SHOWN]:
        words = _MISTAKES.get(error["type"], _OTHER)[1 if lang == "zh" else 0]
        context = {key: str(value) for key, value in (error.get("ctx") or {}).items()}
        mistakes.append({"field": _place(error["loc"]), "problem": words.format_map(_Blank(context))})
    joint, stop = ("；", "。") if lang == "zh" else ("; ", ".")
    summary = joint.join(f"{mistake['field']} {mistake['problem']}" for mistake in mistakes) + stop
    return RequestInvalid(n_mistakes=len(errors), summary=summary, mistakes=mistakes)


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "…"


def _place(loc: Sequence[Any]) -> str:
    parts = [str(part)[:40].encode("ascii", "backslashreplace").decode() for part in loc]
    if parts[:1] == ["body"]:
        parts = parts[1:] or ["body"]
    return ".".join(parts[:8])

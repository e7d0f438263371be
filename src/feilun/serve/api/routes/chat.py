"""A conversation as OpenAI's clients hold it: the last word of the user is answered by the champion."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic_core import to_json
from starlette.responses import Response

from feilun.project import Project
from feilun.records import ServedPrediction
from feilun.serve.api.errors import FeatureRefused, ModelUnknown, NoUserMessage, SchemaUnmet
from feilun.serve.api.openai_shapes import ChatCompletion, ChatMessage, ChatRequest, ResponseFormat
from feilun.serve.api.problems import explain
from feilun.serve.api.routing import InWorkspace, Routes, StraightRoute, Visit, send

routes = Routes("openai")
NO_LOGPROB = -9999.0  # what OpenAI's interface writes for a probability of nought
N_ALTERNATIVES = 3  # in JSON; top_logprobs gives more
ANSWER_FIELDS = ("label", "labels", "confidence", "decision", "reason", "alternatives")
# Fields that would change what the answer is, with the values at which they change nothing.
HARMLESS: dict[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "function_call": (None, "none", "auto"),
    "audio": (None,),
    "modalities": (None, [], ["text"]),
    "web_search_options": (None,),
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer; with `stream`, its chunks.", "content": {"text/event-stream": {}}}
}


@routes(
    "POST",
    "/v1/chat/completions",
    summary="Answer the last message of a conversation (OpenAI's interface).",
    reply=ChatCompletion,
    problems=(404,),
    also=STREAMED,
    route_class=StraightRoute,
)
async def create_chat_completion(
    request: Request, visit: Annotated[Visit, Depends(InWorkspace("predict"))], body: ChatRequest
) -> Response:
    """The content is the label as text, or JSON where `response_format` asks for it. What is handed over has the
    likeliest label all the same: `feilun.decision` says hand_over. Feedback takes `id`."""
    _refuse_more(body)
    fields = _fields_for(body.response_format)
    text = _last_word(body.messages, lang=visit.lang)
    project = visit.project_behind(body.model)
    visit.meter.is_for(kind="chat", project=project.name, owner=project.tenant)
    (said,) = await visit.house.ask(
        project,
        [text],
        receive=request.receive,
        meter=visit.meter,
        in_full=True,
        user=body.user or body.safety_identifier,
        champion_only=body.model != project.name,  # who names a model gets that one
    )
    if body.model not in (project.name, said.model_version):
        raise ModelUnknown(model=body.model[:64], param="model")  # another one went live a moment ago
    whole = _completion(body, said, project=project, content=_content(said, fields))
    if body.stream:
        return Response(b"".join(_stream(whole, body)), media_type="text/event-stream")
    return send(whole)


def _refuse_more(body: ChatRequest) -> None:
    for param, allowed in HARMLESS.items():
        if getattr(body, param) not in allowed:
            raise FeatureRefused(param=param)


def _last_word(messages: list[ChatMessage], *, lang: str) -> str:
    """What the last message of the user says."""
    place = max((i for i, one in enumerate(messages) if one.role == "user"), default=None)
    if place is None:
        raise NoUserMessage(n_messages=len(messages), param="messages")
    content = messages[place].content
    parts = [{"type": "text", "text": content or ""}] if not isinstance(content, list) else content
    for i, part in enumerate(parts):
        if part["type"] != "text":
            raise FeatureRefused(param=f"messages.{place}.content.{i}")
    text = "\n".join(part["text"] for part in parts)
    if not text.strip():
        raise explain([{"type": "blank", "loc": ("body", "messages", place, "content")}], lang=lang)
    return text


def _fields_for(wanted: ResponseFormat | None) -> tuple[str, ...]:
    """The fields of a JSON answer; none for plain text.

    Raises:
        SchemaUnmet: the caller's schema requires others.
    """
    if wanted is None or wanted.type == "text":
        return ()
    schema = (wanted.json_schema or {}).get("schema")
    schema = schema if isinstance(schema, dict) else {}
    required, properties = schema.get("required"), schema.get("properties")
    missing = [str(one)[:64] for one in required if one not in ANSWER_FIELDS] if isinstance(required, list) else []
    if missing:
        raise SchemaUnmet(missing=", ".join(missing[:20]), known=", ".join(ANSWER_FIELDS), param="response_format")
    if not isinstance(properties, dict) or not properties:
        return ANSWER_FIELDS
    return tuple(name for name in ANSWER_FIELDS if name in properties)


def _content(said: ServedPrediction, fields: tuple[str, ...]) -> str:
    if not fields:
        return said.label
    whole = {name: getattr(said, name) for name in fields}
    if "alternatives" in whole:
        whole["alternatives"] = said.alternatives[:N_ALTERNATIVES]
    return json.dumps(whole, ensure_ascii=False)


def _completion(body: ChatRequest, said: ServedPrediction, *, project: Project, content: str) -> dict[str, Any]:
    n_out = project.stage.model.count_tokens(content)
    return {
        "id": said.prediction_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.model,
        "system_fingerprint": said.model_version,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": None},
                "finish_reason": "stop",
                "logprobs": _logprobs(said, body.top_logprobs or 0) if body.logprobs else None,
            }
        ],
        "usage": {
            "prompt_tokens": said.n_tokens,
            "completion_tokens": n_out,
            "total_tokens": said.n_tokens + n_out,
        },
        "feilun": {
            "project": project.name,
            "prediction_id": said.prediction_id,
            "model_version": said.model_version,
            "labels": said.labels,
            "confidence": said.confidence,
            "decision": said.decision,
            "reason": said.reason,
        },
    }


def _logprobs(said: ServedPrediction, n_top: int) -> dict[str, Any]:
    """The answer as one token: its label and confidence, and the likeliest labels beside it."""
    top = [_logprob(label, prob) for label, prob in said.alternatives[:n_top]]
    return {"content": [_logprob(said.label, said.confidence) | {"top_logprobs": top}], "refusal": None}


def _logprob(label: str, prob: float) -> dict[str, Any]:
    logprob = min(math.log(prob), 0.0) if prob > 0 else NO_LOGPROB
    return {"token": label, "logprob": logprob, "bytes": list(label.encode("utf-8", "replace"))}


def _stream(whole: dict[str, Any], body: ChatRequest) -> Iterator[bytes]:
    """`whole` as server-sent events. The answer is there at once, so that what goes wrong still has its status."""
    (choice,) = whole["choices"]
    counts = bool(body.stream_options and body.stream_options.include_usage)
    base = whole | {"object": "chat.completion.chunk"}
    del base["usage"]
    steps: list[tuple[dict[str, Any], Any, str | None]] = [
        ({"role": "assistant", "content": ""}, None, None),
        ({"content": choice["message"]["content"]}, choice["logprobs"], None),
        ({}, None, "stop"),
    ]
    for delta, logprobs, finish in steps:
        one = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        yield _event(base | {"choices": [one]} | ({"usage": None} if counts else {}))
    if counts:
        yield _event(base | {"choices": [], "usage": whole["usage"]})
    yield b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"

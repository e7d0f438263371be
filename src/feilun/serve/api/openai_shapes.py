"""The shapes of OpenAI's interface, as far as a model here has something to put into them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from feilun.serve.api.shapes import MAX_TEXT, MAX_USER, USER


class OpenAIShape(BaseModel):
    """Base of these bodies: what is not known is left alone, since clients send fields that mean nothing here."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class OpenAIError(OpenAIShape):
    message: str = Field(description="What was found, what was expected and what to do next, for people.")
    type: Literal["invalid_request_error", "server_error", "rate_limit_error", "insufficient_quota"]
    param: str | None = Field(description="The field that is to blame, where it is one.")
    code: str = Field(
        description="What went wrong, for programs; stable. OpenAI's own word where it has one (model_not_found, "
        "invalid_api_key)."
    )
    fields: dict[str, Any] = Field(description="The values in the message, by name.")


class OpenAIProblem(OpenAIShape):
    """Every error at these addresses has this shape; the words follow Accept-Language (en, zh)."""

    error: OpenAIError


# ---------------------------------------------------------------------------------------------------- what comes in


def _usable(text: str, *, may_be_blank: bool) -> None:
    if not may_be_blank and not text.strip():
        raise PydanticCustomError("blank", "must not be blank")
    if len(text) > MAX_TEXT:
        raise PydanticCustomError("string_too_long", "too long", {"max_length": MAX_TEXT})
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half of an emoji
        raise PydanticCustomError("string_unicode", "must be Unicode") from error


def _check_content(content: Any) -> Any:
    """Text, parts that each have a type (and text where the type says so), or nothing."""
    if content is None:
        return content
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list):
        raise PydanticCustomError("not_content", "must be text or parts")
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise PydanticCustomError("not_content", "must be text or parts")
        if part["type"] == "text":
            if not isinstance(part.get("text"), str):
                raise PydanticCustomError("not_content", "must be text or parts")
            _usable(part["text"], may_be_blank=True)
    return content


def _check_input(given: Any) -> Any:
    """One text or several."""
    texts = given if isinstance(given, list) else [given]
    if texts and all(isinstance(one, int) or (isinstance(one, list) and one) for one in texts):
        raise PydanticCustomError("token_ids", "must be text")
    if not all(isinstance(one, str) for one in texts):
        raise PydanticCustomError("not_texts", "must be text or texts")
    if not texts:
        raise PydanticCustomError("too_short", "too short", {"min_length": 1})
    for one in texts:
        _usable(one, may_be_blank=False)
    return given


ModelName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="The name of a project, or the id of the model that answers in it now.",
        examples=["support"],
    ),
]


class ChatMessage(OpenAIShape):
    role: str = Field(max_length=64, description="The last message of the role 'user' is answered, the others are not.")
    content: Annotated[str | list[dict[str, Any]] | None, BeforeValidator(_check_content)] = Field(
        None, description="Text, or parts of type 'text', which are joined by line breaks."
    )


class ResponseFormat(OpenAIShape):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = Field(
        None, description="Its `schema` picks fields of the answer by name: those under `properties` are given."
    )


class StreamOptions(OpenAIShape):
    include_usage: bool | None = Field(None, description="A last chunk counts the tokens.")


class ChatRequest(OpenAIShape):
    """What chooses how a text is sampled (temperature, top_p, max_tokens, seed, stop and the like) is left alone."""

    model: ModelName
    messages: list[ChatMessage] = Field(min_length=1, max_length=10_000)
    response_format: ResponseFormat | None = Field(None, description="Absent or text: the label; else JSON.")
    logprobs: bool | None = Field(None, description="Give the calibrated probabilities of the labels, as logarithms.")
    top_logprobs: int | None = Field(None, ge=0, le=20, description="So many of the likeliest labels; with logprobs.")
    stream: bool | None = Field(None, description="Give the answer as server-sent events that end with [DONE].")
    stream_options: StreamOptions | None = None
    user: str | None = Field(None, max_length=MAX_USER, description=USER)
    safety_identifier: str | None = Field(None, max_length=MAX_USER, description="OpenAI's newer name of `user`.")
    n: Any = Field(None, description="1 or absent.")
    tools: Any = Field(None, description="Refused unless empty; so are functions, audio and modalities but text.")
    functions: Any = None
    tool_choice: Any = Field(None, description="'none', 'auto' or absent.")
    function_call: Any = Field(None, description="'none', 'auto' or absent.")
    audio: Any = None
    modalities: Any = None
    web_search_options: Any = None


class EmbeddingRequest(OpenAIShape):
    model: ModelName
    input: Annotated[str | list[str], BeforeValidator(_check_input)] = Field(
        description="One text or several; at most [serve] max_batch. Token ids are refused."
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="float (also when absent), or base64 of little-endian 32-bit floats."
    )
    dimensions: int | None = Field(None, ge=1, description="Only what the model has.")


# ---------------------------------------------------------------------------------------------------- what goes out


class ChatFeilun(OpenAIShape):
    """What an answer of ours says beyond OpenAI's shape."""

    project: str = Field(description="The project that answered: feedback goes to its address.")
    prediction_id: str = Field(description="Names this answer; feedback takes it. The same as `id`.")
    model_version: str = Field(description="The model that answered.")
    labels: list[str]
    confidence: float = Field(ge=0, le=1)
    decision: Literal["answer", "hand_over"] = Field(description="'hand_over': let a person answer.")
    reason: Literal["confident", "unsure", "out_of_scope", "memory"]


class ModelFeilun(OpenAIShape):
    project: str
    model_version: str = Field(description="The model that answers.")


class TopLogprob(OpenAIShape):
    token: str = Field(description="A label.")
    logprob: float = Field(le=0, description="Natural logarithm of its calibrated probability; -9999 for none.")
    bytes: list[int] = Field(description="The label in UTF-8.")


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob] = Field(description="What the model itself says, the likeliest first.")


class Logprobs(OpenAIShape):
    content: list[TokenLogprob] = Field(description="One entry: the label and the answer's confidence.")
    refusal: None = None


class AssistantMessage(OpenAIShape):
    role: Literal["assistant"]
    content: str = Field(description="The label, or JSON.")
    refusal: None = None


class Choice(OpenAIShape):
    index: int
    message: AssistantMessage
    finish_reason: Literal["stop"]
    logprobs: Logprobs | None


class Usage(OpenAIShape):
    prompt_tokens: int = Field(description="Tokens that the network read of the message, by its own tokenizer.")
    total_tokens: int


class ChatUsage(Usage):
    completion_tokens: int = Field(description="Tokens of the content, by the same tokenizer.")


class ChatCompletion(OpenAIShape):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str = Field(description="As it was asked for.")
    system_fingerprint: str = Field(description="The model that answered.")
    choices: list[Choice]
    usage: ChatUsage
    feilun: ChatFeilun


class Embedding(OpenAIShape):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="Of unit length.")


class EmbeddingList(OpenAIShape):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage
    feilun: ModelFeilun


class ServedModel(OpenAIShape):
    id: str
    object: Literal["model"]
    created: int = Field(description="When the model that answers was sealed; seconds since 1970.")
    owned_by: Literal["feilun"]
    feilun: ModelFeilun


class ServedModelList(OpenAIShape):
    object: Literal["list"]
    data: list[ServedModel]

"""OpenAI's own client against our server: what it sends is understood, what it gets it can read."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator

import numpy as np
import openai
import pytest
from pydantic import BaseModel

from feilun.serve.api.guard import Guard
from feilun.serve.api.wire import MAX_IN_FLIGHT
from feilun.trust import create_key

REFUND = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "I want a refund"}]
CHAT, EMBED = "/v1/chat/completions", "/v1/embeddings"


@pytest.fixture
def key(project) -> str:
    return create_key(project.store, name="app", scopes=["predict", "feedback"])[1]


@pytest.fixture
def ai(client, key) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key=key, max_retries=0) as opened:
        yield opened


def complete(ai, content="I want a refund", **more):
    return ai.chat.completions.create(model="support", messages=[{"role": "user", "content": content}], **more)


# ----------------------------------------------------------------------------------------------------------- models


def test_the_live_models_are_listed_under_their_projects_names(ai, project):
    champion = project.store.find_champion("support")
    (listed,) = ai.models.list().data
    assert (listed.id, listed.object, listed.owned_by) == ("support", "model", "feilun")
    assert listed.created == int(project.get_model(champion)["created_at"].timestamp())
    assert ai.models.retrieve("support") == listed
    by_id = ai.models.retrieve(champion)
    assert by_id.id == champion
    assert by_id.model_extra["feilun"] == {"project": "support", "model_version": champion}


def test_a_project_that_cannot_answer_is_no_model_yet(serve, bare_project):
    client = serve(bare_project)
    assert client.get("/v1/models").json()["data"] == []
    refused = client.post(CHAT, json={"model": "bare", "messages": REFUND})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    error = refused.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("server_error", "serve.not_ready", None)


# ------------------------------------------------------------------------------------------------------------- chat


def test_a_chat_is_answered_with_the_label_that_the_typed_address_gives(ai, client, project):
    inputs = {"inputs": [{"text": "I want a refund"}]}
    (typed,) = client.post("/v1/projects/support/predictions", json=inputs).json()["predictions"]
    said = ai.chat.completions.create(model="support", messages=REFUND, temperature=0.2, max_tokens=5, user="u", seed=1)
    (choice,) = said.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", typed["label"], "stop")
    assert (said.model, said.system_fingerprint, choice.logprobs) == ("support", typed["model_version"], None)
    assert said.model_extra["feilun"] == {
        "project": "support",
        "prediction_id": said.id,
        **{name: typed[name] for name in ("model_version", "labels", "confidence", "decision", "reason")},
    }
    encoder = project.stage.model.encoder
    assert said.usage.prompt_tokens == encoder.count_tokens("I want a refund")
    assert said.usage.completion_tokens == encoder.count_tokens(typed["label"]) - encoder.count_tokens("") > 0
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens


def test_the_last_word_of_the_user_is_what_is_answered_in_parts_or_in_one(ai, project):
    parts = [{"type": "text", "text": "where is"}, {"type": "text", "text": "my parcel"}]
    messages = [*REFUND, {"role": "assistant", "content": "refund"}, {"role": "user", "content": parts}]
    said = ai.chat.completions.create(model="support", messages=[*messages, {"role": "assistant", "content": None}])
    project.store.writer.flush()  # behind the prediction
    assert project.store.get_prediction("support", said.id)["inputs"] == {"text": "where is\nmy parcel"}


def test_feedback_takes_the_id_of_a_chat_and_bites_at_once(ai, client, key):
    first = complete(ai, "mein Paket ist weg")
    other = next(label for label in ("refund", "delivery", "thanks") if label != first.choices[0].message.content)
    body = {"prediction_id": first.id, "label": other}
    path = f"/v1/projects/{first.model_extra['feilun']['project']}/feedback"
    client.post(path, json=body, headers={"Authorization": f"Bearer {key}"}).raise_for_status()
    again = complete(ai, "mein Paket ist weg", logprobs=True, top_logprobs=3)
    assert again.choices[0].message.content == other
    assert again.model_extra["feilun"]["reason"] == "memory"
    (token,) = again.choices[0].logprobs.content
    assert (token.token, token.logprob) == (other, 0.0)
    assert token.top_logprobs[0].token == first.choices[0].message.content  # what the model itself says


def test_a_message_that_is_handed_over_has_its_likeliest_label_all_the_same(ai, project):
    unsure = next(
        text
        for text in ("qwerty", "x", "???", "where refund thanks", "12345", "lorem ipsum dolor", "好", "hm")
        if project.predict([text])[0].decision == "hand_over"
    )
    said = complete(ai, unsure)
    assert said.model_extra["feilun"]["decision"] == "hand_over"
    assert said.choices[0].message.content == project.predict([unsure])[0].label


def test_logprobs_are_the_calibrated_probabilities_of_every_label(ai, project):
    said = complete(ai, logprobs=True, top_logprobs=20)
    (token,) = said.choices[0].logprobs.content
    _, _, probs = project.stage.model.scores(["I want a refund"])
    expected = dict(zip(project.labels(), probs[0].tolist(), strict=True))
    found = {one.token: math.exp(one.logprob) for one in token.top_logprobs}
    assert found == pytest.approx(expected, abs=1e-6)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert (token.token, bytes(token.bytes).decode()) == (said.choices[0].message.content,) * 2
    assert math.exp(token.logprob) == pytest.approx(max(expected.values()), abs=1e-6)
    assert complete(ai, logprobs=True).choices[0].logprobs.content[0].top_logprobs == []


def test_json_is_given_where_it_is_asked_for(ai):
    said = complete(ai, response_format={"type": "json_object"})
    content = json.loads(said.choices[0].message.content)
    assert list(content) == ["label", "labels", "confidence", "decision", "reason", "alternatives"]
    assert {name: content[name] for name in ("labels", "confidence", "decision", "reason")} == {
        name: said.model_extra["feilun"][name] for name in ("labels", "confidence", "decision", "reason")
    }
    assert content["alternatives"][0] == [content["label"], pytest.approx(content["confidence"])]


def test_the_clients_own_model_of_an_answer_is_filled(ai):
    class Routed(BaseModel):
        label: str
        confidence: float

    said = ai.chat.completions.parse(model="support", messages=REFUND, response_format=Routed)
    parsed = said.choices[0].message.parsed
    assert json.loads(said.choices[0].message.content) == parsed.model_dump()
    assert (parsed.label, parsed.confidence) == (
        said.model_extra["feilun"]["labels"][0],
        said.model_extra["feilun"]["confidence"],
    )


def test_a_stream_brings_the_same_answer_piece_by_piece_and_ends(ai, client):
    whole = complete(ai, logprobs=True, top_logprobs=2)
    chunks = list(complete(ai, logprobs=True, top_logprobs=2, stream=True, stream_options={"include_usage": True}))
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert content == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, "stop"]
    assert chunks[1].choices[0].logprobs.model_dump() == whole.choices[0].logprobs.model_dump()
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert {chunk.id for chunk in chunks} == {chunks[0].model_extra["feilun"]["prediction_id"]}
    raw = client.post(CHAT, json={"model": "support", "messages": REFUND, "stream": True})
    assert raw.headers["content-type"].startswith("text/event-stream")
    events = raw.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all("usage" not in json.loads(event.removeprefix("data: ")) for event in events[:-2])


# ------------------------------------------------------------------------------------------------------- embeddings


def test_embeddings_are_the_unit_vectors_of_the_serving_graph(ai, client, project):
    texts = ["I want a refund", "我要退款"]
    expected = project.stage.model.scores(texts)[0]
    made = ai.embeddings.create(model="support", input=texts)  # the client asks for base64 by itself
    assert [row.index for row in made.data] == [0, 1]
    assert np.array([row.embedding for row in made.data]) == pytest.approx(expected, abs=1e-6)
    assert np.linalg.norm(expected, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert made.usage.prompt_tokens == sum(map(project.stage.model.encoder.count_tokens, texts))
    assert made.model_extra["feilun"]["model_version"] == project.store.find_champion("support")
    one = ai.embeddings.create(
        model="support", input=texts[0], encoding_format="float", dimensions=len(expected[0])
    ).data[0]
    assert one.embedding == pytest.approx(expected[0].tolist(), abs=1e-6)
    sent = client.post(EMBED, json={"model": "support", "input": texts[1], "encoding_format": "base64"}).json()
    decoded = np.frombuffer(base64.b64decode(sent["data"][0]["embedding"]), "<f4")
    assert decoded == pytest.approx(expected[1], abs=1e-6)
    assert project.embed(texts).vectors == pytest.approx(expected, abs=1e-6)
    assert project.store.count_traffic("support")["predictions"] == 0


# --------------------------------------------------------------------------------------------------------- refusals


def chat(**more):
    return CHAT, {"model": "support", "messages": REFUND} | more


def of_user(content):
    return chat(messages=[{"role": "user", "content": content}])


def embed(**more):
    return EMBED, {"model": "support", "input": "hi"} | more


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
REFUSED = [
    (chat(model="gpt-4o"), 404, "model_not_found", "model"),
    (chat(model="../support"), 404, "model_not_found", "model"),
    (chat(n=2), 400, "v1.not_supported", "n"),
    (chat(tools=[{"type": "function", "function": {"name": "f"}}]), 400, "v1.not_supported", "tools"),
    (chat(tool_choice="required"), 400, "v1.not_supported", "tool_choice"),
    (chat(modalities=["text", "audio"]), 400, "v1.not_supported", "modalities"),
    (of_user([{"type": "text", "text": "what is this"}, IMAGE]), 400, "v1.not_supported", "messages.0.content.1"),
    (of_user("  "), 400, "request.invalid", "messages.0.content"),
    (of_user(None), 400, "request.invalid", "messages.0.content"),
    (of_user([]), 400, "request.invalid", "messages.0.content"),
    (of_user("\ud83d"), 400, "request.invalid", "messages.0.content"),
    (of_user("x" * 100_001), 400, "request.invalid", "messages.0.content"),
    (of_user(5), 400, "request.invalid", "messages.0.content"),
    (of_user([{"text": "no type"}]), 400, "request.invalid", "messages.0.content"),
    (of_user([{"type": "text", "text": 5}]), 400, "request.invalid", "messages.0.content"),
    (chat(messages=REFUND[:1]), 400, "v1.no_user_message", "messages"),
    (chat(messages=[]), 400, "request.invalid", "messages"),
    (chat(messages="hi"), 400, "request.invalid", "messages"),
    (chat(top_logprobs=21), 400, "request.invalid", "top_logprobs"),
    (chat(response_format={"type": "xml"}), 400, "request.invalid", "response_format.type"),
    (
        chat(response_format={"type": "json_schema", "json_schema": {"schema": {"required": ["label", "city"]}}}),
        400,
        "v1.schema_unmet",
        "response_format",
    ),
    ((CHAT, {"messages": REFUND}), 400, "request.invalid", "model"),
    (embed(model="m_0"), 404, "model_not_found", "model"),
    (embed(input=[1, 2, 3]), 400, "request.invalid", "input"),
    (embed(input=[[1, 2], [3]]), 400, "request.invalid", "input"),
    (embed(input=["hi", 5]), 400, "request.invalid", "input"),
    (embed(input=["hi", ""]), 400, "request.invalid", "input"),
    (embed(input=[]), 400, "request.invalid", "input"),
    (embed(input=["x"] * 257), 400, "request.too_many_inputs", "input"),
    (embed(dimensions=3), 400, "v1.dimensions", "dimensions"),
    (embed(encoding_format="hex"), 400, "request.invalid", "encoding_format"),
]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_cannot_be_done_is_refused_by_name_and_nothing_is_recorded(client, project, lang):
    for (path, body), status, code, param in REFUSED:
        refused = client.post(
            path, content=json.dumps(body), headers={"Content-Type": "application/json", "Accept-Language": lang}
        )
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["param"]) == (status, code, param), (refused.text, param)
        assert error["type"] == "invalid_request_error"
        assert ("。" in error["message"]) == (lang == "zh"), error["message"]
        assert "x" * 50 not in refused.text
    project.store.writer.flush()
    assert project.store.count_traffic("support")["predictions"] == 0


def test_the_client_raises_the_exception_that_fits(ai, client, key, project):
    with pytest.raises(openai.NotFoundError) as missing:
        ai.models.retrieve("gpt-4o")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        complete(ai, n=2)
    assert (bad.value.code, bad.value.param, bad.value.type) == ("v1.not_supported", "n", "invalid_request_error")
    with pytest.raises(openai.AuthenticationError) as stranger:
        ai.with_options(api_key="sk-wrong").models.list()
    assert stranger.value.code == "invalid_api_key"
    reader = create_key(project.store, name="reader", scopes=["read"])[1]
    with pytest.raises(openai.PermissionDeniedError) as reading:
        ai.with_options(api_key=reader).models.list()
    assert reading.value.code == "auth.scope_missing"
    with pytest.raises(openai.NotFoundError):
        ai.with_options(base_url=f"{client.base_url}/v1/chat").models.list()  # /v1/chat/models: nothing there


def test_bodies_and_methods_that_do_not_fit_have_the_same_shape(client):
    broken = client.post(CHAT, content=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "request.malformed")
    wrong = client.get(CHAT)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["error"]["code"] == "request.method_refused"
    assert client.get("/v1/chat/nothing").json()["error"]["code"] == "request.no_such_route"
    assert client.get("/v1/modelsx").json()["code"] == "request.no_such_route"


def test_a_busy_server_says_so_in_the_shape_of_the_address(client, monkeypatch):
    guards = []
    let_in = Guard._let_in

    async def remember(self, *args):
        guards.append(self)
        await let_in(self, *args)

    monkeypatch.setattr(Guard, "_let_in", remember)
    client.get("/v1/models").raise_for_status()
    guards[0]._house.n_in_flight = MAX_IN_FLIGHT
    busy = client.post(CHAT, json={"model": "support", "messages": REFUND})
    typed = client.post("/v1/projects/support/predictions", json={"inputs": [{"text": "hi"}]})
    guards[0]._house.n_in_flight = 0
    assert (busy.status_code, busy.headers["retry-after"], busy.json()["error"]["type"]) == (503, "1", "server_error")
    assert (busy.json()["error"]["code"], typed.json()["code"]) == ("serve.busy", "serve.busy")


def test_the_id_of_a_model_answers_only_while_that_model_is_live(ai, project):
    champion = project.store.find_champion("support")
    second = next(row["model_id"] for row in project.list_models() if row["model_id"] != champion)
    said = ai.chat.completions.create(model=champion, messages=REFUND)
    assert (said.model, said.model_extra["feilun"]["project"]) == (champion, "support")
    project.promote(second, actor="test", override=True, reason="test")
    with pytest.raises(openai.NotFoundError):
        ai.chat.completions.create(model=champion, messages=REFUND)
    assert ai.chat.completions.create(model=second, messages=REFUND).system_fingerprint == second
    assert complete(ai).system_fingerprint == second

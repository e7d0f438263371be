"""Limits and the ledger over HTTP: who is refused and how that is told, what is counted, who may read it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import openai
import pytest

from feilun.project import Project
from feilun.trust import create_key
from tests.serve.api.test_service import samples

AT = "/v1/projects/support"
ASK = {"inputs": [{"text": "where is my parcel"}]}


@pytest.fixture
def key(project) -> tuple[str, dict[str, str]]:
    """The id of a key with a name that a spreadsheet would run, and the headers that carry the key."""
    row, secret = create_key(project.store, name="=1+1", scopes=["predict", "feedback", "read"])
    return row["key_id"], {"Authorization": f"Bearer {secret}"}


def limit(client, key_id: str, **limits: int) -> None:
    client.put(f"/v1/limits/key/{key_id}", json=limits).raise_for_status()


def counted(project: Project) -> dict[tuple[str, str], tuple[int, int, int]]:
    """By key and kind: requests, inputs, characters."""
    project.store.writer.flush()  # behind every line so far
    lines = project.workspace.usage(by=("key", "kind"))
    return {(one.key_id, one.kind): (one.n_requests, one.n_inputs, one.n_characters) for one in lines}


def test_every_request_that_was_answered_is_counted_and_no_other(client, project, key):
    key_id, headers = key
    (answer, _) = client.post(
        f"{AT}/predictions", json={"inputs": [{"text": "我要退款"}, {"text": "thanks"}]}, headers=headers
    ).json()["predictions"]
    said = {"prediction_id": answer["prediction_id"], "label": "refund"}
    for _ in range(2):  # the second is the first, sent again
        again = headers | {"Idempotency-Key": "k"}
        client.post(f"{AT}/feedback", json=said, headers=again).raise_for_status()
    chat = {"model": "support", "messages": [{"role": "user", "content": "hello"}]}
    client.post("/v1/chat/completions", json=chat, headers=headers).raise_for_status()
    client.post("/v1/embeddings", json={"model": "support", "input": ["a", "bc"]}, headers=headers).raise_for_status()
    client.get(f"{AT}/models", headers=headers).raise_for_status()
    for path, body in (("predictions", {"inputs": []}), ("feedback", {}), ("feedback", said | {"prediction_id": "p"})):
        assert client.post(f"{AT}/{path}", json=body, headers=headers).status_code in (404, 422)
    assert client.get("/v1/projects/none", headers=headers).status_code == 404
    assert client.post(f"{AT}/turns", headers=headers).status_code == 403
    for path in ("/health", "/ready", "/metrics"):
        client.get(path, headers=headers).raise_for_status()
    client.post(f"{AT}/predictions", json=ASK).raise_for_status()
    assert counted(project) == {
        ("", "predict"): (1, 1, 18),
        (key_id, "chat"): (1, 1, 5),
        (key_id, "embed"): (1, 2, 3),
        (key_id, "feedback"): (1, 0, 0),
        (key_id, "predict"): (1, 2, 10),
        (key_id, "read"): (1, 0, 0),
    }
    lines = {one.kind: one for one in project.workspace.usage(by=("kind",))}
    encoder = project.stage.model.encoder
    assert lines["chat"].n_tokens == encoder.count_tokens("hello")
    assert lines["embed"].n_tokens == encoder.count_tokens("a") + encoder.count_tokens("bc")
    assert all(line.cpu_ms > 0 for line in lines.values())


def test_too_many_requests_a_minute_are_told_when_to_come_again(client, project, key):
    key_id, headers = key
    limit(client, key_id, per_minute=6, burst=2)
    first, second, refused = (client.get("/v1/projects", headers=headers) for _ in range(3))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["ratelimit-policy"] == '"key-rate";q=6;w=60'
    assert first.headers["ratelimit"].startswith('"key-rate";r=1;t=')
    assert refused.status_code == 429
    assert 8 <= int(refused.headers["retry-after"]) <= 10
    assert refused.headers["ratelimit"].startswith('"key-rate";r=0;t=')
    problem = refused.json()
    assert (problem["code"], problem["fields"]["per_minute"]) == ("limit.rate", 6)
    assert client.get("/v1/projects").status_code == 200  # others go on
    assert "ratelimit" not in client.get("/v1/projects").headers
    assert samples(client)[("feilun_refused_total", ("reason", "limit.rate"))] == 1
    assert key_id not in client.get("/metrics").text
    assert counted(project)[(key_id, "read")][0] == 2


def test_requests_that_are_refused_for_other_reasons_use_up_the_rate_too(client, key):
    key_id, headers = key
    limit(client, key_id, per_minute=6, burst=3)
    statuses = [client.post(f"{AT}/feedback", json={}, headers=headers).status_code for _ in range(5)]
    assert statuses == [422, 422, 422, 429, 429]


def test_a_batch_that_would_exceed_the_month_is_refused_whole_and_nothing_is_recorded(client, project, key):
    key_id, headers = key
    limit(client, key_id, monthly_requests=4, monthly_characters=100)
    ask = {"inputs": [{"text": "abcde"}] * 3}
    first = client.post(f"{AT}/predictions", json=ask, headers=headers)
    assert (
        '"key-requests";r=1;' in first.headers["ratelimit"] and '"key-characters";r=85;' in first.headers["ratelimit"]
    )
    refused = client.post(f"{AT}/predictions", json=ask, headers=headers | {"Accept-Language": "zh"})
    assert (refused.status_code, refused.json()["code"]) == (429, "limit.quota")
    assert "每月最多可使用 4 个请求" in refused.json()["message"]
    assert (refused.json()["fields"]["n_used"], refused.json()["fields"]["n_asked"]) == (4, 2)
    resets_at = datetime.fromisoformat(refused.json()["fields"]["resets_at"])
    wait_s = int(refused.headers["retry-after"])
    assert (resets_at.day, resets_at.hour) == (1, 0)
    assert abs((resets_at - datetime.now(UTC)).total_seconds() - wait_s) < 60
    long = client.post(f"{AT}/predictions", json={"inputs": [{"text": "x" * 86}]}, headers=headers)
    assert (long.status_code, long.json()["fields"]["what_en"]) == (429, "characters")
    client.post(f"{AT}/predictions", json={"inputs": [{"text": "x" * 85}]}, headers=headers).raise_for_status()
    assert client.post(f"{AT}/predictions", json=ASK, headers=headers).status_code == 429
    assert counted(project)[(key_id, "predict")] == (2, 4, 100)
    assert project.store.count_traffic("support")["predictions"] == 4


def test_openais_client_knows_a_rate_from_a_quota(client, key):
    key_id, headers = key
    secret = headers["Authorization"].removeprefix("Bearer ")

    def ask() -> openai.RateLimitError:
        with (
            openai.OpenAI(base_url=f"{client.base_url}/v1", api_key=secret, max_retries=0) as ai,
            pytest.raises(openai.RateLimitError) as refused,
        ):
            ai.embeddings.create(model="support", input=["a", "b"])
        return refused.value

    limit(client, key_id, monthly_requests=1)
    quota = ask()
    assert (quota.type, quota.code) == ("insufficient_quota", "insufficient_quota")
    limit(client, key_id, per_minute=1)
    client.get("/v1/projects", headers=headers)
    rate = ask()
    assert (rate.type, rate.code, rate.status_code) == ("rate_limit_error", "rate_limit_exceeded", 429)
    assert int(rate.response.headers["retry-after"]) > 0


def test_the_tenant_has_limits_of_its_own_for_this_machine_too(client):
    client.put("/v1/limits/tenant/house", json={"per_minute": 6, "burst": 1}).raise_for_status()
    assert client.get("/v1/projects").status_code == 200
    refused = client.get("/v1/projects")
    assert (refused.status_code, refused.json()["code"]) == (429, "limit.rate")
    assert refused.json()["message"].startswith("This tenant may send 6 requests a minute")
    assert client.get("/health").status_code == client.get("/metrics").status_code == 200


def test_limits_are_set_by_who_runs_the_house_only(client, project, key):
    key_id, _ = key
    headers = {scope: bearer(project, [scope]) for scope in ("predict", "feedback", "read", "keys")}
    headers["one project"] = bearer(project, ["admin"], only="support")
    for scope, one in headers.items():
        may_read = scope in ("read", "one project")
        assert client.get("/v1/limits", headers=one).status_code == (200 if may_read else 403)
        assert client.put(f"/v1/limits/key/{key_id}", headers=one, json={"per_minute": 5}).status_code == 403
    assert client.get(f"/v1/limits/key/{key_id}", headers=headers["one project"]).status_code == 404
    boss = bearer(project, ["admin"])
    nothing = {"per_minute": None, "burst": None, "monthly_requests": None, "monthly_characters": None}
    mine = {"subject": "key", "subject_id": key_id}
    assert client.get(f"/v1/limits/key/{key_id}", headers=boss).json() == mine | nothing
    set_ = {"per_minute": 600, "burst": 20, "monthly_requests": 10, "monthly_characters": None}
    asked = {"per_minute": 600, "monthly_requests": 10}
    assert client.put(f"/v1/limits/key/{key_id}", headers=boss, json=asked).json() == mine | set_
    assert client.get("/v1/limits", headers=boss).json() == {"limits": [mine | set_]}
    assert client.put(f"/v1/limits/key/{key_id}", headers=boss, json={}).json() == mine | nothing
    assert client.get("/v1/limits", headers=boss).json() == {"limits": []}
    for path, body, status in (
        ("key/key_404", {"per_minute": 5}, 404),
        ("tenant/acme", {"per_minute": 5}, 404),
        ("planet/earth", {"per_minute": 5}, 404),
        (f"key/{key_id}", {"per_minute": 0}, 422),
        (f"key/{key_id}", {"per_minute": "many"}, 422),
        (f"key/{key_id}", {"per_hour": 5}, 422),
    ):
        assert client.put(f"/v1/limits/{path}", headers=boss, json=body).status_code == status, (path, body)
    assert project.workspace.limits() == []


def bearer(project: Project, scopes: list[str], *, only: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(project.store, name='k', scopes=scopes, project=only)[1]}"}


def test_usage_is_read_as_lines_or_as_a_table_in_which_nothing_runs(client, project, key):
    key_id, headers = key
    client.post(f"{AT}/predictions", json=ASK, headers=headers).raise_for_status()
    project.store.writer.flush()
    month = datetime.now(UTC).strftime("%Y-%m")
    asked = {"month": month, "by": ["key", "kind"], "key_id": key_id}
    (line,) = client.get("/v1/usage", params=asked).json()["usage"]
    cpu_ms = line.pop("cpu_ms")
    assert cpu_ms > 0
    assert line == {
        **{"month": month, "day": None, "tenant": None, "project": None, "kind": "predict"},
        **{"key_id": key_id, "key_name": "=1+1", "n_requests": 1, "n_inputs": 1, "n_characters": 18},
        "n_tokens": project.stage.model.encoder.count_tokens("where is my parcel"),
    }
    table = client.get("/v1/usage", params=asked, headers={"Accept": "text/csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert row == {name: str(value) for name, value in line.items() if value is not None} | {
        "key_name": "'=1+1",
        "cpu_ms": str(cpu_ms),
    }
    for wrong in ({"month": "2026-13"}, {"month": "nov"}, {"by": "planet"}):
        assert client.get("/v1/usage", params=wrong).status_code == 422
    assert client.get("/v1/usage", params={"month": "2020-01"}).json() == {"usage": []}


def test_a_key_of_one_project_reads_the_usage_of_that_project_alone(client, project, key):
    client.post(f"{AT}/predictions", json=ASK, headers=key[1]).raise_for_status()
    project.store.writer.flush()
    project.store.add_project("other", folder=project.folder)
    mine, foreign = (bearer(project, ["read"], only=name) for name in ("support", "other"))
    by = {"by": ["project", "kind"]}
    (line,) = client.get("/v1/usage", params=by, headers=mine).json()["usage"]
    assert (line["project"], line["n_inputs"]) == ("support", 1)
    for asked in ({}, {"project": "support"}, {"project": "never"}):
        assert client.get("/v1/usage", params=by | asked, headers=foreign).json() == {"usage": []}


def test_a_tenant_s_requests_go_on_its_account_and_the_operator_s_on_that_of_whose_project_it_is(serve, shop):
    client, theirs = serve(*shop.projects.values()), shop.theirs
    ours, boss = ({"X-API-Key": shop.key(role="owner", tenant=tenant)} for tenant in (shop.ours.tenant, None))
    two_are_used = {"monthly_requests": 3}
    assert client.put(f"/v1/limits/tenant/{theirs.tenant}", json=two_are_used, headers=ours).status_code == 403
    client.put(f"/v1/limits/tenant/{theirs.tenant}", json=two_are_used, headers=boss).raise_for_status()
    chat = {"model": theirs.project, "messages": [{"role": "user", "content": "hello"}]}
    for _ in range(3):  # who knocks at another tenant's project uses up nothing of theirs
        assert client.get(f"/v1/projects/{theirs.project}", headers=ours).status_code == 404
    assert client.post("/v1/chat/completions", json=chat, headers=boss).status_code == 200
    refused = client.post("/v1/chat/completions", json=chat, headers=boss)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    assert client.get(f"/v1/projects/{theirs.project}", headers=boss).status_code == 429
    for who in (boss, ours):
        assert client.get("/v1/projects", headers=who).status_code == 200
    for project in shop.projects.values():
        project.store.writer.flush()

    def usage(who: dict[str, str], **only: str) -> dict[tuple[str, ...], int]:
        asked = {"by": ["tenant", "project", "kind"]} | only
        lines = client.get("/v1/usage", params=asked, headers=who).json()["usage"]
        return {(line["tenant"], line["project"], line["kind"]): line["n_requests"] for line in lines}

    everything = usage(boss)
    assert everything[theirs.tenant, theirs.project, "chat"] == 1
    assert everything[shop.ours.tenant, "", "read"] == 1
    assert ("house", "", "admin") in everything
    own = {parts: n for parts, n in everything.items() if parts[0] == shop.ours.tenant}
    assert usage(ours) == own and usage(ours, project=theirs.project) == {}
    assert shop.workspace.usage(tenant=shop.ours.tenant, asker={"tenant": theirs.tenant, "project": None}) == []

"""Two tenants on one server: whatever one asks, it cannot tell that the other exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from feilun.store import Store
from feilun.store import tables as t
from tests.serve.api.shop import MARK, OURS, THEIRS, Shop, Side

PROXIED = {"X-Forwarded-For": "10.0.0.1"}
MESSAGE = {"text": "i want a refund"}
# A request that says something, by operation; an operation that is not here fails the tests by name.
BODIES: dict[str, dict[str, Any] | None] = {
    "predict": {"inputs": [MESSAGE]},
    "give_feedback": {"prediction_id": "", "comment": "hm"},
    "ask_model": {"inputs": [MESSAGE]},
    "explain_answer": {"inputs": MESSAGE, "model_id": ""},
    "ask_people": {"inputs": MESSAGE},
    "take_similar": {"prediction_id": ""},
    "add_release": {"action": "promote", "model_id": "", "override": True, "reason": "a test"},
    "request_compression": {"model_id": "", "n_layers": [1], "only_show": True},
    "request_turn": {"note": "a test"},
    "test_alerts": {"to": "ops"},
    "create_chat_completion": {"model": "", "messages": [{"role": "user", "content": "hi"}]},
    "create_embeddings": {"model": "", "input": "hi"},
    "create_key": {"name": "new", "role": "viewer", "tenant": "", "project": ""},
    "rotate_key": {"grace_s": 60},
    "add_person": {"sign_in_name": "new", "role": "viewer", "tenant": ""},
    "update_person": {"name": "new"},
    "sign_in": {"sign_in_name": "desk", "password": "twelve letters"},
    "accept_invitation": {"code": "fi_none", "password": "twelve letters"},
    "change_password": {"old": "twelve letters", "new": "twelve others"},
    "create_tenant": {"tenant": "", "name": "new"},
    "update_tenant": {"name": "new"},
    "set_key_limit": {"per_minute": 6000},
    "set_tenant_limit": {"monthly_requests": 6000},
    "create_project": {"name": "", "sample": "en"},
    "add_data": {"upload_id": "", "text": "no such column"},
    "change_settings": {"changes": {"goal.at_least": 0.5}},
    **dict.fromkeys(
        (
            "list_examples",
            "get_confusion",
            "get_thresholds",
            "compare_models",
            "list_feedback",
            "list_queue",
            "list_doubts",
            "take_from_queue",
            "clear_desk",
            "skip_in_queue",
            "list_suggestions",
            "list_projects",
            "get_project",
            "list_models",
            "get_model",
            "get_report",
            "list_releases",
            "get_traffic",
            "get_monitor",
            "get_alerts",
            "list_alerts",
            "list_answers",
            "list_compressions",
            "get_compression",
            "list_turns",
            "get_turn",
            "pause_turn",
            "resume_turn",
            "cancel_turn",
            "preflight",
            "list_events",
            "list_served_models",
            "get_served_model",
            "list_keys",
            "get_key",
            "revoke_key",
            "list_people",
            "get_person",
            "reset_person",
            "get_session",
            "sign_out",
            "list_tenants",
            "get_tenant",
            "list_usage",
            "list_limits",
            "get_key_limit",
            "get_tenant_limit",
            "list_audit",
            "check_audit",
            "upload",
            "look_at_upload",
            "remove_upload",
            "check_data",
            "list_datasets",
            "compare_datasets",
            "get_settings",
            "list_jobs",
            "list_backups",
            "create_backup",
            "fetch_backup",
            "remove_backup",
            "run_doctor",
            "get_machine",
            "health",
            "ready",
            "metrics",
            "openapi",
        )
    ),
}
# Parameters that name nothing which belongs to anybody; those that do are the keys of Side.ids.
PLAIN = {
    *("after", "before", "latest", "limit", "strategy", "budget_s", "accept", "last-event-id"),
    *("action", "reason", "override", "n_layers", "widths", "only_show", "note"),
    *("text", "inputs", "label", "thumb", "comment", "actor", "head", "share", "user", "safety_identifier"),
    *("role", "scopes", "expires_in_days", "grace_s", "is_disabled"),
    *("input", "dimensions", "encoding_format", "messages", "response_format", "logprobs", "top_logprobs", "stream"),
    *("stream_options", "n", "tools", "functions", "tool_choice", "function_call", "audio", "modalities"),
    "web_search_options",
    *("filename", "sample", "language"),
    *("since", "until", "bucket", "to"),
    *("sign_in_name", "password", "code", "old", "new"),
    *("gold", "kind", "predicted", "correct", "decision", "min_confidence", "max_confidence", "min_chars", "max_chars"),
    *("script", "source", "order"),
    *("changes", "if-match", "kind"),
    *("month", "by", "per_minute", "burst", "monthly_requests", "monthly_characters"),
}
FIXED_QUERY = {"preflight": {"budget_s": "-1"}}  # a trial of seconds otherwise
# Refused for reasons of their own, once the project or the file was found.
NO_SUCCESS = {"test_alerts", "preflight", "request_compression", "upload", "add_data"}
OPERATORS = {"check_audit", "create_tenant", "update_tenant", "list_tenants", "get_tenant", "metrics"}
BROWSERS = {"sign_in", "accept_invitation", "sign_out", "change_password"}  # never with a key alone
OPERATORS |= {"set_key_limit", "set_tenant_limit", "create_project", "run_doctor"}
OPERATORS |= {"list_backups", "create_backup", "fetch_backup", "remove_backup"}


@dataclass(frozen=True)
class Operation:
    """One of the OpenAPI document, with the ids that it takes: (place, parameter)."""

    name: str
    method: str
    path: str
    places: tuple[tuple[str, str], ...]
    has_body: bool
    ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def send(self, client: httpx.Client, secret: str) -> httpx.Response:
        """The request with `ids` in their places."""
        path, body, query = self.path, BODIES[self.name], dict(FIXED_QUERY.get(self.name, {}))
        headers = PROXIED | {"X-API-Key": secret}
        body = None if body is None else {name: value for name, value in body.items() if value != ""}
        for (place, parameter), value in self.ids.items():
            if place == "path":
                path = path.replace(f"{{{parameter}}}", value)
            elif place == "query":
                query[parameter] = value
            elif place == "header":
                headers[parameter] = value
            else:
                body = (body or {}) | {parameter: value}
        return client.request(self.method, path, params=query, headers=headers, json=body)

    def with_ids(self, side: Side, **other: str) -> Operation:
        """With a side's ids in every place that must be filled, and `other` ones instead, by parameter."""
        wanted = {place for place in self.places if place[0] == "path" or place[1] in (BODIES[self.name] or {})}
        ids = {place: side.ids[place[1]][0] for place in wanted}
        ids |= {place: other[place[1]] for place in self.places if place[1] in other}
        return Operation(self.name, self.method, self.path, self.places, self.has_body, ids)


def operations(document: dict[str, Any], known: Side) -> Iterator[Operation]:
    """All of a document; a parameter that is neither an id we have nor known to be none fails."""
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            found = [(one["in"], one["name"]) for one in said.get("parameters", ())]
            shape = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            found += [("body", name) for name in _properties(shape, document)]
            unknown = {name for _, name in found} - PLAIN - set(known.ids)
            assert not unknown, f"{said['operationId']} takes {unknown}: an id of something, or of nothing?"
            # `name` is a project's in paths; in bodies it is what people call something.
            places = tuple(place for place in found if place[1] in known.ids and place != ("body", "name"))
            yield Operation(said["operationId"], method.upper(), path, places, bool(shape))


def _properties(shape: dict[str, Any], document: dict[str, Any]) -> list[str]:
    if "$ref" in shape:
        return list(document["components"]["schemas"][shape["$ref"].rpartition("/")[2]]["properties"])
    return [name for part in shape.get("anyOf", ()) for name in _properties(part, document)]


@pytest.fixture
def client(serve, shop: Shop) -> httpx.Client:
    return serve(*shop.projects.values())


@pytest.fixture
def everything(client: httpx.Client, shop: Shop) -> list[Operation]:
    document = client.get("/openapi.json").json()
    found = list(operations(document, shop.ours))
    assert {one.name for one in found} == set(BODIES)
    return found


def rows_of_theirs(store: Store) -> dict[str, list[Any]]:
    """Every row of the other tenant, by table."""
    names = {"tenant": [THEIRS], "project": [f"support-{MARK}", f"empty-{MARK}"]}
    kept = {}
    with store.engine.connect() as connection:
        for table in t.metadata.sorted_tables:
            if table in (t.audit_head, t.marks, t.knocks):
                continue  # one row for the whole workspace, or of nobody yet
            conditions = [table.c[column].in_(values) for column, values in names.items() if column in table.c]
            assert conditions, f"{table.name}: whose are its rows?"
            kept[table.name] = [tuple(row) for row in connection.execute(sa.select(table).where(sa.or_(*conditions)))]
            assert kept[table.name] or table is t.leases, table.name  # else nothing would be compared
    return kept


NEW = re.compile(r"\b[a-z]+_[0-9a-f]{24}\b|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?|fl_\w{32}|\"created\":\d+")
MADE_ANEW = ("date", "content-length", "x-request-id")


def told(response: httpx.Response, echoed: str) -> tuple[int, str, dict[str, str]]:
    """An answer without the id that it repeats and what is made anew each time."""
    headers = {name: value for name, value in response.headers.items() if name not in MADE_ANEW}
    return response.status_code, NEW.sub("…", response.text.replace(echoed, "<id>")), headers


def callers(shop: Shop) -> dict[str, str]:
    """Keys of one side with all rights that a tenant can have."""
    return {
        "tenant": shop.key(role="owner", tenant=OURS),
        "project": shop.key(role="owner", project=shop.ours.project),
    }


def test_every_request_works_with_one_s_own_ids(everything, client, shop):
    for operation in sorted(everything, key=lambda one: one.name in ("revoke_key", "add_release", "remove_upload")):
        secret = shop.key(role="owner", tenant=OURS)
        response = operation.with_ids(shop.ours).send(client, secret)
        if operation.name in OPERATORS | BROWSERS:
            assert response.status_code == 403, operation.name
        elif operation.name in NO_SUCCESS:
            assert response.status_code in (404, 409, 422), operation.name
        else:
            assert response.status_code in (200, 201, 202, 204, 503), (operation.name, response.text)
            assert response.status_code != 503 or operation.name == "ready"


@pytest.mark.parametrize("caller", ["tenant", "project"])
def test_the_ids_of_another_tenant_are_as_unknown_as_ones_that_never_existed(everything, client, shop, caller):
    secret, before, n_compared = callers(shop)[caller], rows_of_theirs(shop.store), 0
    for operation in everything:
        for place in operation.places:
            if place[1] == "desk":  # whoever names one has it; what it holds is the project's
                continue
            for theirs in shop.theirs.ids[place[1]]:
                never = re.sub(r"[0-9a-f]{6,}", lambda m: "0" * len(m[0]), theirs).replace(MARK, "y" * len(MARK))
                never = "never" if never == theirs else never
                wanted = {place[1]: theirs}, {place[1]: never}
                answers = [operation.with_ids(shop.ours, **ids).send(client, secret) for ids in wanted]
                found, missed = told(answers[0], theirs), told(answers[1], never)
                assert found == missed, (operation.name, place)
                assert not any(one in found[1] for one in foreign_words(shop)), (operation.name, place)
                n_compared += 1
    assert n_compared >= 70
    assert rows_of_theirs(shop.store) == before


def foreign_words(shop: Shop) -> set[str]:
    """Everything that would give the other tenant away."""
    return {MARK, THEIRS} | {value for values in shop.theirs.ids.values() for value in values}


@pytest.mark.parametrize("caller", ["tenant", "project"])
def test_nothing_that_one_may_read_tells_of_another_tenant(everything, client, shop, caller):
    secret, words, n_read = callers(shop)[caller], foreign_words(shop), 0
    for operation in everything:
        if operation.method != "GET":
            continue
        response = operation.with_ids(shop.ours).send(client, secret)
        assert not [word for word in words if word in response.text], operation.name
        n_read += response.status_code == 200
    assert n_read >= 20
    listed = client.get("/v1/projects", headers=PROXIED | {"X-API-Key": secret}).json()["projects"]
    assert {one["name"] for one in listed} == ({"support", "empty"} if caller == "tenant" else {"support"})
    metrics = client.get("/metrics", headers=PROXIED | {"X-API-Key": secret})
    assert (metrics.status_code, metrics.json()["code"]) == (403, "auth.scope_missing")


def test_the_operator_sees_all(client, shop):
    headers = PROXIED | {"X-API-Key": shop.key(role="owner")}
    names = {one["name"] for one in client.get("/v1/projects", headers=headers).json()["projects"]}
    assert names == set(shop.projects)
    tenants = client.get("/v1/tenants", headers=headers).json()["tenants"]
    assert {one["tenant"]: one["projects"] for one in tenants} == {
        "house": [],
        OURS: ["empty", "support"],
        THEIRS: [f"empty-{MARK}", f"support-{MARK}"],
    }
    assert f'project="support-{MARK}"' in client.get("/metrics", headers=headers).text
    assert client.get(f"/v1/projects/support-{MARK}", headers=headers).status_code == 200


def test_the_same_idempotency_key_of_two_tenants_is_two_keys(client, shop):
    said = {"inputs": MESSAGE, "label": "refund"}
    replies = []
    for side in (shop.ours, shop.theirs):
        headers = PROXIED | {"X-API-Key": shop.key(role="labeller", tenant=side.tenant), "Idempotency-Key": "same"}
        replies.append(client.post(f"/v1/projects/{side.project}/feedback", json=said, headers=headers).json())
    assert [reply["replayed"] for reply in replies] == [False, False]
    assert replies[0]["feedback_id"] != replies[1]["feedback_id"]


def test_a_parameter_that_the_matrix_does_not_know_is_named(client, shop):
    document = client.get("/openapi.json").json()
    document["paths"]["/v1/keys"]["get"]["parameters"] = [{"in": "query", "name": "invoice_id"}]
    with pytest.raises(AssertionError, match=r"list_keys takes \{'invoice_id'\}"):
        list(operations(json.loads(json.dumps(document)), shop.ours))

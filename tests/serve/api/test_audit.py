"""The audit log over HTTP: who may read it, which part of it, and whether it is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import tomlkit

from feilun.project import Project
from feilun.trust import create_key

PROXIED = {"X-Forwarded-For": "203.0.113.9"}


def bearer(secret: str) -> dict[str, str]:
    return PROXIED | {"Authorization": f"Bearer {secret}"}


def test_what_is_done_over_http_is_entered_with_the_name_of_the_key(serve, project: Project):
    client = serve(project)
    boss = bearer(create_key(project.store, name="Li Hua", scopes=["admin"])[1])
    before = client.get("/v1/audit?limit=1000", headers=boss).json()["audit"]
    client.post("/v1/projects/support/turns", json={"note": "please"}, headers=boss)
    model_id = project.list_models()[0]["model_id"]
    asked = {"action": "promote", "model_id": model_id, "override": True, "reason": "the old one is down"}
    assert client.post("/v1/projects/support/releases", json=asked, headers=boss).status_code == 201
    client.post("/v1/projects/support/feedback", json={"inputs": {"text": "hi"}, "label": "refund"}, headers=boss)
    news = client.get(f"/v1/audit?after={before[-1]['seq']}", headers=boss).json()
    kinds = {row["action"]: row for row in news["audit"]}
    assert {"turn.asked", "release.promote", "feedback.given"} <= set(kinds)
    assert {kinds[kind]["actor"] for kind in ("turn.asked", "release.promote", "feedback.given")} == {"Li Hua"}
    assert "the old one is down" in kinds["release.promote"]["details"]["reason"]
    assert news["next_after"] is None
    assert client.get("/v1/audit/verify", headers=boss).json()["is_whole"]


def test_pages_follow_each_other(client, project: Project):
    seen, after = [], 0
    while after is not None:
        page = client.get(f"/v1/audit?after={after}&limit=3").json()
        seen += [row["seq"] for row in page["audit"]]
        after = page["next_after"]
    assert seen == list(range(1, project.store.get_audit_head().seq + 1))
    backwards, before = [], ""
    while before is not None:
        page = client.get(f"/v1/audit?latest=true&limit=3{before}").json()
        assert page["next_after"] is None
        backwards += [row["seq"] for row in page["audit"]]
        before = page["next_before"] and f"&before={page['next_before']}"
    assert backwards == seen[::-1]


def test_the_key_of_one_project_reads_its_entries_alone_and_verifies_nothing(serve, project: Project):
    client = serve(project)
    mine = bearer(create_key(project.store, name="mine", scopes=["admin"], project="support")[1])
    project.store.add_project("other", folder=Path("/nowhere"))
    create_key(project.store, name="other", scopes=["admin"], project="other")
    shown = client.get("/v1/audit?limit=1000", headers=mine).json()["audit"]
    assert {row["project"] for row in shown} == {"support"}
    assert client.get("/v1/audit?project=other", headers=mine).status_code == 404
    assert client.get("/v1/audit/verify", headers=mine).status_code == 403
    reader = bearer(create_key(project.store, name="reader", scopes=["read"])[1])
    assert client.get("/v1/audit", headers=reader).status_code == 403


def test_a_head_that_was_kept_is_compared_and_what_is_none_is_refused(client):
    whole = client.get("/v1/audit/verify").json()
    assert client.get(f"/v1/audit/verify?head={whole['head']}").json() == whole
    other = client.get(f"/v1/audit/verify?head=99999:{'0' * 64}").json()
    assert (other["is_whole"], other["faults"]) == (False, [{"code": "head_unknown", "seq": 99999}])
    refused = client.get("/v1/audit/verify?head=x")
    assert (refused.status_code, refused.json()["code"]) == (422, "audit.head_malformed")


def test_of_several_workspaces_the_one_of_the_key_is_meant(serve, project: Project, tmp_path: Path):
    (tmp_path / "more").mkdir()
    shutil.copytree(project.folder, tmp_path / "more" / "billing")
    settings = tmp_path / "more" / "billing" / "feilun.toml"
    settings.write_text(settings.read_text("utf-8").replace('name = "support"', 'name = "billing"'), "utf-8")
    with Project(settings.parent) as billing:
        client = serve(project, billing)
        assert client.get("/v1/audit").json()["code"] == "serve.workspace_ambiguous"
        key = bearer(create_key(billing.store, name="ops", scopes=["admin"])[1])
        assert client.get("/v1/audit?project=billing", headers=key).status_code == 200
        assert client.get("/v1/audit/verify", headers=key).json()["is_whole"]


def test_a_tenant_reads_its_own_entries_alone(serve, project: Project):
    client = serve(project)
    project.workspace.create_tenant("acme")
    theirs = bearer(create_key(project.store, name="theirs", scopes=["admin"], tenant="acme")[1])
    ours = bearer(create_key(project.store, name="ours", scopes=["admin"], tenant="house")[1])
    shown = {
        who: client.get("/v1/audit?limit=1000", headers=headers).json()["audit"]
        for who, headers in (("acme", theirs), ("house", ours))
    }
    assert {row["tenant"] for row in shown["acme"]} == {"acme"} and {row["tenant"] for row in shown["house"]} == {
        "house"
    }
    assert client.get("/v1/audit?project=support", headers=theirs).status_code == 404
    assert client.get("/v1/audit/verify", headers=ours).status_code == 403


def test_an_override_names_who_decided_it_or_is_refused(serve, project: Project):
    settings = project.folder / "feilun.toml"
    document = tomlkit.parse(settings.read_text("utf-8"))
    document["goal"]["max_size_mb"] = 0.001
    settings.write_text(tomlkit.dumps(document), "utf-8")
    model_id = project.list_models()[0]["model_id"]
    asked = {"action": "promote", "model_id": model_id, "override": True, "reason": "the old one is down"}
    with Project(project.folder) as strict:
        client = serve(strict)
        for nobody in ({}, {"actor": "  "}):
            refused = client.post("/v1/projects/support/releases", json=asked | nobody)
            assert (refused.status_code, refused.json()["code"]) == (409, "release.goal_not_met")
        before = strict.list_releases()
        assert client.post("/v1/projects/support/releases", json=asked | {"actor": "Li Hua"}).status_code == 201
        key = bearer(create_key(strict.store, name="ops", scopes=["admin"])[1])
        again = asked | {"actor": "somebody else"}
        assert client.post("/v1/projects/support/releases", json=again, headers=key).status_code == 201
        assert len(strict.list_releases()) == len(before) + 2
        entries = [row for row in strict.audit(limit=20) if row["action"] == "release.promote"][-2:]
        assert [(row["actor"], row["details"]["reason_code"]) for row in entries] == [
            ("Li Hua", "override"),
            ("ops", "override"),
        ]

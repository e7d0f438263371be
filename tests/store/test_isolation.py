"""Rows of one project are nobody else's: every verb of the store says whose rows it is about, and keeps to them."""

from __future__ import annotations

import inspect
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from feilun.errors import FeilunError
from feilun.records import Bill, Challenge, Limit, Usage
from feilun.store import HOUSE, KeyUnknown, NotFound, ProjectUnknown, Reach, Store, TenantUnknown, utc_now
from feilun.store import tables as t

WHOSE = {"project", "tenant", "within"}
UNBOUND = {
    "add_predictions": "each row names its project; whoever makes them is a project's façade",
    "add_shadow_answers": "as add_predictions",
    "add_usage": "a line names its tenant and project; whoever writes it knows who asked",
    "lease_permits": "numbers of permits for a server that keeps a limit; nobody's rows show",
    "find_key": "asked with the hash of a secret: who has the secret is whose key it is",
    "note_key_used": "after find_key, about the key that it gave",
    "find_person": "asked with a name to sign in with; the password says whether it is theirs",
    "find_invited": "as find_key, with the hash of a code",
    "accept_invitation": "as find_invited",
    "find_session": "as find_key, with the hash of a session's token",
    "note_session_used": "after find_session, about the session that it gave",
    "end_session": "as find_session",
    "end_all_sessions": "of a workspace that was restored, before anybody is served from it",
    "take_knocks": "numbers of tries to sign in; who tries is nobody's yet",
    "look_at_knocks": "as take_knocks",
    "put_back_knocks": "as take_knocks",
    "dataset_path": "a name of a file, from a row that its project's verb gave",
    "model_path": "as dataset_path",
    "network_path": "as dataset_path",
    "judged_path": "as dataset_path",
    "turn_path": "as dataset_path",
    "lock_path": "a name of a file; shows nothing",
    "close": "no rows",
    "check_alone": "what this process holds; no rows",
    "database_bytes": "a size; whose rows they are does not show",
    "is_behind": "compares two addresses",
    "add_audit": "an entry names its project, and its tenant is looked up",
    "change_audit_key": "the key of the whole workspace's log",
    "get_audit_head": "a place and a hash; whose the last entry is does not show",
    "one_moment": "a connection, for copies of the whole database and for the chain; as the engine itself",
    "audit_chain": "the whole log, for whoever may verify or export it: the operator",
}
VERBS = {
    name: inspect.signature(verb)
    for name, verb in inspect.getmembers(Store, inspect.isfunction)
    if not name.startswith("_")
}


def test_every_verb_says_whose_rows_it_is_about():
    bound = {name for name, signature in VERBS.items() if WHOSE & set(signature.parameters)}
    assert set(VERBS) - bound == set(UNBOUND)


# ------------------------------------------------------------------------------- another project's ids are unknown

OWN, OTHER = Reach("ours", "our-project"), Reach("theirs", "their-project")
# What the verbs want besides whose rows and which ids; a parameter that is not here fails the test by name.
PLAIN: dict[str, Any] = {
    "settings": {},
    "seed": 0,
    "budget_s": 1.0,
    "requested_by": "ann",
    "status": "done",
    "is_paused": True,
    "report": {},
    "size_mb": 1.0,
    "action": "promote",
    "actor": "ann",
    "reason_code": "better",
    "en": "e",
    "zh": "中",
    "asked": {},
    "kind": "k",
    "data": {},
    "trigger": "hand",
    "body_hash": "h",
    "counts": {},
    "name": "n",
    "secret_hash": "s" * 64,
    "scopes": ["read"],
    "expires_at": None,
    "previous_until": utc_now(),
    "sign_in_name": "desk1",
    "role": "viewer",
    "code_hash": "c" * 64,
    "code_until": utc_now(),
    "token_hash": "t" * 64,
    "password_hash": "p",
    "folder": Path("/nowhere"),
    "challenge": Challenge(
        release_id="rel_theirs",
        action="canary",
        model_id="m_THEIRS",
        champion_id="m_THEIRS",
        share=0.5,
        actor="ann",
        created_at=utc_now(),
    ),
    "desk": "own",
    "besides": "own",
    "example_ids": ["e_own", "e_THEIRS"],
    "since": datetime(2026, 1, 1, tzinfo=UTC),
    "until": datetime(2100, 1, 1, tzinfo=UTC),
    "subject": "key",
    "limit": 10,
    "trouble": None,
    "next_at": None,
    "inputs": {"text": "hello"},
    "example_id": "e_own",
    "row": {
        "prediction_id": "p_asked",
        "model_id": "m_asked",
        "inputs": {"text": "hello"},
        "example_id": "e_asked",
        "labels": ["x"],
        "confidence": 0.5,
        "decision": "hand_over",
        "reason": "asked",
        "alternatives": [],
        "teach": 1.0,
        "queue_state": "open",
        "latency_ms": 0.0,
        "created_at": utc_now(),
    },
}
IDS = {
    "release_id",
    "prediction_id",
    "feedback_id",
    "turn_id",
    "model_id",
    "dataset_id",
    "compression_id",
    "key_id",
    "person_id",
    "idempotency_key",
    "subject_id",
    "delivery_id",
}
OPTIONAL = ("after", "before", "up_to", "note", "result", "error", "labels", "thumb", "edited_text", "comment")
OPTIONAL += ("is_disabled", "share", "kinds", "usage", "by", "not_by")


def people_a_project(store: Store, whose: Reach, *, mark: str) -> dict[str, str]:
    """A tenant, its project and a row of every kind; the ids by the parameter that takes them."""
    tenant, project = str(whose.tenant), str(whose.project)
    store.add_tenant(tenant, name=mark, actor=mark)
    store.add_project(project, folder=Path("/nowhere"), tenant=tenant)
    row: dict[str, Any] = {
        "prediction_id": f"p_{mark}",
        "project": project,
        "model_id": f"m_{mark}",
        "inputs": {"text": mark},
        "example_id": f"e_{mark}",
        "labels": ["x"],
        "confidence": 0.5,
        "decision": "hand_over",
        "reason": "unsure",
        "alternatives": [],
        "teach": 0.5,
        "queue_state": "open",
        "latency_ms": 1.0,
        "created_at": utc_now(),
    }
    store.add_predictions([row]).result()
    store.claim(project, [row["example_id"]], desk=mark)
    said, _ = store.add_feedback(
        project, prediction_id=None, actor="ann", body_hash=mark, comment=mark, idempotency_key=mark
    )
    turn = store.add_turn(project, settings={}, seed=0, budget_s=1.0, requested_by=mark)
    ids = {"model_id": f"m_{mark}", "turn_id": str(turn["turn_id"]), "dataset_id": f"ds_{mark}"}
    store.add_model(project, **ids, report={}, size_mb=1.0)
    release = {"actor": mark, "reason_code": "better", "en": "e", "zh": "z"}
    store.add_release(project, action="promote", model_id=ids["model_id"], turn_id=ids["turn_id"], **release)
    begun = store.add_release(project, action="shadow", model_id=ids["model_id"], share=1.0, **release)
    answer = {
        name: row[name] for name in ("prediction_id", "project", "labels", "confidence", "decision", "created_at")
    }
    answer |= {"release_id": begun["release_id"], "model_id": ids["model_id"], "agrees": False}
    store.add_shadow_answers([answer], teach=0.9).result()
    compression = store.add_compression(project, model_id=ids["model_id"], asked={}, requested_by=mark)
    assert compression is not None
    owner = {"tenant": tenant, "project": project, "actor": mark}
    key = store.add_key(name=mark, secret_hash=mark, scopes=["read"], expires_at=None, **owner)
    store.set_limit(Reach(), Limit(subject="key", subject_id=key["key_id"], per_minute=7), actor=mark)
    said_of = {"role": "viewer", "code_hash": f"c_{mark}", "code_until": utc_now(), "actor": mark}
    person = store.add_person(sign_in_name=f"{mark}@{tenant}", name=mark, tenant=tenant, **said_of)
    store.add_session(Reach(tenant), person["person_id"], token_hash=f"t_{mark}")
    bill = Bill(utc_now(), tenant, project, key["key_id"], "read", f"srv_{mark}")
    store.add_usage(Usage(bill, 1)).result()
    told = {"type": "alert.fired", "timestamp": mark, "data": {"en": mark, "zh": mark}}
    to = {"payload": told, "to": [(mark, "json")]}
    store.change_alert(project, "drift", known=None, becomes=("firing", mark), **to)
    store.add_outcomes(project, {utc_now(): (1, 1)})
    store.add_event(project, kind="k", data={"mark": mark}, turn_id=ids["turn_id"])
    return ids | {
        "prediction_id": row["prediction_id"],
        "feedback_id": said["feedback_id"],
        "release_id": begun["release_id"],
        "compression_id": compression["compression_id"],
        "key_id": key["key_id"],
        "person_id": person["person_id"],
        "subject_id": key["key_id"],
        "delivery_id": store.list_alert_deliveries(project)[0]["delivery_id"],
        "idempotency_key": said["idempotency_key"],
    }


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("two-tenants")
    with Store(folder / ".feilun") as store:
        people_a_project(store, OWN, mark="own")
        theirs = people_a_project(store, OTHER, mark="THEIRS")
    return folder, theirs


def rows_of_others(store: Store) -> list[Any]:
    """Every row of the other tenant, in every table."""
    found = []
    with store.engine.connect() as connection:
        for table in t.metadata.sorted_tables:
            if table in (t.audit_head, t.marks, t.knocks):
                continue  # one row for the whole workspace, or of nobody yet
            owner = "project" if "project" in table.c else "tenant"
            named = {"project": OTHER.project, "tenant": OTHER.tenant}[owner]
            rows = connection.execute(sa.select(table).where(table.c[owner] == named)).all()
            assert rows or table.name in ("turn_requests", "leases"), table.name  # else nothing would be compared
            found += [(table.name, *row) for row in rows]
    return found


def arguments(name: str, ids: dict[str, str]) -> dict[str, Any]:
    """A call of a verb for our own project with these ids."""
    given: dict[str, Any] = {}
    parameters = VERBS[name].parameters
    for parameter in list(parameters)[1:]:
        if parameters[parameter].kind is inspect.Parameter.VAR_KEYWORD:
            given["seed"] = 7  # columns to set
        elif parameter == "within":
            given[parameter] = Reach(OWN.tenant) if "project" in parameters else OWN
        elif parameter in ("project", "tenant"):
            given[parameter] = getattr(OWN, parameter)
        elif parameter in IDS:
            given[parameter] = ids[parameter]
        elif parameter not in OPTIONAL:
            given[parameter] = PLAIN[parameter]
    return given


def outcome(store: Store, name: str, ids: dict[str, str]) -> str:
    """What a call comes to, without the ids that were given, and without ids and times that are made anew each time."""
    try:
        said: Any = getattr(store, name)(**arguments(name, ids))
    except FeilunError as error:
        said = error.to_dict()
    store.writer.flush()  # what is not waited for is written by now
    text = re.sub("|".join(map(re.escape, ids.values())), "<id>", repr(said))
    return re.sub(r"\b[a-z]+_[0-9a-f]{24}\b|datetime\(.*?utc\)|\d{4}-\d\d-\d\dT[^']*", "…", text)


@pytest.mark.parametrize("name", [name for name in VERBS if name not in UNBOUND and IDS & set(VERBS[name].parameters)])
def test_the_ids_of_another_project_are_as_unknown_as_ones_that_never_existed(name, peopled, tmp_path):
    folder, theirs = peopled
    never = {parameter: f"never_{n}" for n, parameter in enumerate(theirs)}
    assert set(theirs) == IDS
    outcomes = []
    for ids in (theirs, never):
        copy = tmp_path / str(len(outcomes))
        shutil.copytree(folder, copy)
        with Store(copy / ".feilun") as store:
            before = rows_of_others(store)
            outcomes.append(outcome(store, name, ids))
            assert rows_of_others(store) == before
    assert "THEIRS" not in outcomes[0]
    assert outcomes[0] == outcomes[1]


ALWAYS = {name: PLAIN[name] for name in ("since", "until")}


def test_tenants_projects_and_limits_out_of_reach_are_unknown(peopled):
    folder, theirs = peopled
    with Store(folder / ".feilun") as store:
        for reach in (OWN, Reach(OWN.tenant)):
            for tenant in ("theirs", "never"):
                with pytest.raises(TenantUnknown):
                    store.get_tenant(reach, tenant)
            for project in ("their-project", "never"):
                with pytest.raises(ProjectUnknown):
                    store.get_project(reach, project)
            assert [row["tenant"] for row in store.list_tenants(reach)] == ["ours"]
            assert [row["project"] for row in store.list_projects(reach)] == ["our-project"]
            assert [row["name"] for row in store.list_keys(reach)] == ["own"]
            assert [row["name"] for row in store.list_people(reach)] == ([] if reach.project else ["own"])
            assert [row.subject_id for row in store.list_limits(reach)] == [store.list_keys(reach)[0]["key_id"]]
            assert [row["project"] for row in store.sum_usage(reach, **ALWAYS)] == ["our-project"]
            for limit in (
                Limit(subject="key", subject_id=theirs["key_id"]),
                Limit(subject="tenant", subject_id="theirs"),
            ):
                with pytest.raises((KeyUnknown, TenantUnknown)):
                    store.set_limit(reach, limit.model_copy(update={"per_minute": 5}), actor="ann")
        assert [row["tenant"] for row in store.list_tenants(Reach())] == [HOUSE, "ours", "theirs"]
        assert store.tenant_of("their-project") == "theirs"


def test_a_project_of_a_tenant_that_nobody_made_is_refused(tmp_path):
    with Store(tmp_path / ".feilun") as store:
        with pytest.raises(TenantUnknown, match="feilun tenant create acmee"):
            store.add_project("support", folder=tmp_path, tenant="acmee")
        assert store.list_projects(Reach()) == []
        with pytest.raises(NotFound, match="turn"):
            store.get_turn("support", "turn_1")

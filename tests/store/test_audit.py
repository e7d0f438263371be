"""Every change of state leaves an entry in the transaction that makes it, and the chain goes on where it ended."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.store.test_store import BY_HAND, give, prediction, release

from feilun.records import Limit
from feilun.store import EVERYWHERE, IdempotencyConflict, Reach, Store, StoreFull, utc_now
from feilun.store import tables as t
from feilun.store.chain import Change
from feilun.store.errors import AuditKeyMissing
from feilun.trust import verify_audit

KEY = {
    "name": "website",
    "scopes": ["predict"],
    "tenant": None,
    "project": "support",
    "expires_at": None,
    "actor": "ann",
}
SAID = {"actor": "bo", "reason_code": "by_hand", "en": "e", "zh": "z"}
PERSON = {"name": "Desk", "role": "labeller", "tenant": None, "code_hash": "c", "actor": "ann"}
ROTATED = {"secret_hash": "1" * 64, "expires_at": None, "actor": "bo"}
TURN = {"settings": {}, "seed": 1, "budget_s": 9, "requested_by": "ann"}
MODEL = {"model_id": "m_1", "turn_id": "turn_1", "dataset_id": "ds_1", "report": {}, "size_mb": 1.0}


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / ".feilun") as opened:
        yield opened


def test_a_key_s_and_a_project_s_changes_are_their_tenant_s_and_the_operator_s_are_nobody_s(store: Store):
    store.add_tenant("acme", name="Acme", actor="ann")
    store.add_project("shop", folder=Path("/x/shop"), tenant="acme")
    store.add_turn("shop", **TURN)
    store.add_key(secret_hash="0" * 64, **KEY | {"project": None})
    assert [(row["action"], row["tenant"]) for row in store.list_audit(EVERYWHERE, after=1)] == [
        ("tenant.created", "acme"),
        ("project.added", "acme"),
        ("turn.started", "acme"),
        ("key.created", ""),
    ]
    assert len(store.list_audit(Reach("acme"))) == 3 and store.list_audit(Reach("house")) == []


def told(store: Store) -> list[tuple[Any, ...]]:
    rows = store.list_audit(EVERYWHERE, after=0, limit=1000)
    return [(row["action"], row["actor"], row["project"]) for row in rows if row["action"] != "audit.key_made"]


# One call of each writing verb, what has to be there before it, and the entry that it leaves.
VERBS: dict[str, tuple[Callable[[Store], Any], Callable[[Store, Any], Any], tuple[str, str, str]]] = {
    "add_project": (
        lambda s: None,
        lambda s, _: s.add_project("support", folder=Path("/x/support")),
        ("project.added", "feilun", "support"),
    ),
    "add_turn_request": (
        lambda s: None,
        lambda s, _: s.add_turn_request("support", trigger="hand", actor="ann"),
        ("turn.asked", "ann", "support"),
    ),
    "add_turn": (
        lambda s: None,
        lambda s, _: s.add_turn("support", **TURN),
        ("turn.started", "ann", "support"),
    ),
    "finish_turn": (
        lambda s: s.add_turn("support", **TURN)["turn_id"],
        lambda s, turn_id: s.finish_turn("support", turn_id, status="cancelled", actor="bo"),
        ("turn.cancelled", "bo", "support"),
    ),
    "halt_turn": (
        lambda s: s.add_turn("support", **TURN)["turn_id"],
        lambda s, turn_id: s.halt_turn("support", turn_id, is_paused=True, actor="bo"),
        ("turn.paused", "bo", "support"),
    ),
    "add_model": (
        lambda s: None,
        lambda s, _: s.add_model("support", **MODEL),
        ("model.sealed", "feilun", "support"),
    ),
    "add_release": (
        lambda s: None,
        lambda s, _: release(s, "m_1", turn_id="turn_1"),
        ("release.promote", "ann", "support"),
    ),
    "end_challenge": (
        lambda s: (release(s, "m_1"), release(s, "m_2", action="canary", share=0.5), s.find_challenge("support"))[2],
        lambda s, challenge: s.end_challenge("support", challenge, action="rollback", model_id="m_1", **SAID),
        ("release.rollback", "bo", "support"),
    ),
    "add_compression": (
        lambda s: None,
        lambda s, _: s.add_compression("support", model_id="m_1", asked={}, requested_by="ann"),
        ("compression.asked", "ann", "support"),
    ),
    "finish_compression": (
        lambda s: s.add_compression("support", model_id="m_1", asked={}, requested_by="ann")["compression_id"],
        lambda s, compression_id: s.finish_compression("support", compression_id, error={"code": "x"}),
        ("compression.failed", "feilun", "support"),
    ),
    "add_feedback": (
        lambda s: s.add_predictions([prediction(1)]),
        lambda s, _: give(s, "p1", labels=["delivery"], comment="secret words", idempotency_key="k"),
        ("feedback.given", "ann", "support"),
    ),
    "ask_people": (
        lambda s: None,
        lambda s, _: s.ask_people("support", prediction(1) | {"reason": "asked", "queue_state": "open"}, actor="ann"),
        ("queue.asked", "ann", "support"),
    ),
    "skip_in_queue": (
        lambda s: s.add_predictions([prediction(1)]),
        lambda s, _: s.skip_in_queue("support", "p1", actor="ann"),
        ("queue.skipped", "ann", "support"),
    ),
    "add_key": (
        lambda s: "0" * 64,
        lambda s, secret: s.list_keys(EVERYWHERE) or s.add_key(secret_hash=secret, **KEY),
        ("key.created", "ann", "support"),
    ),
    "rotate_key": (
        lambda s: (s.add_key(secret_hash="0" * 64, **KEY)["key_id"], utc_now()),
        lambda s, given: s.find_key("1" * 64) or s.rotate_key(EVERYWHERE, given[0], **ROTATED, previous_until=given[1]),
        ("key.rotated", "bo", "support"),
    ),
    "add_tenant": (
        lambda s: None,
        lambda s, _: s.list_tenants(Reach("acme")) or s.add_tenant("acme", name="Acme", actor="ann"),
        ("tenant.created", "ann", ""),
    ),
    "update_tenant": (
        lambda s: s.add_tenant("acme", name="Acme", actor="ann"),
        lambda s, _: s.update_tenant("acme", name="Acme", is_disabled=True, actor="bo"),
        ("tenant.changed", "bo", ""),
    ),
    "set_limit": (
        lambda s: s.add_key(secret_hash="0" * 64, **KEY)["key_id"],
        lambda s, key_id: s.set_limit(EVERYWHERE, Limit(subject="key", subject_id=key_id, per_minute=60), actor="bo"),
        ("limit.set", "bo", "support"),
    ),
    "revoke_key": (
        lambda s: s.add_key(secret_hash="0" * 64, **KEY)["key_id"],
        lambda s, key_id: s.revoke_key(EVERYWHERE, key_id, actor="bo"),
        ("key.revoked", "bo", "support"),
    ),
}


def person(store: Store) -> str:
    """Somebody with a code, and their id."""
    return str(store.add_person(sign_in_name="desk1", code_until=utc_now() + timedelta(days=1), **PERSON)["person_id"])


def session(store: Store) -> str:
    store.add_session(EVERYWHERE, person(store), token_hash="t")
    return "t"


LATER = utc_now() + timedelta(days=2)
VERBS |= {
    "add_person": (
        lambda s: None,
        lambda s, _: s.list_people(EVERYWHERE) or person(s),
        ("person.added", "ann", ""),
    ),
    "_change": (
        person,
        lambda s, person_id: s.update_person(EVERYWHERE, person_id, role="owner", is_disabled=True, actor="bo"),
        ("person.changed", "bo", ""),
    ),
    "accept_invitation": (
        person,
        lambda s, _: s.find_invited("c") and s.accept_invitation("c", password_hash="p"),
        ("person.accepted", "desk1", ""),
    ),
    "add_session": (
        person,
        lambda s, person_id: s.find_session("t") or s.add_session(EVERYWHERE, person_id, token_hash="t"),
        ("session.begun", "desk1", ""),
    ),
    "end_session": (
        session,
        lambda s, token_hash: s.end_session(token_hash),
        ("session.ended", "desk1", ""),
    ),
    "end_all_sessions": (
        session,
        lambda s, _: s.end_all_sessions(actor="bo"),
        ("session.all_ended", "bo", ""),
    ),
}

ALERT = {"type": "alert.fired", "timestamp": "t", "data": {"en": "e", "zh": "z"}}
VERBS |= {
    "change_alert": (
        lambda s: None,
        lambda s, _: s.change_alert(
            "support", "drift", known=None, becomes=("firing", ""), payload=ALERT, to=[("ops", "json")]
        ),
        ("alert.fired", "feilun", "support"),
    ),
    "add_alert_tests": (
        lambda s: None,
        lambda s, _: (
            s.list_alert_deliveries("support")
            or s.add_alert_tests("support", payload=ALERT, to=[("ops", "json")], actor="ann")
        ),
        ("alert.tested", "ann", "support"),
    ),
}
# Verbs that write and leave no entry, or whose entry is what they are given.
SILENT = {
    "_write_alone": "its callers say",
    "add_predictions": "traffic",
    "add_usage": "traffic",
    "add_outcomes": "traffic",
    "_record": "what those two have in common",
    "lease_permits": "traffic",
    "add_event": "progress",
    "take_alert": "how far an alert got; that its rule fired is an entry",
    "settle_alert": "as take_alert",
    "forget_alerts": "what a rule that was switched off said",
    "claim": "who has a message in hand; what comes of it is feedback",
    "release_claims": "as claim",
    "note_key_used": "traffic",
    "note_session_used": "traffic",
    "take_knocks": "traffic; signing in is an entry",
    "put_back_knocks": "as take_knocks",
    "add_shadow_answers": "traffic",
    "update_turn": "progress; what it seals and how it ends are entries",
    "start_compression": "progress; that it was asked for and how it ended are entries",
    "add_compression_crash": "progress",
    "add_audit": "the entry itself",
    "change_audit_key": "enters itself",
}


WRITES = r"writer\.(write|submit|gather)\b|_write_alone\b|self\._record\(|hasty_engine\.connect\("


def test_every_writing_verb_of_the_store_is_looked_at_here():
    members = inspect.getmembers(Store, inspect.isfunction)
    writing = {name for name, verb in members if re.search(WRITES, inspect.getsource(verb))}
    assert writing == {*VERBS, *SILENT}


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_leaves_one_entry_and_none_when_it_changes_nothing(name: str, store: Store):
    prepare, verb, entry = VERBS[name]
    given = prepare(store)
    before = told(store)
    verb(store, given)
    assert told(store) == [*before, entry]
    verb(store, given)
    assert told(store) == [*before, entry]
    assert verify_audit(store).is_whole


def test_a_reset_and_another_password_are_entries_too_and_sign_out(store: Store):
    store.add_session(EVERYWHERE, person_id := person(store), token_hash="t1")
    store.reset_person(EVERYWHERE, person_id, code_hash="d", code_until=LATER, actor="bo")
    assert store.find_session("t1") is None and store.find_invited("c") is None
    store.add_session(EVERYWHERE, person_id, token_hash="t2")
    store.set_password(EVERYWHERE, person_id, password_hash="p", actor="desk1")
    assert store.find_session("t2") is None and store.find_invited("d") is None
    assert [row[:2] for row in told(store)[-3:]] == [
        ("person.reset", "bo"),
        ("session.begun", "desk1"),
        ("person.password_changed", "desk1"),
    ]


def test_entries_tell_ids_and_counts_and_no_words_of_people(store: Store):
    store.add_predictions([prediction(1)])
    give(store, "p1", labels=["delivery"], comment="secret words")
    store.add_key(secret_hash="5ec3e7" * 10, **KEY)
    entries = str(store.list_audit(EVERYWHERE))
    assert not any(secret in entries for secret in ("secret words", "delivery", "message 1", "你好", "5ec3e7"))
    assert store.list_audit(EVERYWHERE)[1]["details"] == {"n_labels": 1, "prediction_id": "p1", "thumb": None}


def test_a_change_that_is_refused_or_fails_leaves_no_entry(store: Store):
    store.add_predictions([prediction(1)])
    give(store, "p1", labels=["delivery"], idempotency_key="k")
    before = told(store)
    with pytest.raises(IdempotencyConflict):
        give(store, "p1", comment="hm", idempotency_key="k")
    with pytest.raises(sa.exc.IntegrityError):
        store.writer.write(
            lambda c: c.execute(t.feedback.insert().values(feedback_id=None)), audit=lambda _: Change("x", "y", "z")
        )
    assert told(store) == before


def test_a_change_and_its_entry_are_written_together_or_not_at_all(store: Store):
    """The entry finds no room: what it tells of is not written either, and the next one needs no repair."""
    store.add_project("support", folder=Path("/x"))
    before = store.list_audit(EVERYWHERE)

    def refuse(_connection, _cursor, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO audit "):
            raise sa.exc.OperationalError(statement, {}, Exception("database or disk is full"))

    sa.event.listen(store.engine, "before_cursor_execute", refuse)
    with pytest.raises(StoreFull):
        release(store, "m_1")
    sa.event.remove(store.engine, "before_cursor_execute", refuse)
    assert (store.list_releases("support"), store.list_audit(EVERYWHERE)) == ([], before)
    release(store, "m_1")
    assert verify_audit(store).is_whole and len(store.list_audit(EVERYWHERE)) == len(before) + 1


def test_two_processes_write_one_chain(store: Store, tmp_path: Path):
    with Store(tmp_path / ".feilun") as other:
        for n in range(6):
            [store, other][n % 2].add_audit(Change("backup.made", f"{n}.zip", "ann"))
        subjects = [row["subject"] for row in other.list_audit(EVERYWHERE) if row["action"] == "backup.made"]
        assert subjects == [f"{n}.zip" for n in range(6)]
        assert verify_audit(store).is_whole and verify_audit(other).is_whole


def test_the_log_only_grows(store: Store):
    store.add_project("support", folder=Path("/x"))
    for statement in (t.audit.update().values(actor="eve"), t.audit.delete()):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"):
            store.writer.write(lambda c, statement=statement: c.execute(statement), audit=BY_HAND)


def test_pages_follow_each_other_and_can_be_of_one_project(store: Store):
    for n in range(4):
        store.add_audit(Change("backup.made", f"{n}.zip", "ann", project="support" if n % 2 else ""))
    assert [row["seq"] for row in store.list_audit(EVERYWHERE, after=0, limit=2)] == [1, 2]
    assert [row["seq"] for row in store.list_audit(EVERYWHERE, after=2, limit=2)] == [3, 4]
    assert [row["seq"] for row in store.list_audit(EVERYWHERE, limit=2)] == [4, 5]
    assert [row["seq"] for row in store.list_latest_audit(EVERYWHERE, limit=2)] == [5, 4]
    assert [row["seq"] for row in store.list_latest_audit(EVERYWHERE, before=4, limit=2)] == [3, 2]
    assert [row["subject"] for row in store.list_audit(Reach(project="support"))] == ["1.zip", "3.zip"]


# the key


def test_the_key_is_made_once_for_its_owner_alone_and_the_log_tells_its_fingerprint(store: Store, tmp_path: Path):
    path = tmp_path / ".feilun" / "audit.key"
    assert not path.exists()
    store.add_project("support", folder=Path("/x"))
    key = path.read_text()
    assert (len(bytes.fromhex(key)), path.stat().st_mode & 0o777) == (32, 0o600)
    assert [path.name for path in path.parent.glob(".*audit*")] == []
    store.add_project("support", folder=Path("/y"))
    assert path.read_text() == key and key not in str(store.list_audit(EVERYWHERE))
    assert store.list_audit(EVERYWHERE)[0]["action"] == "audit.key_made"


def test_without_its_key_nothing_is_entered_but_traffic_goes_on(tmp_path: Path):
    path = tmp_path / ".feilun" / "audit.key"
    with Store(tmp_path / ".feilun") as store:
        store.add_project("support", folder=Path("/x"))
    kept = path.read_text()
    path.unlink()
    with Store(tmp_path / ".feilun") as store:
        with pytest.raises(AuditKeyMissing):
            release(store, "m_1")
        store.add_predictions([prediction(1)]).result()
        assert store.list_releases("support") == [] and len(store.list_queue("support")) == 1
        assert [fault.code for fault in verify_audit(store).faults] == ["no_key"]
        path.write_text(kept)
        release(store, "m_1")
        assert verify_audit(store).is_whole


def test_a_lost_key_is_replaced_and_a_server_that_runs_takes_the_new_one_up(store: Store, tmp_path: Path):
    store.add_project("support", folder=Path("/x"))
    with Store(tmp_path / ".feilun") as other:
        other.change_audit_key(why="lost", actor="ann")
    release(store, "m_1")
    assert [row["action"] for row in store.list_audit(EVERYWHERE)][-2:] == ["audit.key_made", "release.promote"]
    assert verify_audit(store).is_whole


def test_a_new_key_that_was_never_committed_is_not_taken(store: Store, tmp_path: Path):
    """The process died, or the disk was full, between the new key's file and the entry that introduces it."""
    store.add_project("support", folder=Path("/x"))
    (tmp_path / ".feilun" / "audit.key.next").write_text("ab" * 32)
    with Store(tmp_path / ".feilun") as other:
        release(other, "m_1")
        assert verify_audit(other).is_whole


def test_a_new_key_that_was_committed_is_taken_although_its_file_had_no_time_to_move(store: Store, tmp_path: Path):
    store.add_project("support", folder=Path("/x"))
    path = tmp_path / ".feilun" / "audit.key"
    old = path.read_text()
    store.change_audit_key(why="changed", actor="ann")
    path.rename(path.with_name("audit.key.next"))
    path.write_text(old)
    with Store(tmp_path / ".feilun") as other:
        assert verify_audit(other).is_whole
        release(other, "m_1")
        assert verify_audit(other).is_whole
    assert path.read_text() != old

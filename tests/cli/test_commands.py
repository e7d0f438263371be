"""Commands on a real store: what they print, what they change, and what they leave alone."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3

from feilun.cli.shared import user_name
from feilun.project import Project
from feilun.records import Bill, Usage
from feilun.store.chain import Change, entry_hash
from tests.cli.conftest import Run


def test_the_queue_lists_what_teaches_most_first_and_skipping_takes_it_out(folder: Path, answered: list[str], run: Run):
    assert [row["prediction_id"] for row in run("feedback", "queue", folder, "--json").json] == ["p_2", "p_1"]
    assert run("feedback", "skip", "p_2", folder, "--json").json == {"skipped": "p_2"}
    assert [row["prediction_id"] for row in run("feedback", "queue", folder, "--json").json] == ["p_1"]


def test_skipping_an_unknown_answer_is_wrong_use(folder: Path, run: Run):
    said = run("feedback", "skip", "p_404", folder)
    assert (said.exit_code, said.err) == (2, "Error: There is no prediction 'p_404' in this project.\n")


def test_feedback_is_added_and_listed_with_its_author(folder: Path, answered: list[str], run: Run):
    added = run(
        "feedback", "add", "p_1", folder, "--thumb", "down", "--comment", "two questions", "--actor", "Ops", "--json"
    ).json
    listed = run("feedback", "list", folder, "--json").json
    assert [row["feedback_id"] for row in listed] == [added["feedback_id"]]
    assert (listed[0]["thumb"], listed[0]["comment"], listed[0]["actor"]) == ("down", "two questions", "Ops")
    assert "two questions" in run("feedback", "list", folder).out
    later = run("feedback", "add", answered[1], folder, "--thumb", "up", "--json").json
    latest = run("feedback", "list", folder, "--latest", "--json").json
    assert [row["feedback_id"] for row in latest] == [later["feedback_id"], added["feedback_id"]]


def test_a_key_is_shown_once_and_its_hash_never(folder: Path, run: Run):
    made = run("key", "create", folder, "--name", "website", "--scope", "predict", "--json").json
    listed = run("key", "list", folder, "--json")
    assert made["key"].startswith("fl_")
    assert made["key"] not in listed.out
    assert [row["name"] for row in listed.json] == ["website"]
    assert all("secret_hash" not in row for row in [made, *listed.json])


def test_off_a_terminal_nothing_is_revoked_without_yes(folder: Path, run: Run):
    key_id = run("key", "create", folder, "--json").json["key_id"]
    said = run("key", "revoke", key_id, folder)
    assert (said.exit_code, said.out) == (2, "")
    assert "--yes" in said.err
    assert run("key", "list", folder, "--json").json[0]["revoked_at"] is None
    assert run("key", "revoke", key_id, folder, "--yes").exit_code == 0
    assert run("key", "list", folder, "--json").json[0]["revoked_at"] is not None


def test_the_audit_log_names_the_person_is_verified_and_leaves_with_1_when_it_was_edited(folder: Path, run: Run):
    made = run("key", "create", folder, "--name", "=website()", "--json").json
    listed = run("audit", "list", folder, "--json").json
    assert [row["action"] for row in listed] == ["audit.key_made", "project.added", "key.created"]
    assert (listed[-1]["actor"], listed[-1]["subject"]) == (user_name(), made["key_id"])
    assert "key.created" in run("audit", "list", folder, "--only", "support").out
    head = run("audit", "head", folder).out.strip()
    assert run("audit", "verify", folder, "--head", head).exit_code == 0
    assert (
        run("audit", "verify", folder, "--head", f"9:{'0' * 64}", "--json").json["faults"][0]["code"] == "head_unknown"
    )
    with closing(pysqlite3.connect(str(folder / ".feilun" / "feilun.db"))) as db:
        db.execute("DROP TRIGGER audit_no_delete")
        db.execute("DELETE FROM audit WHERE seq = 2")
        db.commit()
    said = run("audit", "verify", folder)
    assert said.exit_code == 1
    assert "entries are missing behind entry 1" in said.out


def test_the_audit_log_is_exported_whole_and_without_formulas(folder: Path, tmp_path: Path, run: Run):
    run("release", "list", folder)
    with Project(folder) as project:
        project.store.add_audit(Change("backup.made", "=cmd|x.zip", "ann", "support", details={"n_members": 3}))
        n_entries = len(project.audit())
    assert run("audit", "export", tmp_path / "a.jsonl", folder, "--json").json["n_entries"] == n_entries
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert all(entry_hash(row) == row["hash"] for row in rows)
    run("audit", "export", tmp_path / "a.csv", folder, "--only", "support")
    table = list(csv.DictReader((tmp_path / "a.csv").read_text("utf-8-sig").splitlines()))
    assert [row["subject"] for row in table] == ["support", "'=cmd|x.zip"]


def test_a_new_audit_key_needs_yes_and_is_told_of_in_the_log(folder: Path, run: Run):
    assert run("audit", "rekey", folder).exit_code == 2
    (folder / ".feilun" / "audit.key").unlink()
    folder = folder.rename(folder.with_name("moved"))
    assert run("audit", "verify", folder).exit_code == 1
    assert run("audit", "rekey", folder, "--yes").exit_code == 0
    assert run("audit", "verify", folder).exit_code == 0
    assert run("key", "create", folder).exit_code == 0
    listed = run("audit", "list", folder, "--json").json
    assert [row["action"] for row in listed][-3:] == ["audit.key_made", "project.moved", "key.created"]


def test_a_turn_is_asked_for_once(folder: Path, run: Run):
    assert run("job", "request", folder, "--json").json == {"requested": True}
    assert run("job", "request", folder, "--json").json == {"requested": False}


def test_an_unfinished_turn_is_listed_shown_paused_resumed_and_cancelled(folder: Path, run: Run):
    with Project(folder) as project:
        turn_id = project.store.add_turn("support", settings={}, seed=0, budget_s=1, requested_by="cli")["turn_id"]
        project.store.add_event("support", kind="step.start", data={"step": "data"}, turn_id=turn_id)
    assert [row["turn_id"] for row in run("job", "list", folder, "--json").json] == [turn_id]
    assert run("job", "show", folder, "--json").json["status"] == "running"
    assert run("job", "events", folder).out.split() == ["1", "data", "…"]
    for verb, told in (("pause", "paused"), ("resume", "resumed")):
        assert run("job", verb, folder, "--json").json == {told: turn_id}
        assert run("job", verb, folder, "--json").exit_code == 1  # it is done already
    assert run("job", "cancel", folder).exit_code == 2  # not without --yes
    assert run("job", "cancel", folder, "--yes", "--json").json == {"cancelled": turn_id}
    assert run("job", "cancel", folder, "--yes", "--json").exit_code == 1
    assert run("job", "show", folder, "--json").json["status"] == "cancelled"


def test_a_project_without_a_model_says_how_to_get_one(folder: Path, run: Run):
    for arguments in (("report",), ("model", "show"), ("model", "verify"), ("release", "promote")):
        said = run(*arguments, folder)
        assert said.exit_code == 2
        assert f"feilun turn {folder}" in said.err


def test_rolling_back_to_nothing_is_refused_and_not_logged(folder: Path, run: Run):
    said = run("release", "rollback", folder, "--yes", "--json")
    assert (said.exit_code, said.json["error"]["code"]) == (2, "release.nothing_to_roll_back")
    assert run("release", "list", folder, "--json").json == []


def test_a_dry_run_that_cannot_work_says_what_a_turn_would_say_and_starts_none(folder: Path, run: Run):
    said = run("turn", folder, "--dry-run")
    assert said.exit_code == 2
    assert "feilun model pull" in said.err
    with Project(folder) as project:
        assert project.list_turns() == []


def test_what_a_turn_would_take_reads_well_in_both_languages(capsys, monkeypatch):
    from feilun.cli.turn import show_preflight
    from feilun.records import Need, Preflight, RungForecast

    need = Need(what="memory", needs=900.0, has=1000.0, unit="MB", verdict="TIGHT")
    skipped = RungForecast(method="full", note_en="Would not be tried.", note_zh="不会尝试。")
    ahead = Preflight(n_rows=20, n_classes=2, budget_s=60, rungs=(RungForecast(method="tune", needs=(need,)), skipped))
    for lang, verdict, note in (("en", "TIGHT", "full: Would not be tried."), ("zh", "紧张", "full：不会尝试。")):
        monkeypatch.setenv("FEILUN_LANG", lang)
        show_preflight(ahead)
        shown = capsys.readouterr().out
        assert verdict in shown
        assert note in shown
        assert "900.0" in shown


def test_without_a_model_nothing_is_suggested_and_the_way_to_one_is_named(folder: Path, run: Run):
    said = run("label", "next", folder, "--out", folder / "batch.csv")
    assert (said.exit_code, said.out) == (1, "")
    assert said.err == "Error: Project support has no live model yet. Make one with: feilun turn\n"
    assert not (folder / "batch.csv").exists()


def test_a_file_without_labels_is_told_how_to_start(tmp_path: Path, run: Run):
    bare = tmp_path / "messages.csv"
    bare.write_text("text\nwhere is it\nmoney back\n", "utf-8")
    for start in (f"feilun label start --data {bare}", "--label COLUMN"):
        assert start in run("init", tmp_path / "p", "--data", bare, "--yes", "--no-pull").err
    empty = tmp_path / "empty.csv"
    empty.write_text("text,label\nwhere is it,\nmoney back, \n", "utf-8")
    assert "feilun label start --data FILE" in run("init", tmp_path / "p", "--data", empty, "--yes", "--no-pull").err
    assert not (tmp_path / "p").exists()


def test_groups_are_applied_from_the_command_line(tmp_path: Path, run: Run):
    (tmp_path / "groups.csv").write_text("group,label\n1,退款\n2,delivery\n", "utf-8")
    (tmp_path / "groups.messages.csv").write_text("text,group,typical\na,1,0.9\nb,1,0.5\nc,2,0.8\n", "utf-8")
    done = run(
        "label", "apply", tmp_path / "groups.csv", "--out", tmp_path / "labelled.csv", "--core", "1", "--json"
    ).json
    assert (done["n_rows"], done["n_labelled"], done["class_counts"]) == (3, 3, {"退款": 2, "delivery": 1})
    assert "退款" in (tmp_path / "labelled.csv").read_text("utf-8-sig")


def test_limits_are_set_as_a_whole_and_shown(folder: Path, run: Run):
    key_id = run("key", "create", folder, "--json").json["key_id"]
    made = run("limit", "set", folder, "--key", key_id, "--per-minute", 600, "--monthly-requests", 1000, "--json").json
    assert made == {
        **{"subject": "key", "subject_id": key_id, "per_minute": 600, "burst": 20},
        **{"monthly_requests": 1000, "monthly_characters": None},
    }
    assert run("limit", "set", folder, "--tenant", "house", "--monthly-characters", 5).exit_code == 0
    last = run("audit", "list", folder, "--json").json[-1]
    assert (last["action"], last["actor"], last["details"]["monthly_characters"]) == ("limit.set", user_name(), 5)
    shown = run("limit", "show", folder)
    assert key_id in shown.out and "house" in shown.out
    assert run("limit", "set", folder, "--key", key_id).exit_code == 0
    assert [row["subject"] for row in run("limit", "show", folder, "--json").json] == ["tenant"]
    for wrong in ((), ("--key", key_id, "--tenant", "house"), ("--key", "key_404"), ("--key", key_id, "--burst", 3)):
        said = run("limit", "set", folder, *wrong)
        assert (said.exit_code, said.out) == (2, ""), wrong


def test_usage_is_shown_and_written_to_a_file_in_which_nothing_runs(folder: Path, run: Run):
    key_id = run("key", "create", folder, "--name", "=cmd()", "--json").json["key_id"]
    bill = Bill(datetime(2026, 11, 27, tzinfo=UTC), "house", "support", key_id, "predict", "srv_1")
    with Project(folder) as project:
        project.store.add_usage(Usage(bill, 1, 3, 42, 9, 1.5)).result()
    (line,) = run("usage", folder, "--month", "2026-11", "--json").json
    assert (line["key_name"], line["n_inputs"], line["n_characters"], line["day"]) == ("=cmd()", 3, 42, None)
    assert "2026-11-27" in run("usage", folder, "--month", "2026-11", "--by", "day").out
    assert run("usage", folder, "--month", "2026-10", "--json").json == []
    out = folder / "november.csv"
    done = run("usage", folder, "--month", "2026-11", "--by", "key", "--out", out, "--json").json
    assert done == {"out": str(out), "n_lines": 1}
    assert out.read_text("utf-8-sig") == (
        "month,key_id,key_name,n_requests,n_inputs,n_characters,n_tokens,cpu_ms\n"
        f"2026-11,{key_id},'=cmd(),1,3,42,9,1.5\n"
    )
    for wrong in (("--month", "2026-13"), ("--by", "planet"), ("--out", folder / "x.docx")):
        said = run("usage", folder, *wrong)
        assert (said.exit_code, said.out) == (2, ""), wrong

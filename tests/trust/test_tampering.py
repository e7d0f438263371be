"""Whoever edits the database behind our back is found: a thousand tamperings, each on a real file."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pysqlite3
import pytest

from feilun.store import EVERYWHERE, Store
from feilun.store.chain import HASHED, Change, entry_hash
from feilun.store.copies import opened_audit
from feilun.store.signing import KeyFile
from feilun.trust import HeadMalformed, check_chain, describe, verify_audit

N_ENTRIES = 40
COLUMNS = (*HASHED, "hash")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of a few dozen entries of all kinds; not to be changed."""
    made = tmp_path_factory.mktemp("audited") / ".feilun"
    with Store(made) as store:
        store.add_project("support", folder=Path("/x"))
        for n in range(N_ENTRIES - 2):
            details = {"n_labels": n % 3, "reason": "因为更好", "scopes": ["read"]}
            store.add_audit(Change(f"kind.{n % 5}", f"id_{n}", ["ann", "bo"][n % 2], "support", details=details))
        assert verify_audit(store).is_whole
    return made


def rows_of(db: Any) -> list[Row]:
    found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY seq").fetchall()
    return [dict(zip(COLUMNS, row, strict=True)) for row in found]


def put(db: Any, rows: list[Row]) -> None:
    db.execute("DELETE FROM audit")
    marks = ", ".join("?" * len(COLUMNS))
    db.executemany(f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({marks})", [tuple(row.values()) for row in rows])


def relinked(rows: list[Row], *, start: int) -> list[Row]:
    """What a forger makes who knows how the chain is built: every hash right, every place taken."""
    linked = [dict(row) for row in rows[:start]]
    for row in rows[start:]:
        prev = linked[-1]["hash"] if linked else "0" * 64
        link = row | {"seq": len(linked) + 1, "prev_hash": prev}
        linked.append(link | {"hash": entry_hash(link)})
    return linked


def point_head_at(db: Any, row: Row) -> None:
    db.execute("UPDATE audit_head SET seq = ?, hash = ?", (row["seq"], row["hash"]))


def other(value: Any, rng: random.Random) -> Any:
    if isinstance(value, int):
        return value + rng.randint(1, 9) * 1000
    place = rng.randrange(len(value) + 1)
    return rng.choice(
        [value[:place] + "x" + value[place:], value[:place], value + " ", value.swapcase() + "0", "", b"x"]
    )


def edit(db: Any, rng: random.Random) -> None:
    row, column = rng.choice(rows_of(db)), rng.choice(COLUMNS)
    changed = row[column]
    while changed == row[column]:
        changed = other(row[column], rng)
    db.execute(f"UPDATE audit SET {column} = ? WHERE seq = ?", (changed, row["seq"]))


def respell(db: Any, rng: random.Random) -> None:
    """The same value in another spelling."""
    row = rng.choice(rows_of(db))
    spelt = rng.choice([row["details"].replace(":", ": "), row["details"][:-1] + " }", row["details"] + "\n"])
    db.execute("UPDATE audit SET details = ? WHERE seq = ?", (spelt, row["seq"]))


def delete(db: Any, rng: random.Random) -> None:
    rows = rows_of(db)
    for row in rng.sample(rows, rng.choice([1, 1, 2, 5])):
        db.execute("DELETE FROM audit WHERE seq = ?", (row["seq"],))


def delete_and_relink(db: Any, rng: random.Random) -> None:
    rows, place = rows_of(db), rng.randrange(N_ENTRIES)
    rows = relinked(rows[:place] + rows[place + 1 :], start=place)
    put(db, rows)
    point_head_at(db, rows[-1])


def edit_and_relink(db: Any, rng: random.Random) -> None:
    rows, place = rows_of(db), rng.randrange(N_ENTRIES)
    rows[place]["actor"] = "eve"
    rows = relinked(rows, start=place)
    put(db, rows)
    point_head_at(db, rows[-1])


def swap(db: Any, rng: random.Random) -> None:
    rows = rows_of(db)
    one, two = rng.sample(range(N_ENTRIES), 2)
    rows[one], rows[two] = rows[two], rows[one]
    kept = [row["seq"] for row in rows] if rng.random() < 0.5 else range(1, N_ENTRIES + 1)
    put(db, [row | {"seq": seq} for row, seq in zip(rows, sorted(kept), strict=True)])


def insert(db: Any, rng: random.Random) -> None:
    rows, place = rows_of(db), rng.randrange(1, N_ENTRIES + 1)
    new = rows[place - 1] | {"seq": 0, "actor": "eve", "subject": "id_new"}
    put(db, relinked([*rows[:place], new, *rows[place:]], start=place))


def cut(db: Any, rng: random.Random) -> None:
    """Take the tail away; half of the time the head is put where the log ends now."""
    place = rng.randrange(1, N_ENTRIES)
    rows = rows_of(db)[:place]
    put(db, rows)
    if rng.random() < 0.5:
        point_head_at(db, rows[-1])


def empty(db: Any, rng: random.Random) -> None:
    put(db, [])
    if rng.random() < 0.5:
        db.execute("UPDATE audit_head SET seq = 0, hash = ?, signature = ''", ("0" * 64,))
    elif rng.random() < 0.5:
        db.execute("DELETE FROM audit_head")


def forge_head(db: Any, rng: random.Random) -> None:
    column = rng.choice(["seq", "hash", "signature"])
    (value,) = db.execute(f"SELECT {column} FROM audit_head").fetchone()
    changed = value
    while changed == value:
        changed = other(value, rng)
    db.execute(f"UPDATE audit_head SET {column} = ?", (changed,))


TAMPERINGS: tuple[Callable[[Any, random.Random], None], ...] = (
    edit,
    respell,
    delete,
    delete_and_relink,
    edit_and_relink,
    swap,
    insert,
    cut,
    empty,
    forge_head,
)


def tamper(workspace: Path, copy: Path, *, seed: int) -> Callable[..., None]:
    """A copy of the workspace whose database was edited by somebody who may write to it, but has no key."""
    copy.mkdir(exist_ok=True)
    for name in ("feilun.db", "audit.key"):
        shutil.copy(workspace / name, copy / name)
    kind = TAMPERINGS[seed % len(TAMPERINGS)]
    with closing(pysqlite3.connect(str(copy / "feilun.db"))) as db:
        db.execute("PRAGMA synchronous = OFF")  # a thousand times, and nobody pulls the plug
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        kind(db, random.Random(seed))
        db.commit()
    return kind


@pytest.mark.journey
def test_a_thousand_tamperings_are_all_found(workspace: Path, tmp_path: Path):
    missed = []
    for seed in range(1000):
        kind = tamper(workspace, tmp_path / "copy", seed=seed)
        with opened_audit(tmp_path / "copy" / "feilun.db") as (entries, end, signature):
            keys = KeyFile(tmp_path / "copy").candidates()
            verdict = check_chain(entries, end=end, signature=signature, keys=keys)
        if verdict.is_whole or not all(describe(fault, "en") and describe(fault, "zh") for fault in verdict.faults):
            missed.append((kind.__name__, seed))
    assert missed == []


@pytest.mark.parametrize("seed", range(40))
def test_what_was_tampered_with_stays_found_when_the_log_goes_on(seed: int, workspace: Path, tmp_path: Path):
    tamper(workspace, tmp_path / ".feilun", seed=seed)
    with Store(tmp_path / ".feilun") as store:
        assert not verify_audit(store).is_whole
        for _ in range(3):
            store.add_audit(Change("backup.made", "b.zip", "ann"))
        assert [row["subject"] for row in store.list_audit(EVERYWHERE, limit=3)] == ["b.zip"] * 3
        assert not verify_audit(store).is_whole
        store.change_audit_key(why="changed", actor="eve")
        assert not verify_audit(store).is_whole


def test_an_older_database_under_the_workspace_is_found_and_stays_found(workspace: Path, tmp_path: Path):
    """All of it is right, its signature too: only the file beside it knows that there was more."""
    shutil.copytree(workspace, tmp_path / ".feilun")
    with Store(tmp_path / ".feilun") as store:
        store.add_audit(Change("release.promote", "rel_1", "ann"))
    shutil.copy(workspace / "feilun.db", tmp_path / ".feilun" / "feilun.db")
    with Store(tmp_path / ".feilun") as store:
        assert [fault.code for fault in verify_audit(store).faults] == ["head_unknown"]
        for _ in range(2):
            store.add_audit(Change("release.promote", "rel_2", "eve"))
        assert [fault.code for fault in verify_audit(store).faults] == ["marked"]


def test_a_whole_older_workspace_is_found_by_a_head_that_was_kept_and_only_by_it(workspace: Path, tmp_path: Path):
    shutil.copytree(workspace, tmp_path / ".feilun")
    with Store(tmp_path / ".feilun") as store:
        store.add_audit(Change("release.promote", "rel_1", "ann"))
        head = str(store.get_audit_head())
        assert verify_audit(store, head=head).is_whole
        store.add_audit(Change("release.rollback", "rel_2", "ann"))
        assert verify_audit(store, head=head).is_whole
    shutil.copytree(workspace, tmp_path / ".feilun", dirs_exist_ok=True)
    with Store(tmp_path / ".feilun") as store:
        assert verify_audit(store).is_whole
        assert [fault.code for fault in verify_audit(store, head=head).faults] == ["head_unknown"]
        store.add_audit(Change("release.promote", "rel_3", "eve"))
        assert [fault.code for fault in verify_audit(store, head=head).faults] == ["head_other"]


@pytest.mark.parametrize("head", ["", "7", "7:abc", "x:" + "0" * 64, "1:" + "G" * 64, "-1:" + "0" * 64])
def test_what_is_no_head_is_refused(head: str, workspace: Path, tmp_path: Path):
    shutil.copytree(workspace, tmp_path / ".feilun")
    with Store(tmp_path / ".feilun") as store, pytest.raises(HeadMalformed):
        verify_audit(store, head=head)

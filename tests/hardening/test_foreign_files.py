"""Files of strangers, at every door that takes one: a typed error or honest rows, soon, in bounded memory."""

from __future__ import annotations

import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from feilun.data import open_table, parser, read_labelled
from feilun.data.errors import FileMissing, TooMuch
from feilun.errors import FeilunError
from feilun.models import pull
from feilun.models.bundle import ArchiveRefused, import_bundle
from feilun.operate import restore
from feilun.operate.errors import BackupRefused
from feilun.project import Project
from feilun.wheel.cold_start import apply
from tests.hardening.hostile import (
    MAIN,
    SPREADSHEETS,
    TARS,
    TEXTS,
    ZIPS,
    Make,
    cells,
    parquet_with_a_pickled_type,
    pickles,
    sheet,
    workbook,
)

HANGS_S, MORE_MB = 20, 512  # seconds of processor, ours and the parser's: a loaded machine decides no test
TABLES: dict[str, Make] = {**SPREADSHEETS, **{f"zip-{name}.xlsx": make for name, make in ZIPS.items()}, **TEXTS}
# Strange, but honest text: rows or an error are both an answer.
READABLE = {name for name in TEXTS if name.endswith((".csv", ".jsonl"))} | {
    "parameter-entity.xlsx",
    "a-billion-strings.xlsx",
}
ARCHIVES: dict[str, Make] = {
    **{f"{name}.zip": make for name, make in ZIPS.items()},
    **{f"{name}.tar.gz": make for name, make in TARS.items()},
}


@pytest.fixture(autouse=True)
def in_bounds() -> Iterator[None]:
    """What a door may cost, whatever comes through it."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, worked_s()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MORE_MB * 1024
    assert worked_s() - started < HANGS_S, "hung"


def worked_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def at_the_door(door: Callable[[Path], Any], path: Path) -> FeilunError | None:
    """How a door refused a file, if it did; anything but a typed error is the test's failure."""
    try:
        door(path)
    except FeilunError as error:
        assert error.message("en") and error.message("zh")
        return error
    return None


def every_row(path: Path) -> list[tuple[str, ...]]:
    return [row.cells for row in open_table(path).rows()]


def put(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def test_there_are_more_than_sixty_hostile_files():
    assert len({*TABLES, *ARCHIVES}) > 60


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_gives_rows_or_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, TABLES[name]())
    refused = at_the_door(every_row, path)
    assert name in READABLE or (refused is not None and name in refused.message("en"))
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_no_model_and_no_backup_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, ARCHIVES[name]())
    assert isinstance(at_the_door(lambda file: import_bundle(file, tmp_path / "models"), path), FeilunError)
    assert isinstance(at_the_door(lambda file: restore(file, tmp_path / "restored", actor="test"), path), BackupRefused)
    assert [file.name for file in (tmp_path / "models").iterdir()] in ([], [".publish.lock"])
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, "models"])


def test_the_table_of_contents_of_a_zip_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, "huge.zip", ZIPS["huge-table"]())
    refused = at_the_door(lambda file: import_bundle(file, tmp_path / "models"), path)
    assert isinstance(refused, ArchiveRefused) and refused.fields["what"] == "count"


def test_corrections_and_groups_go_through_the_same_door(tmp_path: Path) -> None:
    doors: list[Callable[[Path], Any]] = [
        lambda path: read_labelled(path, text="text", label="label"),
        lambda path: apply(path, out=tmp_path / "labelled.csv"),
    ]
    for name in ("twenty-millionth-row.xlsx", "entity-from-a-file.xlsx", "zip-bomb.xlsx", "program.csv"):
        path = put(tmp_path, name, TABLES[name]())
        assert all(at_the_door(door, path) is not None for door in doors)
    assert not (tmp_path / "labelled.csv").exists()


def test_an_entity_never_brings_a_file_into_a_cell(tmp_path: Path) -> None:
    path = put(tmp_path, "parameter.xlsx", SPREADSHEETS["parameter-entity.xlsx"]())
    assert every_row(path) == [("x", "")]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a device"])
def test_what_is_no_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data.csv"
    {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link to a device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()
    with pytest.raises(FileMissing):
        open_table(path)


# ------------------------------------------------------------------------------------------------- the parser's cage


@pytest.fixture
def caged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Change one place of the program that parses: a lower ceiling, or a line that does what no parser should."""
    program = Path(parser.__file__).read_text("utf-8")

    def change(place: str, changed: str) -> None:
        assert program.count(place) == 1
        (tmp_path / "parser.py").write_text(program.replace(place, changed), "utf-8")
        monkeypatch.setattr(parser, "__file__", str(tmp_path / "parser.py"))

    return change


def test_a_parser_that_needs_more_memory_than_it_is_given_is_ended_with_a_typed_error(tmp_path, caged) -> None:
    caged("MEMORY_BYTES = 1 << 30", "MEMORY_BYTES = 100 << 20")
    string = "<si><t>" + "x" * 1_000_000 + "\U0001f600</t></si>"  # one such character makes the others fourfold
    noise = random.Random(0).randbytes(1_000_000).hex()  # or the whole would look like the bomb that it is
    strings = f'<sst xmlns="{MAIN}"><si><t>{noise}</t></si>{string * 30}</sst>'.encode()
    path = put(tmp_path, "memory.xlsx", workbook(sheet(b""), parts={"xl/sharedStrings.xml": strings}))
    refused = at_the_door(every_row, path)
    assert isinstance(refused, TooMuch) and refused.fields["what"] == "memory"


def test_a_parser_that_never_ends_is_ended_by_its_processor_time(tmp_path, caged) -> None:
    caged("PROCESSOR_S = 300", "PROCESSOR_S = 1")
    path = put(tmp_path, "slow.xlsx", workbook(sheet(b'<row><c r="ALL1"/></row>' * 100_000)))
    refused = at_the_door(every_row, path)
    assert isinstance(refused, TooMuch) and refused.fields["what"] == "time"


def test_the_parser_cannot_write_run_or_call(tmp_path, caged) -> None:
    wishes = {
        "writes": "__import__('os').write(__import__('os').open('{}', 65), b'x')",
        "runs": "__import__('os').system('echo x > {}')",
        "calls": "__import__('socket').create_connection(('127.0.0.1', 9))",
    }
    path = put(tmp_path, "sound.xlsx", workbook(sheet(cells(b"x"))))
    for name, wish in wishes.items():
        caged("    max_cells = max(", f"    {wish.format(tmp_path / name)}\n    max_cells = max(")
        assert at_the_door(every_row, path) is not None, name
        assert not (tmp_path / name).exists() or (tmp_path / name).stat().st_size == 0


# ------------------------------------------------------------------------------------------------------------ pickles


def test_no_disguise_makes_a_pickle_run(tmp_path: Path, project: Project) -> None:
    marker = tmp_path / "unpickled"
    (tmp_path / "in").mkdir()
    for name, content in pickles(marker).items():
        path = put(tmp_path / "in", name, content)
        at_the_door(every_row, path)  # one of printable characters may pass for rows of text
        assert at_the_door(project.import_model, path) is not None, name
        assert at_the_door(lambda file: restore(file, tmp_path / "restored", actor="test"), path) is not None, name
        assert not marker.exists(), name
    assert len(pickles(marker)) > 50


def test_a_type_that_parquet_readers_once_unpickled_is_plain_text(tmp_path: Path) -> None:
    path = put(tmp_path, "typed.parquet", parquet_with_a_pickled_type(tmp_path / "unpickled"))
    assert every_row(path) == [("hello",)]
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_backbone_with_a_pickle_in_it_is_not_taken_in(tmp_path: Path, tiny_backbone, name: str) -> None:
    marker = tmp_path / "unpickled"
    for disguise, content in pickles(marker).items():
        if disguise.endswith(".safetensors"):
            folder = Path(shutil.copytree(tiny_backbone.folder, tmp_path / disguise))
            (folder / name).write_bytes(content)
            assert at_the_door(lambda place: pull(f"dir:{place}"), folder) is not None
            assert not marker.exists()

"""Logs are one JSON object a line, and hold neither a person's words nor a key."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

import feilun
from feilun.logs import REQUEST_ID, JsonLines, LogFile
from feilun.store import Store

SOURCE = Path(feilun.__file__).parent


def written(name: str, message: str, *values: object, error: Exception | None = None, **fields: object) -> dict:
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, logging.ERROR, "", 0, message, values, info)
    record.fields = fields
    line = JsonLines().format(record)
    assert "\n" not in line
    return json.loads(line)


def test_a_line_says_when_how_bad_who_and_what():
    token = REQUEST_ID.set("r1")
    line = written("feilun.serve", "error %s\nin two lines", "e1", error_id="e1")
    REQUEST_ID.reset(token)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line == {
        "level": "error",
        "logger": "feilun.serve",
        "message": "error e1\nin two lines",
        "request_id": "r1",
        "error_id": "e1",
    }


def test_an_exception_leaves_its_type_and_place_and_none_of_its_words():
    try:
        raise ValueError("where is my parcel")
    except ValueError as error:
        line = written("feilun.serve", "bad", error=error)
    assert line["error"].startswith("ValueError\n") and "test_logs.py" in line["error"]
    assert "parcel" not in line["error"].replace('raise ValueError("where is my parcel")', "")


def test_what_other_packages_say_is_written_without_its_values():
    said = "Task exception was never retrieved\nfuture: <Task exception=ValueError('where is my parcel')>"
    assert written("asyncio", said)["message"] == "Task exception was never retrieved"
    assert written("uvicorn.error", "got %r", "where is my parcel")["message"] == "got %r"


def test_a_key_is_hidden_wherever_it_comes_from():
    assert written("feilun.x", "see %s", "fl_23456789ABCDEFGH", at="fl_23456789ABCDEFGH") | {"time": ""} == {
        "time": "",
        "level": "error",
        "logger": "feilun.x",
        "message": "see fl_…",
        "at": "fl_…",
    }


def test_a_full_file_is_begun_anew_and_the_latest_ones_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("feilun.logs.MAX_BYTES", 300)
    handler = LogFile(tmp_path / "a.log", keep=2)
    for n in range(40):
        handler.emit(logging.LogRecord("feilun", logging.INFO, "", 0, f"line {n}", (), None))
    handler.close()
    files = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock")
    assert files == ["a.log", "a.log.1", "a.log.2"]
    assert json.loads((tmp_path / "a.log").read_text("utf-8").splitlines()[-1])["message"] == "line 39"
    assert all((tmp_path / name).stat().st_size < 500 for name in files)


def test_two_servers_may_write_to_one_file_and_lose_nothing_when_it_is_begun_anew(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("feilun.logs.MAX_BYTES", 2000)
    handlers = [LogFile(tmp_path / "a.log", keep=9) for _ in range(2)]
    for n in range(100):
        handlers[n % 2].emit(logging.LogRecord("feilun", logging.INFO, "", 0, f"line {n}", (), None))
    for handler in handlers:
        handler.close()
    files = [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    lines = [json.loads(line)["message"] for path in files for line in path.read_text("utf-8").splitlines()]
    assert sorted(lines) == sorted(f"line {n}" for n in range(100))
    assert all(path.stat().st_size >= 2000 for path in files if path.name != "a.log")


def test_an_error_of_the_database_does_not_quote_what_was_to_be_written(tmp_path: Path):
    with Store(tmp_path / ".feilun") as store:
        bad = {"prediction_id": None, "inputs": {"text": "where is my parcel"}}
        with pytest.raises(sa.exc.SQLAlchemyError) as failed:
            store.add_predictions([bad]).result()
    assert "parcel" not in str(failed.value)


def test_nothing_of_ours_logs_an_exception_with_its_words():
    telling = re.compile(r"log\.exception\(|exc_info|format_exc|print_exc|stack_info")
    found = [path.name for path in SOURCE.rglob("*.py") if telling.search(path.read_text("utf-8"))]
    assert found == ["logs.py"]

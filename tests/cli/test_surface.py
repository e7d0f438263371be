"""The surface others build on: commands, options, exit codes, streams, languages, and how light it all is."""

from __future__ import annotations

import string
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from feilun import __version__
from feilun.cli import app, shared
from feilun.errors import FeilunError
from feilun.project import Project
from tests.cli.conftest import Run

HEAVY = ("torch", "numpy", "onnxruntime", "sklearn", "sqlalchemy", "pydantic", "fastapi", "rich", "dbos")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, command


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_the_commands_are_the_published_ones():
    assert sorted(" ".join(path) for path in COMMANDS) == [
        "alert list",
        "alert log",
        "alert test",
        "answers",
        "audit export",
        "audit head",
        "audit list",
        "audit rekey",
        "audit verify",
        "backup",
        "backups keep",
        "backups list",
        "backups remove",
        "config set",
        "config show",
        "config unset",
        "data add",
        "data advise",
        "data changes",
        "data check",
        "data doubts",
        "data settle",
        "data show",
        "doctor",
        "explain",
        "feedback add",
        "feedback import",
        "feedback list",
        "feedback queue",
        "feedback similar",
        "feedback skip",
        "init",
        "job cancel",
        "job events",
        "job list",
        "job now",
        "job pause",
        "job request",
        "job resume",
        "job show",
        "key create",
        "key list",
        "key revoke",
        "key rotate",
        "label apply",
        "label ask",
        "label next",
        "label start",
        "limit set",
        "limit show",
        "model ask",
        "model compare",
        "model compress",
        "model confusion",
        "model errors",
        "model export",
        "model import",
        "model list",
        "model pull",
        "model remove",
        "model show",
        "model thresholds",
        "model verify",
        "monitor",
        "person add",
        "person disable",
        "person enable",
        "person list",
        "person reset",
        "person role",
        "predict",
        "release canary",
        "release list",
        "release promote",
        "release rollback",
        "release shadow",
        "release status",
        "release stop",
        "report",
        "restore",
        "serve",
        "tenant create",
        "tenant disable",
        "tenant enable",
        "tenant list",
        "tenant rename",
        "turn",
        "usage",
    ]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_examples_and_all_but_serve_speak_json(path: tuple[str, ...], run: Run):
    said = run(*path, "--help")
    assert (said.exit_code, said.err) == (0, "")
    assert f"Examples:\n    feilun {' '.join(path)}" in said.out
    assert ("--json" in said.out) == (path != ("serve",))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_what_cannot_be_undone_has_yes(path: tuple[str, ...]):
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    asks = path[-1] in (
        "promote",
        "canary",
        "rollback",
        "revoke",
        "cancel",
        "remove",
        "init",
        "disable",
        "rekey",
        "reset",
    )
    assert ("--yes" in options) == asks


def test_help_imports_nothing_heavy():
    code = f"import sys; from feilun.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n\
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    source = str(Path(shared.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONPATH": source}
    )
    assert done.stderr == "[]\n"
    assert "Commands:" in done.stdout


def test_version_is_printed(run: Run):
    assert run("--version").out == f"feilun {__version__}\n"


# mistakes


@pytest.mark.parametrize(
    "arguments",
    [("turn", "--no-such-option"), ("no-such-command",), ("predict", "file.csv"), ("--lang", "fr", "turn"), ("init",)],
    ids=" ".join,
)
def test_wrong_use_leaves_with_2_and_keeps_stdout_clean(arguments: tuple[str, ...], run: Run):
    said = run(*arguments)
    assert (said.exit_code, said.out) == (2, "")
    assert said.err


def test_a_folder_without_a_project_is_one_message_that_says_what_to_do(tmp_path: Path, run: Run):
    said = run("turn", tmp_path)
    assert said.exit_code == 2
    assert said.err == f"Error: No feilun.toml in {tmp_path}. Make one with: feilun init {tmp_path} --data FILE\n"


def test_a_mistake_is_json_when_json_was_asked_for(tmp_path: Path, run: Run):
    said = run("release", "list", tmp_path, "--json")
    assert said.exit_code == 2
    assert said.json["error"]["code"] == "config.missing"
    assert said.json["error"]["fields"] == {"name": "feilun.toml", "folder": str(tmp_path)}


@pytest.mark.parametrize(("lang", "start"), [("en", "Error: No feilun.toml"), ("zh", "错误：")])
def test_mistakes_come_in_the_language_asked_for(lang: str, start: str, tmp_path: Path, run: Run):
    assert run("--lang", lang, "turn", tmp_path).err.startswith(start)


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [("invalid", 2), ("missing", 2), ("conflict", 2), ("forbidden", 2), ("unavailable", 1), ("exhausted", 1)],
)
def test_the_kind_of_a_mistake_decides_the_exit_code(
    kind: Any, exit_code: int, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
):
    class Mistake(FeilunError):
        code = "test.mistake"
        en = zh = "Row 3 is wrong."

    Mistake.kind = kind

    def fail(*_: Any, **__: Any) -> None:
        raise Mistake()

    monkeypatch.setattr(Project, "list_turns", fail)
    said = run("job", "list", folder)
    assert (said.exit_code, said.out, said.err) == (exit_code, "", "Error: Row 3 is wrong.\n")


def test_an_unexpected_error_is_two_lines_and_a_log(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setenv("FEILUN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Project, "list_turns", fail)
    said = run("job", "list", folder)
    log = tmp_path / "home" / "logs" / "cli.log"
    assert said.exit_code == 1
    assert said.err.startswith(f"An unexpected ZeroDivisionError stopped this command. The traceback is in {log};")
    assert "Traceback" not in said.err
    assert "ZeroDivisionError" in log.read_text("utf-8")


# words


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def entries(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    if set(table) == {"en", "zh"}:
        yield path, table
    else:
        for key, inner in table.items():
            assert isinstance(inner, dict), f"{path}.{key} has one language only"
            yield from entries(inner, f"{path}.{key}")


def test_every_word_exists_in_both_languages_with_the_same_placeholders():
    raw = tomllib.loads((Path(shared.__file__).parent / "messages.toml").read_text("utf-8"))
    found = dict(entries(raw))
    assert len(found) > 50
    for key, entry in found.items():
        assert placeholders(entry["en"]) == placeholders(entry["zh"]), key
        assert bool(entry["en"]) == bool(entry["zh"]), key

"""What the pages say is true: commands exist, languages say the same, generated pages are current."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shlex
import string
import sys
import tomllib
import unicodedata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from feilun import config_words
from feilun.cli import app
from feilun.config import FeilunSettings, ServeSettings

ROOT = Path(__file__).resolve().parents[2]
PAIRS = [(ROOT / "README.md", ROOT / "README.zh.md")] + [
    (page, ROOT / "docs" / "zh" / page.name) for page in sorted((ROOT / "docs" / "en").glob("*.md"))
]
PAGES = [page for pair in PAIRS for page in pair]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROOT_COMMAND: Any = typer.main.get_command(app)
# Options that every command may have are described once, at the top of cli.md.
COMMON = {"--json", "--help", "--project", "--data", "--out"}


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


generate = _load(ROOT / "docs" / "generate.py")


def command_lines(page: Path) -> list[str]:
    """Every `feilun …` line of a page's shell blocks, continued lines joined."""
    lines = []
    for language, body in BLOCK.findall(page.read_text("utf-8")):
        if language == "bash":
            lines += [line.strip() for line in body.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("feilun ")]


def parse(line: str) -> None:
    """Parse a command line as `feilun` does, without running it.

    Raises whatever `feilun` would report: an unknown command or option, a missing or impossible value.
    """
    words, command, parent = shlex.split(line)[1:], ROOT_COMMAND, None
    while hasattr(command, "commands"):
        parent = command.make_context(words[0], [], parent=parent, resilient_parsing=True)
        command, words = command.commands[words[0]], words[1:]
    command.make_context("feilun", words, parent=parent)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_in_the_pages_parses(page: Path):
    for line in command_lines(page):
        parse(line)


def test_a_wrong_command_line_in_a_page_would_be_found():
    for line in ("feilun turn --bugdet 5", "feilun relese list", "feilun data add", "feilun serve --port 99999999"):
        with pytest.raises(Exception, match=r"bugdet|relese|file|65535"):
            parse(line)


def test_the_pages_have_command_lines_at_all():
    assert sum(len(command_lines(page)) for page in PAGES) > 30


@pytest.mark.parametrize(("en", "zh"), PAIRS, ids=lambda page: page.name)
def test_both_languages_have_the_same_headings_blocks_and_tables(en: Path, zh: Path):
    shapes = []
    for page in (en, zh):
        text = page.read_text("utf-8")
        blocks = [(kind, body) for kind, body in BLOCK.findall(text) if kind != "text"]
        bare = BLOCK.sub("", text)
        shapes.append(
            {
                "headings": [len(line.split(" ")[0]) for line in bare.splitlines() if re.match(r"#+ ", line)],
                "blocks": blocks,
                "rows": sum(line.startswith("|") for line in bare.splitlines()),
                "codes": sorted(re.findall(r"^\| `([^`]+)`", bare, re.MULTILINE)),
            }
        )
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_line_page_lists_every_command_with_all_its_options(lang: str):
    listed = {}
    for line in (ROOT / "docs" / lang / "cli.md").read_text("utf-8").splitlines():
        if match := re.match(r"\| `feilun ([a-z ]+?)(?= [A-Z\[-]|`)(.*)", line):
            listed[match[1]] = set(re.findall(r"--[a-z-]+", line))
    known = {}
    for name, command in ROOT_COMMAND.commands.items():
        for path, leaf in {
            name if not hasattr(command, "commands") else f"{name} {inner}": one
            for inner, one in getattr(command, "commands", {"": command}).items()
        }.items():
            options = {parameter.opts[0] for parameter in leaf.params if parameter.param_type_name == "option"}
            known[path] = options
    assert {path: options - COMMON - {"--pull", "--no-pull"} for path, options in listed.items()} == {
        path: options - COMMON - {"--pull"} for path, options in known.items()
    }


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_http_page_lists_every_route(lang: str):
    from feilun.serve.api import create_app

    spec = create_app({}, require_key=False, settings=ServeSettings()).openapi()
    known = {f"{method.upper()} {path}" for path, methods in spec["paths"].items() for method in methods}
    text = (ROOT / "docs" / lang / "api.md").read_text("utf-8")
    listed = {one.partition("?")[0] for one in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", text)}
    assert listed == known


# generated pages


@pytest.mark.parametrize("path", generate.pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_pages_are_current(path: Path):
    assert path.read_text("utf-8") == generate.pages()[path], "run: make docs"


def test_every_setting_has_its_chinese_words_and_no_more():
    expected = {
        name: {"_"} | {one.key for one in config_words.settings_of(name, model)}
        for name, model in config_words.tables()
    }
    assert {name: set(table) for name, table in config_words.chinese().items()} == expected
    assert set(expected) >= set(FeilunSettings.model_fields)


def placeholders(text: str) -> set[str]:
    """Names in braces. A value that is a sentence itself exists once a language: hint_en and hint_zh are one name."""
    names = {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(text) if name}
    return {re.sub(r"(^|_)(en|zh)$", "", name) for name in names}


def test_every_mistake_says_the_same_in_both_languages_under_a_code_of_its_own():
    errors = generate.all_errors()
    assert len(errors) > 20
    for error in errors:
        assert placeholders(error.en) == placeholders(error.zh), error
        assert any(unicodedata.name(c, "").startswith("CJK") for c in error.zh), error
        assert error.en.strip() and error.__doc__, error
    codes = [error.code for error in errors]
    assert len(codes) == len(set(codes)), sorted(code for code in codes if codes.count(code) > 1)


# samples


def test_the_samples_share_no_text_and_keep_their_sizes():
    draw = _load(ROOT / "samples" / "draw.py")
    for name, sizes in {"banking77": (385, 77), "massive-zh-cn": (474, 60)}.items():
        seen: set[str] = set()
        labels: dict[str, set[str]] = {}
        for part, n_rows in {"start": sizes[0], "holdout": 1000, "traffic": 1500, "unseen": 1500}.items():
            with (ROOT / "samples" / name / f"{part}.csv").open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            texts = {draw.comparable(row["text"]) for row in rows}
            assert (len(rows), len(texts), len(seen & texts)) == (n_rows, n_rows, 0)
            seen |= texts
            labels[part] = {row["label"] for row in rows}
        assert len(labels["start"]) == sizes[1]
        assert all(found <= labels["start"] for found in labels.values())


def test_drawing_a_sample_again_gives_the_same_rows(tmp_path: Path):
    draw = _load(ROOT / "samples" / "draw.py")
    rows = [(str(n), f"message {n}", f"class {n % 3}") for n in range(40)]
    drawn = draw.draw(rows, ["3", "1"], gate=rows, test=[("x", "Message, 5!", "class 2"), ("y", "new", "class 0")])
    assert drawn == draw.draw(
        list(rows), ["3", "1"], gate=rows, test=[("y", "new", "class 0"), ("x", "Message, 5!", "class 2")]
    )
    assert [key for key, _, _ in drawn["start"]] == ["3", "1"]
    texts = [draw.comparable(text) for part in drawn.values() for _, text, _ in part]
    assert len(texts) == len(set(texts)) == 41  # all 40, and "new"; "Message, 5!" is message 5


def test_the_license_notes_of_the_samples_name_source_licence_and_citation():
    for name in ("banking77", "massive-zh-cn"):
        text = (ROOT / "samples" / name / "README.md").read_text("utf-8")
        assert all(word in text for word in ("Source", "CC BY 4.0", "Cite", "arXiv", "draw.py"))


def test_the_sample_listing_is_json_and_the_project_file_is_toml():
    assert json.loads((ROOT / "samples" / "start_rows.json").read_text("utf-8")).keys() == {
        "banking77",
        "massive-zh-cn",
    }
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["readme"] == "README.md"

"""What errors are told when they are raised is said in the reader's language, nouns included."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import pytest

import feilun
from feilun.errors import FeilunError

SOURCE = Path(feilun.__file__).parent
# Whose fields tell what stands in a file of somebody else's making, in the words of that format.
OF_A_FORMAT = {"FileBroken", "UnsafeModel", "UnsupportedModel"}
# Names of things that are called so in Chinese too: products, formats, terms of the glossary.
NAMES = {
    "HTTP",
    "JSON",
    "NUL",
    "ONNX",
    "Parquet",
    "SQLSTATE",
    "Unicode",
    "XML",
    "feilun",
    "logits",
    "manifest",
    "sha256",
}
NAMES |= {
    "opentelemetry-exporter-otlp-proto-http",
    "otel",
    "parquet",
    "pyarrow",
    "http",
    "https",
    "int8",
    "secret",
    "url",
    "xlsx",
    "zip",
}
A_KEY = re.compile(r"[\w.-]*[._=-][\w.=-]*|\[[\w.]+\]|[\w-]+\(\)|-+[\w-]+")  # a setting, a file, a flag, an option
LOWER_CASE_KEYS = {"detail", "field", "param", "scope"}  # fields that name a field of a request, as it is written there


class Said(NamedTuple):
    """A text that a call gives an error of the class `error` for its field `field`."""

    error: type[FeilunError]
    field: str
    text: str
    place: str


def _classes(base: type[FeilunError]) -> Iterator[type[FeilunError]]:
    for one in base.__subclasses__():
        yield one
        yield from _classes(one)


@pytest.fixture(scope="module")
def errors() -> dict[str, type[FeilunError]]:
    for module in pkgutil.walk_packages(feilun.__path__, "feilun."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {one.__name__: one for one in _classes(FeilunError) if one.__module__.startswith("feilun.")}


@pytest.fixture(scope="module")
def said(errors) -> list[Said]:
    """Every text in the source that becomes a field of an error, and the nouns that verbs of the store look up by."""
    found: list[Said] = []
    for path in sorted(SOURCE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            place = f"{path.relative_to(SOURCE)}:{call.lineno}"
            if name == "_get":
                found.append(Said(errors["NotFound"], "what", ast.literal_eval(call.args[1]), place))
            elif name in errors:
                texts = [(k.arg or "", text) for k in call.keywords for text in _texts(k.value)]
                found += [Said(errors[name], field, text, place) for field, text in texts]
    return found


def _texts(node: ast.expr) -> list[str]:
    """The texts that an expression may come to, as far as they stand in the source."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr():
            return [part.value for part in node.values if isinstance(part, ast.Constant)]
        case ast.IfExp():
            return [*_texts(node.body), *_texts(node.orelse)]
        case ast.BoolOp():
            return [text for part in node.values for text in _texts(part)]
        case ast.Call(func=ast.Attribute(attr="get" | "join")):
            return [text for part in node.args for text in _texts(part)]
        case _:
            return []


def english_in(text: str) -> list[str]:
    text = re.sub(r'"[^"]*"|\[[\w.]+\] \w+', "", text)  # what is to be written so, and settings
    words = re.findall(r"[\[(]?-*[A-Za-z][\w.=\[\]()-]*", text)
    return [word for word in words if word not in NAMES and not A_KEY.fullmatch(word.rstrip(".)"))]


def test_no_english_word_gets_into_a_chinese_message(said):
    assert len(said) > 100  # the search finds what it looks for
    wrong = [
        f"{one.place}: {one.error.__name__}({one.field}={one.text!r})"
        for one in said
        if one.error.__name__ not in OF_A_FORMAT
        and one.field in {name for _, name, _, _ in Formatter().parse(one.error.zh)}
        and one.field not in LOWER_CASE_KEYS
        and not (one.error.reasons and one.field == "what")
        and english_in(one.text)
    ]
    assert wrong == []


def test_every_noun_and_reason_that_is_given_has_both_languages(errors, said):
    given = [one for one in said if one.error.reasons and one.field == "what"]
    assert {one.error.__name__ for one in given} >= {"NotFound", "StoreUnavailable", "AlertNotSent", "ArchiveRefused"}
    assert [one for one in given if one.text not in one.error.reasons] == []
    for error in errors.values():
        for english, chinese in error.reasons.values():
            assert (english.strip() and re.search(r"[一-鿿]", chinese)) or english == chinese, (error, english)
            assert not english_in(chinese), (error, chinese)


def test_what_is_not_there_is_called_by_its_name(errors):
    nothing = errors["NotFound"](what="turn", ref="turn_1")
    assert nothing.message("en") == "There is no turn 'turn_1' in this project."
    assert nothing.message("zh") == "本项目中没有 ID 为 'turn_1' 的轮次。"

"""A thousand ways to say `../../etc/passwd`, in every path, parameter and body of every route, open nothing."""

from __future__ import annotations

import itertools
import json
import random
import sys
import sysconfig
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from feilun.config import ServeSettings
from feilun.project import Project
from feilun.serve.api import create_app
from tests.hardening.sizes import by_day_or_night
from tests.serve.api.conftest import running

pytestmark = pytest.mark.journey
N_STRINGS = 1000
ROUNDS = by_day_or_night(1, 20)  # how often every string goes out, each time into other places
WAYS = (
    "../",
    "..\\",
    "....//",
    "..;/",
    "%2e%2e%2f",
    "..%2f",
    "%252e%252e%252f",
    "..%c0%af",
    ".%00./",
    "/./",
    "\u2025/",
)
ROOTS = ("/", "~/", "file:///", "C:\\", "\\\\server\\share\\", "/proc/self/root/", "/dev/fd/../../", "//", "./")
GOALS = ("etc/passwd", "etc/shadow", "proc/self/environ", ".feilun/feilun.db", "root/.ssh/id_rsa", "windows/win.ini")
ENDS = ("", "\0", "%00.json", "/.", "#", "?x")
MARK = "a string belongs here"
ROOT = Path(__file__).resolve().parents[2]
TAKES_NOTHING = {
    *("/health", "/ready", "/metrics", "/openapi.json", "/v1/machine", "/v1/models", "/v1/limits"),
    *("/v1/jobs", "/v1/backups", "/v1/doctor"),
}
SLOW = ("/preflight",)  # starts a process that reads the project's files, whatever is asked


def strings() -> list[str]:
    climbing = (way * depth + goal + end for way, depth, goal, end in itertools.product(WAYS, (1, 3, 12), GOALS, ENDS))
    absolute = (root + goal + end for root, goal, end in itertools.product(ROOTS, GOALS, ENDS))
    found = sorted({*climbing, *absolute})
    random.Random(20).shuffle(found)
    return found[:N_STRINGS]


# ------------------------------------------------------------------------------------- every place for a string


def sample(shape: dict[str, Any], document: dict[str, Any]) -> Any:
    """The least value that has this shape; the mark where a string belongs."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return sample(document["components"]["schemas"][name], document)
    if "anyOf" in shape:
        return sample(next(one for one in shape["anyOf"] if one.get("type") != "null"), document)
    if shape.get("type") == "object":
        return {name: sample(inner, document) for name, inner in shape.get("properties", {}).items()}
    if shape.get("type") == "array":
        return [sample(shape.get("items", {}), document)]
    plain = {"integer": 1, "number": 1, "boolean": False}.get(shape.get("type", ""), MARK)
    return shape.get("const", shape.get("enum", [plain])[0])


def places_in(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a value strings stand."""
    if value == MARK:
        yield here
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places_in(inner, (*here, key))


def filled(value: Any, place: tuple[Any, ...], text: str, here: tuple[Any, ...] = ()) -> Any:
    """`value` with `text` at one place and a harmless word at the others."""
    if value == MARK:
        return text if here == place else "refund"
    if isinstance(value, dict):
        return {key: filled(inner, place, text, (*here, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, place, text, (*here, n)) for n, inner in enumerate(value)]
    return value


def doors(document: dict[str, Any]) -> list[tuple[str, str, str, Any, Any]]:
    """(method, path, where, name or place, body) of every place of the API into which a string can be put."""
    found: list[tuple[str, str, str, Any, Any]] = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                found.append((method, path, parameter["in"], parameter["name"], None))
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                body = sample(content["schema"], document)
                found += [(method, path, "body", place, body) for place in places_in(body)]
    return [door for door in found if not door[1].endswith(SLOW)]


def knock(client: httpx.Client, door: tuple[str, str, str, Any, Any], text: str, names: dict[str, str]) -> int:
    """Put a string into one place of a request that is right otherwise; the status."""
    method, path, where, name, body = door
    given = {**names, name: text} if where == "path" else names
    for key, value in given.items():
        path = path.replace(f"{{{key}}}", urllib.parse.quote(value, safe=""))
    ascii_only = text.encode("ascii", "backslashreplace").replace(b"\0", b"")
    headers: dict[str, Any] = {"Content-Type": "application/json"} if where == "body" else {}
    if where == "header" and name != "accept":  # a stream of events has no end
        headers[name] = ascii_only
    content = json.dumps(filled(body, name, text)) if where == "body" else None
    params = {name: text} if where == "query" else None
    return client.request(method, path, params=params, headers=headers, content=content).status_code


# ------------------------------------------------------------------------------------------------ what was opened

_opened: list[str] | None = None


def _note(event: str, args: tuple[Any, ...]) -> None:
    if _opened is not None and event == "open" and isinstance(args[0], str | bytes):
        name = args[0].decode("utf-8", "replace") if isinstance(args[0], bytes) else args[0]
        _opened.append(name)


@contextmanager
def watching() -> Iterator[list[str]]:
    """Every name that this process opens meanwhile."""
    global _opened  # noqa: PLW0603  # an audit hook stays for good and takes no arguments
    sys.addaudithook(_note)
    _opened = names = []
    try:
        yield names
    finally:
        _opened = None


def may_be_opened(name: str, project: Project) -> bool:
    homes = (project.folder, project.store.workspace, sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"))
    path = Path(name).resolve()
    return name.startswith("/proc/self/") or any(path.is_relative_to(Path(home).resolve()) for home in (*homes, ROOT))


def test_no_string_of_a_request_ever_becomes_a_path(project: Project) -> None:
    app = create_app({project.name: project}, require_key=False, settings=ServeSettings())
    names = {"name": project.name, "model_id": project.list_models()[0]["model_id"]}
    names |= {
        "turn_id": project.list_turns()[0]["turn_id"],
        "prediction_id": "p_1",
        "compression_id": "c_1",
        "key_id": "key_1",
        "dataset_id": "ds_" + "0" * 16,
        "backup_id": "bk_" + "0" * 24,
        "tenant": "house",
    }
    everywhere = doors(app.openapi())
    assert {path for _, path, where, *_ in everywhere if where == "body"} >= {"/v1/projects/{name}/feedback"}
    texts = strings()
    assert len(texts) == N_STRINGS
    statuses = []
    with running(app) as url, httpx.Client(base_url=url, timeout=30) as client, watching() as opened:
        for n, text in enumerate(texts * ROUNDS):
            door = everywhere[(n + n // N_STRINGS) % len(everywhere)]
            statuses.append(knock(client, door, text, names))
    assert not [name for name in opened if not may_be_opened(name, project)]
    assert {status for status in statuses if status >= 500} <= {503}
    untouched = {path for path in app.openapi()["paths"] if not path.endswith(SLOW)} - {
        path for _, path, *_ in everywhere
    }
    assert untouched == TAKES_NOTHING

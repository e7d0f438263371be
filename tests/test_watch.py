"""The watch on pickles in conftest.py sees what it must, and lets libraries be."""

from __future__ import annotations

import pickle
from datetime import date

import pytest

from . import conftest

DATA = pickle.dumps(date(2024, 2, 29))
CODE = "def load(data):\n    import pickle\n    return pickle.loads(data)"


def _load_as(module: str) -> object:
    space: dict[str, object] = {"__name__": module}
    exec(compile(CODE, module, "exec"), space)
    return space["load"](DATA)  # type: ignore[operator]


def test_feilun_code_that_unpickles_is_stopped(monkeypatch):
    monkeypatch.setattr(conftest, "_unpickled_by_feilun", [])
    with pytest.raises(AssertionError, match=r"datetime\.date unpickled by feilun\.somewhere"):
        _load_as("feilun.somewhere")
    assert len(conftest._unpickled_by_feilun) == 1


@pytest.mark.parametrize("module", ["multiprocessing.queues", "feilunatic", "tests.test_watch"])
def test_others_may_unpickle(module):
    assert _load_as(module) == date(2024, 2, 29)

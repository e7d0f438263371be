"""What fails without a name is tried once more; what has a name, or was given up, is not."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from feilun.errors import FeilunError
from feilun.project.futures import or_else
from feilun.serve.engine import LineFull


def failed(error: Exception) -> Future[str]:
    future: Future[str] = Future()
    future.set_exception(error)
    return future


def done(value: str) -> Future[str]:
    future: Future[str] = Future()
    future.set_result(value)
    return future


def test_the_second_is_asked_only_when_the_first_fails_without_a_name():
    full = LineFull(n_waiting=1, max_waiting=1)
    assert or_else(done("first"), lambda: pytest.fail("asked")).result(1) == "first"
    assert or_else(failed(RuntimeError()), lambda: done("second")).result(1) == "second"
    with pytest.raises(LineFull):
        or_else(failed(full), lambda: pytest.fail("asked")).result(1)
    with pytest.raises(ValueError, match="second"):
        or_else(failed(RuntimeError("first")), lambda: failed(ValueError("second"))).result(1)

    def refuse() -> Future[str]:
        raise full

    with pytest.raises(FeilunError):
        or_else(failed(RuntimeError()), refuse).result(1)


def test_who_gives_up_takes_the_first_out_of_the_line_and_hears_nothing_more():
    first: Future[str] = Future()
    outcome = or_else(first, lambda: pytest.fail("asked"))
    assert outcome.cancel() and first.cancelled()
    running: Future[str] = Future()
    assert running.set_running_or_notify_cancel()
    outcome = or_else(running, lambda: pytest.fail("asked"))
    assert outcome.cancel()  # it is too late for the engine, and early enough for who waits
    running.set_exception(RuntimeError("late"))
    assert outcome.cancelled()

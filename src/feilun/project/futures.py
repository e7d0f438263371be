"""Trying again without a thread that waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from feilun.errors import FeilunError

T = TypeVar("T")


def or_else(first: Future[T], again: Callable[[], Future[T]]) -> Future[T]:
    """What `first` gives; where it fails in a way that has no name of ours, what `again()` gives.

    A mistake that has a name (too many wait, too late) would be the same again, so it is passed on. Cancelling what
    this gives cancels `first`.
    """
    outcome: Future[T] = Future()

    def give(done: Future[T], *, is_last: bool) -> None:
        if done.cancelled() or outcome.cancelled():
            outcome.cancel()
            return
        error = done.exception()
        if error is not None and not is_last and not isinstance(error, FeilunError):
            try:
                again().add_done_callback(lambda second: give(second, is_last=True))
            except Exception as refused:
                _settle(outcome, error=refused)
        else:
            _settle(outcome, error=error, result=None if error is not None else done.result())

    first.add_done_callback(lambda done: give(done, is_last=False))
    outcome.add_done_callback(lambda done: first.cancel() if done.cancelled() else None)
    return outcome


def _settle(outcome: Future[T], *, error: BaseException | None = None, result: T | None = None) -> None:
    if not outcome.set_running_or_notify_cancel():
        return
    if error is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(result)  # type: ignore[arg-type]

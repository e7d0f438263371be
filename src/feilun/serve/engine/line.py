"""The line in front of the engine: texts of all requests wait here while it is busy, and are then run together.

Who comes while a thread is idle is run at once: nobody waits for company. First come, first served; a request of many
texts is cut into pieces and goes back to the end of the line after each, so that a single message behind it is not held
up. What a message is answered does not depend on what it is run with (docs/notes/004-eight-bits.md).
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Lock, Thread
from typing import Any, NamedTuple, TypeVar

import numpy as np

from feilun.errors import FeilunError
from feilun.models.encode import Encoder
from feilun.records import Spent
from feilun.spans import LISTENER, Note

T = TypeVar("T")
Then = Callable[[np.ndarray, "np.ndarray | None", Spent], T]

ROUND_TOKENS = 512  # that are taken from the line at a time, and sorted by length: no text waits longer for it
RUN_TOKENS = 128  # of a run, padding included: little padding, and what a layer keeps stays in a core's second cache
PIECE = 16  # texts of one request that are taken at a time
IDLE_S = 10.0  # a thread without work for so long ends; the next text starts another


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LineFull(FeilunError):
    """As many texts wait for the engine as may."""

    code, kind = "engine.full", "unavailable"
    en = (
        "{n_waiting} messages wait to be answered already, and [serve] max_waiting allows {max_waiting}. "
        "Send this one again in a moment."
    )
    zh = "已有 {n_waiting} 条消息在等待回答，[serve] max_waiting 最多允许 {max_waiting} 条。请稍后重试。"


class WaitedTooLong(FeilunError):
    """The engine did not come to a request before its deadline, so it was left out."""

    code, kind = "engine.deadline", "unavailable"
    en = (
        "The engine did not come to this request within {deadline_s} s ([serve] deadline_s). Send it again in a moment."
    )
    zh = "引擎未能在 {deadline_s} 秒内开始处理此请求（[serve] deadline_s）。请稍后重试。"


@dataclass(eq=False)
class _Request:
    """Texts that are answered together, by one model."""

    encoder: Encoder
    texts: Sequence[str]
    then: Then[Any]
    deadline_s: float | None
    expires_at: float
    pieces: deque[list[int]]
    future: Future[Any] = field(default_factory=Future)
    n_missing: int = 0
    has_begun: bool = False
    note: Note | None = None
    came_ns: int = 0
    begun_ns: int = 0
    embeddings: np.ndarray | None = None
    logits: np.ndarray | None = None
    n_tokens: int = 0
    cpu_s: float = 0.0

    @property
    def n_waiting(self) -> int:
        """Texts that no thread has taken yet."""
        return sum(map(len, self.pieces))

    def tell_times(self) -> None:
        """How long it waited and ran, for who listens."""
        if self.note is not None:
            self.note("engine.wait", self.came_ns, self.begun_ns)
            self.note("engine.run", self.begun_ns, time.time_ns())

    def put(self, places: list[int], embeddings: np.ndarray, logits: np.ndarray | None, spent: Spent) -> None:
        """Keep the results of the texts at `places`, and what they took."""
        n = len(self.texts)
        if self.embeddings is None:
            self.embeddings = np.empty((n, embeddings.shape[1]), np.float32)
            self.logits = None if logits is None else np.empty((n, logits.shape[1]), np.float32)
        self.embeddings[places] = embeddings
        if self.logits is not None:
            self.logits[places] = logits
        self.n_missing -= len(places)
        self.n_tokens, self.cpu_s = self.n_tokens + spent.n_tokens, self.cpu_s + spent.cpu_s


class _Piece(NamedTuple):
    request: _Request
    places: list[int]
    rows: list[list[int]]


class Line:
    """Texts that wait, and the threads that run them. May be used from any thread.

    Args:
        threads: how many runs may be under way at once; each keeps one core busy. 0: as many as there are cores.
        max_waiting: texts that may wait before a request with a deadline is refused, >= 1.
    """

    def __init__(self, *, threads: int = 0, max_waiting: int = 1024) -> None:
        self._n_threads, self._max_waiting = threads or n_cores(), max_waiting
        self._requests: deque[_Request] = deque()
        self._n_waiting = 0  # texts
        self._n_running = self._n_idle = 0  # threads
        self._changed = Condition(Lock())
        self._finishing = Lock()

    @property
    def n_waiting(self) -> int:
        """Texts that no thread has taken yet."""
        return self._n_waiting

    def submit(
        self, encoder: Encoder, texts: Sequence[str], *, then: Then[T], deadline_s: float | None = None
    ) -> Future[T]:
        """Queue `texts` (at least one); the future gives `then(embeddings, logits, spent)`, rows in the order
        of `texts`.

        `then` is called in a thread of the line. A future that is cancelled before its turn leaves the line.

        Args:
            deadline_s: the request fails with WaitedTooLong if it has not begun by then; None waits as long as it
                takes, and is never refused.
        Raises:
            LineFull: the request has a deadline, and too many texts wait already.
        """
        n = len(texts)
        order = range(n) if n <= PIECE else sorted(range(n), key=lambda i: len(texts[i]))
        pieces = deque(list(order[start : start + PIECE]) for start in range(0, n, PIECE))
        expires_at = math.inf if deadline_s is None else time.monotonic() + deadline_s
        request = _Request(encoder, texts, then, deadline_s, expires_at, pieces, n_missing=n, note=LISTENER.get())
        if request.note is not None:
            request.came_ns = time.time_ns()
        with self._changed:
            if deadline_s is not None:
                self._refuse_if_full(n)
            self._requests.append(request)
            self._n_waiting += n
            self._changed.notify(len(pieces))
            n_more = len(self._requests) - 1 + len(pieces) - self._n_idle
            for _ in range(min(n_more, self._n_threads - self._n_running)):
                self._n_running += 1
                Thread(target=self._work, name="feilun-engine", daemon=True).start()
        return request.future

    def _refuse_if_full(self, n: int) -> None:
        """Called with the lock held. A request larger than the limit may come in when nobody else waits."""
        if self._n_waiting and self._n_waiting + n > self._max_waiting:
            self._requests = deque(request for request in self._requests if self._is_wanted(request))
            self._n_waiting = sum(request.n_waiting for request in self._requests)
            if self._n_waiting and self._n_waiting + n > self._max_waiting:
                raise LineFull(n_waiting=self._n_waiting, max_waiting=self._max_waiting)

    # the threads

    def _work(self) -> None:
        while (first := self._wait_for_piece()) is not None:
            started_s = time.thread_time()
            self._run(self._gather(first), started_s)
            del first  # an idle thread must not keep a request, nor the model that it was for

    def _wait_for_piece(self) -> _Piece | None:
        """The next piece; None when there was none for IDLE_S and the thread may end."""
        with self._changed:
            while True:
                piece = self._take(None)
                if piece is not None:
                    return piece
                self._n_idle += 1
                has_news = self._changed.wait(IDLE_S)
                self._n_idle -= 1
                if not has_news and not self._requests:
                    self._n_running -= 1
                    return None

    def _gather(self, first: _Piece) -> list[_Piece]:
        """`first`, and what waits behind it for the same model, until a run is full."""
        encoder, round_, n_tokens = first.request.encoder, [], 0
        piece: _Piece | None = first
        while piece is not None:
            try:
                piece.rows.extend(encoder.tokenise(piece.request.texts[i]) for i in piece.places)
            except Exception as error:
                self._fail(piece.request, error)
            else:
                round_.append(piece)
                n_tokens += sum(map(len, piece.rows))
            if n_tokens >= ROUND_TOKENS:
                break
            with self._changed:
                piece = self._take(encoder)
        return round_

    def _take(self, encoder: Encoder | None) -> _Piece | None:
        """Called with the lock held: the next piece, if it is for `encoder` (None: for any)."""
        while self._requests:
            request = self._requests[0]
            if encoder is not None and request.encoder is not encoder:
                return None
            self._requests.popleft()
            if not self._begin(request):
                self._n_waiting -= request.n_waiting
                continue
            places = request.pieces.popleft()
            self._n_waiting -= len(places)
            if request.pieces:
                self._requests.append(request)
            return _Piece(request, places, [])
        return None

    def _begin(self, request: _Request) -> bool:
        """Whether to run it: from here on it cannot be cancelled."""
        if self._is_wanted(request) and not request.has_begun:
            request.has_begun = request.future.set_running_or_notify_cancel()
            if request.note is not None:
                request.begun_ns = time.time_ns()
        return request.has_begun and not request.future.done()

    def _is_wanted(self, request: _Request) -> bool:
        """Whether somebody waits for it still; one whose deadline has passed is told so."""
        if request.has_begun or time.monotonic() < request.expires_at:
            return not request.future.done()
        if request.future.set_running_or_notify_cancel():
            request.has_begun = True
            request.future.set_exception(WaitedTooLong(deadline_s=request.deadline_s))
        return False

    def _run(self, pieces: list[_Piece], started_s: float) -> None:
        """Run a round that this thread began to gather at `started_s` of its CPU time; each text pays by its tokens."""
        if not pieces:
            return
        encoder = pieces[0].request.encoder
        try:
            embeddings, logits = encoder.run_rows(
                [row for piece in pieces for row in piece.rows], batch_tokens=RUN_TOKENS
            )
        except Exception as error:
            for piece in pieces:
                self._fail(piece.request, error)
            return
        n_tokens = [sum(map(len, piece.rows)) for piece in pieces]
        cpu_s = (time.thread_time() - started_s) / max(sum(n_tokens), 1)
        start = 0
        for piece, n in zip(pieces, n_tokens, strict=True):
            part = slice(start, start + len(piece.rows))
            start = part.stop
            self._finish(piece, embeddings[part], None if logits is None else logits[part], Spent(n, n * cpu_s))

    def _finish(self, piece: _Piece, embeddings: np.ndarray, logits: np.ndarray | None, spent: Spent) -> None:
        request = piece.request
        with self._finishing:
            request.put(piece.places, embeddings, logits, spent)
            if request.n_missing or request.future.done():
                return
        assert request.embeddings is not None
        request.tell_times()
        try:
            result = request.then(request.embeddings, request.logits, Spent(request.n_tokens, request.cpu_s))
        except Exception as error:
            self._fail(request, error)
        else:
            request.future.set_result(result)

    def _fail(self, request: _Request, error: Exception) -> None:
        with self._finishing:
            if not request.future.done():
                request.future.set_exception(error)

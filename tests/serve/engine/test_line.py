"""The line: nobody waits for company, a run is bounded by tokens, nobody is lost, nobody is held up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError

import numpy as np
import pytest

from feilun.serve.engine import Line, LineFull, WaitedTooLong, load_bundle
from feilun.serve.engine.line import PIECE, ROUND_TOKENS
from tests.bundles import MESSAGES

TEXTS = [text for texts in MESSAGES.values() for text in texts]


class Slow:
    """An encoder of one-number embeddings (the length of the text) that runs when told to, and remembers its runs."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Semaphore(0)
        self.rounds: list[list[int]] = []

    def tokenise(self, text: str) -> list[int]:
        if text == "unreadable":
            raise ValueError(text)
        return [0] * len(text)

    def run_rows(self, rows: Sequence[list[int]], *, batch_tokens: int) -> tuple[np.ndarray, None]:
        self.rounds.append([len(row) for row in rows])
        self.begun.release()
        assert self.go.wait(30)
        return np.array([[len(row)] for row in rows], dtype=np.float32), None


def lengths(embeddings: np.ndarray, *_: object) -> list[int]:
    return [int(one) for one in embeddings[:, 0]]


@pytest.fixture
def slow() -> Iterator[Slow]:
    encoder = Slow()
    yield encoder
    encoder.go.set()


def hold(line: Line, slow: Slow):
    """Keep the line's one thread busy with a text of length 1."""
    held = line.submit(slow, ["x"], then=lengths)
    assert slow.begun.acquire(timeout=30)
    return held


def test_a_lone_request_is_run_at_once_and_alone(slow):
    line = Line(threads=1)
    held = hold(line, slow)
    slow.go.set()
    assert held.result(30) == [1] and slow.rounds == [[1]]


def test_what_waits_is_run_together_first_come_first_served_up_to_a_bound_of_tokens(slow):
    line = Line(threads=1)
    held, size = hold(line, slow), ROUND_TOKENS // 4
    waiting = [line.submit(slow, ["y" * (size - i)], then=lengths) for i in range(6)]
    assert line.n_waiting == 6
    slow.go.set()
    assert [future.result(30) for future in waiting] == [[size - i] for i in range(6)] and held.result(30) == [1]
    assert slow.rounds == [[1], [size - i for i in range(5)], [size - 5]]
    assert sum(slow.rounds[1][:-1]) < ROUND_TOKENS
    assert line.n_waiting == 0


def test_a_message_is_not_held_up_by_a_long_request_in_front_of_it(slow):
    line, long = Line(threads=1), ROUND_TOKENS
    held = hold(line, slow)
    many = line.submit(slow, ["z" * long] * (3 * PIECE), then=lengths)
    one = line.submit(slow, ["yy"], then=lengths)
    slow.go.set()
    assert (held.result(30), one.result(30), many.result(30)) == ([1], [2], [long] * (3 * PIECE))
    assert slow.rounds == [[1], [long] * PIECE, [2, *[long] * PIECE], [long] * PIECE]


def test_a_full_line_refuses_who_will_not_wait_and_says_so(slow):
    line = Line(threads=1, max_waiting=3)
    held = hold(line, slow)
    waiting = line.submit(slow, ["a", "bb", "ccc"], then=lengths, deadline_s=60)
    with pytest.raises(LineFull) as refused:
        line.submit(slow, ["d"], then=lengths, deadline_s=60)
    assert refused.value.fields == {"n_waiting": 3, "max_waiting": 3}
    patient = line.submit(slow, ["e"], then=lengths)  # no deadline: this process's own work is never refused
    slow.go.set()
    assert (held.result(30), waiting.result(30), patient.result(30)) == ([1], [1, 2, 3], [1])
    large = line.submit(slow, ["ffff"] * 5, then=lengths, deadline_s=60)  # larger than the limit, but nobody waits
    assert large.result(30) == [4] * 5


def test_who_leaves_makes_room_and_is_never_run(slow):
    line = Line(threads=1, max_waiting=1)
    held = hold(line, slow)
    gone = line.submit(slow, ["aaaa"], then=lengths, deadline_s=60)
    assert gone.cancel()
    stays = line.submit(slow, ["bb"], then=lengths, deadline_s=60)
    slow.go.set()
    assert (held.result(30), stays.result(30)) == ([1], [2])
    assert slow.rounds == [[1], [2]]
    with pytest.raises(CancelledError):
        gone.result(30)


def test_a_request_past_its_deadline_is_told_so_and_never_run(slow):
    line = Line(threads=1)
    held = hold(line, slow)
    late = line.submit(slow, ["aaaa"], then=lengths, deadline_s=0.001)
    patient = line.submit(slow, ["bb"], then=lengths, deadline_s=60)
    time.sleep(0.005)
    slow.go.set()
    with pytest.raises(WaitedTooLong, match=r"deadline_s"):
        late.result(30)
    assert (held.result(30), patient.result(30), slow.rounds) == ([1], [2], [[1], [2]])


def test_one_callers_failure_is_not_the_others(slow):
    line = Line(threads=1)
    held = hold(line, slow)
    bad = line.submit(slow, ["unreadable"], then=lengths)
    worse = line.submit(slow, ["aa"], then=lambda *_: 1 / 0)
    good = line.submit(slow, ["bbb"], then=lengths)
    slow.go.set()
    assert (held.result(30), good.result(30)) == ([1], [3])
    for future, error in ((bad, ValueError), (worse, ZeroDivisionError)):
        with pytest.raises(error):
            future.result(30)


def test_requests_for_two_models_are_never_in_one_run(slow):
    line, other = Line(threads=1), Slow()
    other.go.set()
    held = hold(line, slow)
    futures = [line.submit((slow, other)[i % 2], ["y" * (i + 1)], then=lengths) for i in range(4)]
    slow.go.set()
    assert [future.result(30) for future in futures] == [[1], [2], [3], [4]] and held.result(30) == [1]
    assert (slow.rounds, other.rounds) == ([[1], [1], [3]], [[2], [4]])


def test_many_callers_and_threads_lose_and_mix_nothing(bundles):
    """The answer to a text is the same alone, and amid whatever else waits, in order."""
    encoder = load_bundle(next(iter(bundles.values()))).encoder
    line, rng = Line(threads=2), np.random.default_rng(0)
    texts = [*TEXTS, "", "🙂" * 400, "长" * 500, *(" ".join(rng.choice(TEXTS, size=n)) for n in range(1, 20))]
    alone = np.array([encoder.run_one(text)[1] for text in texts])
    picks = [rng.integers(0, len(texts), size=size) for size in [1] * 40 + [3] * 10 + [3 * PIECE] * 4]
    futures = [line.submit(encoder, [texts[i] for i in picked], then=lambda _, logits, __: logits) for picked in picks]
    for picked, future in zip(picks, futures, strict=True):
        np.testing.assert_allclose(future.result(60), alone[picked], atol=1e-4)


def test_those_who_are_run_together_share_the_cpu_time_by_their_tokens(slow):
    line = Line(threads=1)
    held = hold(line, slow)
    one, other = (line.submit(slow, texts, then=lambda *args: args[2]) for texts in (["aaa", "bbb"], ["cc"]))
    slow.go.set()
    assert held.result(30) == [1]
    mine, theirs = one.result(30), other.result(30)
    assert (mine.n_tokens, theirs.n_tokens) == (6, 2)
    assert mine.cpu_s == pytest.approx(3 * theirs.cpu_s) and theirs.cpu_s > 0

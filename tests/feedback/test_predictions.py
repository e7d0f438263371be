"""What is handed over is asked first; what people settled already is not asked again."""

from __future__ import annotations

import pytest

from feilun.feedback import prediction_row, teach_score
from feilun.records import Answer


def answer(*probs: float, reason: str = "confident", labels: tuple[str, ...] = ("a",), confidence: float | None = None):
    return Answer(
        label="|".join(labels),
        labels=labels,
        confidence=probs[0] if confidence is None else confidence,
        decision="hand_over" if reason in ("unsure", "out_of_scope") else "answer",
        reason=reason,
        alternatives=tuple(zip("abc", probs, strict=False)),
    )


@pytest.mark.parametrize(
    ("given", "teaches"),
    [
        (answer(0.9, 0.1), 0.5 * 0.2),
        (answer(0.5, 0.5), 0.5),
        (answer(0.6, 0.3, reason="unsure"), 0.4 + 0.5 * 0.7),
        (answer(0.3, 0.3, reason="out_of_scope"), 1.0),
        (answer(1.0, reason="memory"), 0.0),
        (answer(0.99, 0.8, labels=("a", "b"), confidence=0.8), 0.5 * 0.4),
        (answer(0.45, 0.2, labels=(), confidence=0.55, reason="unsure"), 0.4 + 0.5 * 0.9),
    ],
    ids=["sure", "torn", "handed-over", "out-of-scope", "memory", "two-labels", "no-label"],
)
def test_doubt_teaches(given, teaches):
    assert teach_score(given) == pytest.approx(teaches)


def test_every_hand_over_is_asked_before_any_confident_answer_and_all_scores_are_shares():
    grid = [i / 20 for i in range(21)]
    confident = [teach_score(answer(p, (1 - p) * q)) for p in grid for q in grid if p >= 0.5]
    handed = [teach_score(answer(p, (1 - p) * q, reason="unsure")) for p in grid for q in grid]
    assert all(0 <= score <= 1 for score in confident + handed)
    assert teach_score(answer(1.0, 0.0, reason="unsure")) > teach_score(answer(0.7, 0.3))


def test_only_hand_overs_enter_the_queue():
    def state(given: Answer) -> str:
        row = prediction_row(
            project="p",
            inputs={"text": "x"},
            example_id="e",
            answer=given,
            model_id="m",
            latency_ms=1,
            prediction_id="p",
        )
        return row["queue_state"]

    assert [state(answer(0.9)), state(answer(0.4, reason="unsure")), state(answer(1.0, reason="memory"))] == [
        "none",
        "open",
        "none",
    ]

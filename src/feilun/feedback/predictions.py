"""The row of a served prediction: what was answered, and how much a label on it would teach."""

from __future__ import annotations

from typing import Any

from feilun.records import Answer
from feilun.store import utc_now
from feilun.store.traffic import ASKED

HAND_OVER_TEACHES = 0.4
# Out-of-scope messages teach most: a class that is missing, or what the model should learn to refuse.
OUT_OF_SCOPE_TEACHES = 0.5
# Where two models disagree one is wrong, and a label tells which; but nobody waits, as behind every hand-over.
DISAGREEMENT_TEACHES = 0.39
# Somebody is waiting for a second opinion: before all that the model itself is unsure of, after what was disliked.
ASKED_TEACHES = 1.0


def prediction_row(
    *,
    project: str,
    inputs: dict[str, Any],
    example_id: str,
    answer: Answer,
    model_id: str,
    latency_ms: float,
    prediction_id: str,
    release_id: str | None = None,
    bucket: int | None = None,
) -> dict[str, Any]:
    """A row for `store.add_predictions`; `release_id` and `bucket` are of the shadow or canary that was under way.

    `queue_state` is "open" for every hand-over, so that a person sees it, and "none" for every confident answer.
    """
    return {
        "prediction_id": prediction_id,
        "project": project,
        "model_id": model_id,
        "inputs": inputs,
        "example_id": example_id,
        "labels": list(answer.labels),
        "confidence": answer.confidence,
        "decision": answer.decision,
        "reason": answer.reason,
        "alternatives": [list(pair) for pair in answer.alternatives],
        "teach": teach_score(answer),
        "queue_state": "open" if answer.decision == "hand_over" else "none",
        "latency_ms": latency_ms,
        "created_at": utc_now(),
        "release_id": release_id,
        "bucket": bucket,
    }


def asked_row(**served: Any) -> dict[str, Any]:
    """A row for `store.ask_people`: arguments as for `prediction_row`; no user was answered with it."""
    return prediction_row(**served, latency_ms=0.0) | {
        "queue_state": "open",
        "reason": ASKED,
        "teach": ASKED_TEACHES,
    }


def shadow_row(prediction: dict[str, Any], answer: Answer, *, model_id: str) -> dict[str, Any]:
    """A row for `store.add_shadow_answers`: what a shadow would have said instead of `prediction`, a row of ours."""
    return {
        "prediction_id": prediction["prediction_id"],
        "project": prediction["project"],
        "release_id": prediction["release_id"],
        "model_id": model_id,
        "labels": list(answer.labels),
        "confidence": answer.confidence,
        "decision": answer.decision,
        "agrees": set(answer.labels) == set(prediction["labels"]),
        "created_at": utc_now(),
    }


def teach_score(answer: Answer) -> float:
    """How much a person's label on `answer` would teach, in [0, 1]; the review queue is ordered by it.

    Half of it is doubt; being handed over adds the rest, so that no confident answer comes before a hand-over. An
    answer from memory teaches nothing: a person has spoken on it already.

    Source:
        Margin sampling: Scheffer et al. 2001, "Active Hidden Markov Models for Information Extraction";
        least confidence where labels do not compete: Settles 2009, "Active Learning Literature Survey".
    """
    if answer.reason == "memory":
        return 0.0
    bonus = 0.0
    if answer.decision == "hand_over":
        bonus = OUT_OF_SCOPE_TEACHES if answer.reason == "out_of_scope" else HAND_OVER_TEACHES
    return bonus + 0.5 * _doubt(answer)


def _doubt(answer: Answer) -> float:
    """In [0, 1]: how little sets the best answer apart from the next.

    Where one label wins, its probability is the confidence, and the margin to the runner-up tells. Where several
    labels may apply, each is a yes or no of its own and the confidence, that of the least sure one, is at least 0.5.
    """
    best = answer.alternatives[0] if answer.alternatives else None
    one_wins = best is not None and answer.labels == (best[0],) and abs(best[1] - answer.confidence) < 1e-6
    if one_wins:
        runner_up = answer.alternatives[1][1] if len(answer.alternatives) > 1 else 0.0
        return _clip(1 - (answer.confidence - runner_up))
    return _clip(2 * (1 - answer.confidence))


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)

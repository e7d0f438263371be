"""The one function the wheel calls: everything the report says about a model, from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feilun.config import EvaluateSettings
from feilun.evaluate.advice import FEW_VALIDATION, SMALL_HOLDOUT, Warnings
from feilun.evaluate.arrays import ChampionView, Judgement, ValidationArrays, align, check_logits, check_rows
from feilun.evaluate.calibration import ece_interval, expected_calibration_error, fit_temperature, reliability_bins
from feilun.evaluate.classes import confused_pairs, per_class_metrics
from feilun.evaluate.errors import ShapeMismatch
from feilun.evaluate.intervals import Resamples, bootstrap_interval, wilson
from feilun.evaluate.judged import Holdout, hold_out, read_answers
from feilun.evaluate.paired import compare
from feilun.evaluate.scope import MIN_OUTSIDE, judge_scope, scope_threshold
from feilun.evaluate.thresholds import AnswerThreshold, answer_threshold, label_threshold, memory_threshold
from feilun.records import Calibration, Comparison, Example, Interval, OutOfScope, Thresholds
from feilun.tasks import Task


@dataclass(frozen=True)
class _Learnt:
    """What the out-of-fold rows teach: temperature and thresholds."""

    temperature: float
    thresholds: Thresholds
    answering: AnswerThreshold
    n_rows: int
    n_outside: int


def judge(
    *,
    task: Task,
    labels: Sequence[str],
    settings: EvaluateSettings,
    validation: ValidationArrays,
    holdout: Sequence[Example],
    holdout_logits: np.ndarray,
    holdout_embeddings: np.ndarray,
    champion: ChampionView | None = None,
    seed: int,
) -> Judgement:
    """Judge a model: metrics with intervals, calibration, thresholds, out of scope, the test against the champion.

    Temperature and thresholds are chosen on the out-of-fold rows; the holdout only says what they achieve. The one
    exception is the memory's threshold, on which no figure of the report stands: it needs embeddings by the shipped
    graph of messages that graph has not learnt from, and those are the holdout's. Metrics are over the holdout rows
    that are in scope; a row whose label the model does not know can only be wrong.

    Args:
        labels: the model's classes, in the order of the logits' columns.
        validation: training examples under models that had not learnt from them.
        holdout: the frozen holdout; rows without a target are left out, with a warning.
        holdout_logits: (len(holdout), len(labels)) float32, from the graph that would ship.
        holdout_embeddings: (len(holdout), h) float32, unit length, from the same graph.
        champion: the model that answers now, seen through its answers to the same rows; None on the first turn.
        seed: of the resampling. The same arguments give the same judgement.
    Raises:
        HoldoutEmpty: no holdout row has a label in scope.
        ShapeMismatch: arrays that belong together differ in shape.
        NotFinite: a model gives NaN or infinity.
    """
    _check(labels, validation, holdout, holdout_logits, champion)
    check_rows(holdout_embeddings, what="holdout_embeddings", n_rows=len(holdout))
    held = hold_out(task, labels, holdout)
    learnt = _learn(task, validation, settings)
    level, thresholds = settings.confidence_level, learnt.thresholds

    raw, inside = holdout_logits[held.kept], ~held.outside
    said = read_answers(task, held, raw, labels=labels, temperature=learnt.temperature, thresholds=thresholds)
    probs, targets, given = said.probs, said.targets, said.given
    confidence, correct = said.confidence, said.correct
    before = align(task.probs(raw), labels, to=held.space)

    resamples = Resamples(int(inside.sum()), settings.n_bootstrap, seed=seed)
    answered = said.answered(thresholds)
    n_answered, n_wrong = int(answered.sum()), int((answered & ~correct).sum())
    is_missed = wilson(n_wrong, n_answered, level=level).low > settings.max_error_rate
    thresholds = thresholds.model_copy(
        update={
            # a promise that the holdout clearly contradicts is none: training messages are not like these
            "guaranteed": thresholds.guaranteed and not is_missed,
            "memory": memory_threshold(
                holdout_embeddings[held.kept][inside], targets[inside] > 0, given[inside], seed=seed
            ),
            "expected_answer_rate": n_answered / len(answered),
            "expected_error_rate": n_wrong / n_answered if n_answered else 0.0,
        }
    )
    warnings = _warn(
        held, learnt, settings, targets=targets, n_answered=n_answered, n_wrong=n_wrong, is_missed=is_missed
    )
    return Judgement(
        metrics=_metrics(task, probs[inside], targets[inside], thresholds, resamples=resamples, level=level),
        per_class=per_class_metrics(given[inside], targets[inside] > 0, held.space, level=level),
        confused=confused_pairs(
            given[inside],
            targets[inside] > 0,
            held.space,
            [row.example_id for row, is_in in zip(held.rows, inside, strict=True) if is_in],
        ),
        calibration=Calibration(
            temperature=learnt.temperature,
            ece_before=expected_calibration_error(
                task.confidence(before)[inside], task.correct(before, targets, thresholds)[inside]
            ),
            ece_after=ece_interval(confidence[inside], correct[inside], resamples=resamples, level=level),
            bins=reliability_bins(confidence[inside], correct[inside]),
            n_examples=learnt.n_rows - learnt.n_outside,
            source="out_of_fold" if learnt.n_rows > learnt.n_outside else "none",
        ),
        thresholds=thresholds,
        out_of_scope=_scope(said.in_scope, correct, held.outside, thresholds=thresholds, level=level),
        comparison=_compare(task, held, champion, correct, level=level),
        warnings_en=tuple(warnings.en),
        warnings_zh=tuple(warnings.zh),
    )


def _check(
    labels: Sequence[str],
    validation: ValidationArrays,
    holdout: Sequence[Example],
    holdout_logits: np.ndarray,
    champion: ChampionView | None,
) -> None:
    n, c = len(validation.logits), len(labels)
    check_logits(validation.logits, what="validation_logits", n_rows=n, n_classes=c)
    check_logits(holdout_logits, what="holdout_logits", n_rows=len(holdout), n_classes=c)
    if champion is not None:
        n_known = len(champion.labels)
        check_logits(champion.holdout_logits, what="champion_logits", n_rows=len(holdout), n_classes=n_known)
    others = {"validation_targets": (validation.targets, (n, c)), "validation_outside": (validation.outside, (n,))}
    for what, (array, expected) in others.items():
        if array.shape != expected:
            raise ShapeMismatch(what=what, found=tuple(array.shape), expected=expected)


def _learn(task: Task, validation: ValidationArrays, settings: EvaluateSettings) -> _Learnt:
    outside, targets = validation.outside, validation.targets
    temperature = fit_temperature(task, validation.logits[~outside], targets[~outside])
    probs = task.probs(validation.logits, temperature=temperature)
    thresholds = Thresholds(
        answer=0.0, max_error_rate=settings.max_error_rate, expected_answer_rate=0.0, expected_error_rate=0.0
    )
    if task.settings.multi_label:
        thresholds = thresholds.model_copy(update={"label": label_threshold(probs[~outside], targets[~outside])})
    correct = task.correct(probs, targets, thresholds) & ~outside
    confidence = task.confidence(probs) if len(probs) else np.zeros(0)
    answering = answer_threshold(
        confidence, correct, max_error_rate=settings.max_error_rate, level=settings.confidence_level
    )
    update: dict[str, float | bool | None] = {
        "answer": answering.threshold,
        "guaranteed": answering.evidence == "promised",
        "out_of_scope": scope_threshold(
            task.in_scope(probs) if len(probs) else np.zeros(0), correct, outside, max_refused=settings.max_refused
        ),
    }
    return _Learnt(
        temperature=temperature,
        thresholds=thresholds.model_copy(update=update),
        answering=answering,
        n_rows=len(outside),
        n_outside=int(outside.sum()),
    )


def _metrics(
    task: Task, probs: np.ndarray, targets: np.ndarray, thresholds: Thresholds, *, resamples: Resamples, level: float
) -> dict[str, Interval]:
    """The task's metrics with intervals: Wilson's for those that are a share of right rows, else the bootstrap's."""
    resampled = task.resampled_metrics(probs, targets, thresholds, weights=resamples)
    right = task.correct(probs, targets, thresholds).astype(np.float32)
    shares = np.concatenate([block @ right for block in resamples]) / len(right)
    found = {}
    for name, value in task.metrics(probs, targets, thresholds).items():
        is_share = np.isclose(value, right.mean()) and np.allclose(resampled[name], shares, atol=1e-5)
        found[name] = (
            wilson(float(right.sum()), len(right), level=level)
            if is_share
            else bootstrap_interval(value, resampled[name], n=len(right), level=level)
        )
    return found


def _scope(
    in_scope: np.ndarray, correct: np.ndarray, outside: np.ndarray, *, thresholds: Thresholds, level: float
) -> OutOfScope | None:
    if thresholds.out_of_scope is None or not outside.any():
        return None
    return judge_scope(in_scope, correct, outside, threshold=thresholds.out_of_scope, level=level)


def _compare(
    task: Task, held: Holdout, champion: ChampionView | None, correct: np.ndarray, *, level: float
) -> Comparison | None:
    """McNemar's test on the in-scope rows; each model is judged on its own labels and those of the holdout."""
    if champion is None:
        return None
    known = set(champion.labels)
    space = (*champion.labels, *(label for label in task.label_space(held.rows) if label not in known))
    probs = task.probs(champion.holdout_logits[held.kept], temperature=champion.temperature)
    champion_correct = task.correct(
        align(probs, champion.labels, to=space), task.encode_targets(held.rows, space), champion.thresholds
    )
    inside = ~held.outside
    return compare(
        champion_correct[inside], correct[inside], champion_id=champion.model_id, metric="accuracy", level=level
    )


def _warn(
    held: Holdout,
    learnt: _Learnt,
    settings: EvaluateSettings,
    *,
    targets: np.ndarray,
    n_answered: int,
    n_wrong: int,
    is_missed: bool,
) -> Warnings:
    warnings = Warnings()
    n_inside = int((~held.outside).sum())
    if n_inside < SMALL_HOLDOUT:
        warnings.add("small_holdout", n=n_inside, enough=SMALL_HOLDOUT)
    if len(held.rows) < len(held.kept):
        warnings.add("unlabelled_holdout", n=len(held.kept) - len(held.rows))
    absent = [label for label, n in zip(held.space, targets.sum(axis=0), strict=True) if n == 0]
    if absent:
        warnings.add("no_holdout_row", n=len(absent), n_classes=len(held.space), names=absent)
    if held.unknown:
        warnings.add("unknown_labels", n=held.n_unknown_rows, names=held.unknown)

    limit, answering = settings.max_error_rate, learnt.answering
    if learnt.n_rows == 0:
        warnings.add("no_validation")
    elif learnt.n_rows < FEW_VALIDATION:
        warnings.add("few_validation", n=learnt.n_rows)
    if learnt.n_rows and answering.evidence == "best_effort":
        warnings.add(
            "best_effort", limit=limit, n=learnt.n_rows, n_answered=answering.n_answered, n_wrong=answering.n_wrong
        )
    elif learnt.n_rows and answering.evidence == "none":
        warnings.add("hand_over_all", limit=limit)
    if is_missed:
        warnings.add("limit_missed", n_wrong=n_wrong, n_answered=n_answered, limit=limit)

    if held.outside.any() and learnt.thresholds.out_of_scope is None:
        warnings.add("scope_not_learnt", n=learnt.n_outside, needed=MIN_OUTSIDE)
    if learnt.thresholds.out_of_scope is not None and not held.outside.any():
        warnings.add("scope_not_judged")
    return warnings

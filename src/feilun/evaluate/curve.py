"""The learning-curve adviser: what more labels would bring, where, and whether they reach the goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feilun.evaluate.curve_fit import extrapolate
from feilun.evaluate.intervals import z_value
from feilun.records import ClassGain, CurvePoint, Forecast, Interval, LearningCurve
from feilun.tasks import Task

N_DRAWS = 400
NEXT_LABELS = 100
FURTHEST = 4
"""Nothing is said beyond so many times the labels there are: that is as far as the forecasts were checked."""
N_STEPS = 60
LEAST_JUDGED = 20
YES, LIKELY = 0.9, 0.5
LABELS_OF_A_CLASS = 10
SHRINK_ROWS = 5.0
"""A class's error is pulled towards the mean of all as if that had been seen on so many rows of it."""
MOST_REWEIGHTING = 5.0


@dataclass(frozen=True)
class CurveArrays:
    """Refits on growing parts of the training rows; a row stands there once for each time that it was judged.

    n_labels: (k,) labels learnt from, ascending; logits: (k, m, c); targets: (m, c) of 0 and 1; rows: (m,) which
    row each judgement is of; is_held: (m,) bool, rows of the holdout; n_train: (c,) training rows of each class.
    """

    n_labels: np.ndarray
    logits: np.ndarray
    targets: np.ndarray
    rows: np.ndarray
    is_held: np.ndarray
    n_train: np.ndarray


def learning_curve(
    arrays: CurveArrays,
    *,
    task: Task,
    labels: Sequence[str],
    n_labels: int,
    metric: str,
    goal: float,
    level: float,
    seed: int,
    mix: np.ndarray | None = None,
    now: Interval | None = None,
) -> LearningCurve | None:
    """What more labels of the same kind would bring; None when there are too few rows to say.

    Resampled rows give resampled curves, so the interval holds both what is not known about today's figure and what is
    not known about the way the curve goes on.

    Args:
        n_labels: the labelled training rows there are.
        metric: of the task; the headline metric when the task has no such.
        goal: what the metric is to reach; 0 means that no goal is set.
        mix: (c,) how frequent the classes are where the model is judged (the holdout); None means as in training.
        now: the metric of the model itself on the holdout. The curve is then laid through it: the share of the errors
            that labels take away is the refits', what they are taken from the model's. None: the refits' own level.
    """
    row_ids, place, times = np.unique(arrays.rows, return_inverse=True, return_counts=True)
    if len(row_ids) < LEAST_JUDGED or len(np.unique(arrays.n_labels)) < 3:
        return None
    shares = _shares(arrays.n_train, mix)
    blocks = _resampled(arrays, place, times, shares, seed=seed)
    probs = [task.probs(logits) for logits in arrays.logits]
    metric, values = _measure(task, probs, arrays.targets, blocks, metric=metric)
    steps = np.unique(np.round(np.geomspace(n_labels, FURTHEST * n_labels, N_STEPS)).astype(int))
    asked = [NEXT_LABELS, n_labels, (FURTHEST - 1) * n_labels]
    ahead = sorted({more for more in asked if more <= (FURTHEST - 1) * n_labels})
    at = np.concatenate([[n_labels], n_labels + np.array(ahead), steps])
    expected, draws, luck = extrapolate(arrays.n_labels, values, at, seed=seed)
    if now is not None:
        expected, draws = _lay_through(now, expected, draws, seed=seed)
    # The next labels are one draw of many: the model that learns from them lies beside the curve.
    lucky = draws + luck * np.random.default_rng([seed, 3]).standard_normal(draws.shape)
    curve = LearningCurve(
        metric=metric,
        n_labels=n_labels,
        points=tuple(
            CurvePoint(n_labels=round(float(n)), value=float(value))
            for n, value in zip(arrays.n_labels, values[0], strict=True)
        ),
        now=now or _interval(expected[0], draws[:, 0], level=level),
        forecasts=tuple(
            Forecast(
                n_more=more,
                value=_interval(expected[i], np.clip(lucky[:, i], 0.0, 1.0), level=level),
                gain=_interval(expected[i] - expected[0], lucky[:, i] - draws[:, 0], level=level),
            )
            for i, more in enumerate(ahead, start=1)
        ),
        classes=_class_gains(task, probs[-1], arrays, shares, labels, decline=_decline(expected, at)),
    )
    if goal <= 0:
        return curve
    return curve.model_copy(update=_reach(goal, curve.now, steps, expected, draws, first=1 + len(ahead), level=level))


def _shares(n_train: np.ndarray, mix: np.ndarray | None) -> np.ndarray:
    """(c,) how frequent each class is where it counts: the holdout's mix, drawn a little towards the training rows'."""
    trained = n_train / max(n_train.sum(), 1)
    if mix is None or mix.sum() == 0:
        return np.asarray(trained)
    n_classes = len(n_train)
    return np.asarray((mix + n_classes * trained) / (mix.sum() + n_classes))


def _resampled(
    arrays: CurveArrays, place: np.ndarray, times: np.ndarray, shares: np.ndarray, *, seed: int
) -> np.ndarray:
    """(1 + b, m) float32 weights of the judgements, each summing to m; the first row is all of them, the others are
    resampled by row. A row counts once, however often it was judged; a class among the training rows as much as it is
    frequent where the model is judged."""
    trained = arrays.n_train / max(arrays.n_train.sum(), 1)
    ratio = np.clip(shares / np.maximum(trained, 1e-12), 1 / MOST_REWEIGHTING, MOST_REWEIGHTING)
    gold = arrays.targets > 0
    n_gold = gold.sum(axis=1)
    as_judged = np.where(n_gold > 0, (gold * ratio).sum(axis=1) / np.maximum(n_gold, 1), 1.0)
    weight = np.where(arrays.is_held, 1.0, as_judged) / times[place]
    n_rows = len(times)
    drawn = np.random.default_rng(seed).multinomial(n_rows, np.full(n_rows, 1 / n_rows), size=N_DRAWS)
    counts = np.concatenate([np.ones((1, n_rows)), drawn])[:, place] * weight
    return np.asarray(counts * (counts.shape[1] / counts.sum(axis=1, keepdims=True)), dtype=np.float32)


def _measure(
    task: Task, probs: Sequence[np.ndarray], targets: np.ndarray, blocks: np.ndarray, *, metric: str
) -> tuple[str, np.ndarray]:
    """The metric's name and its values (1 + b, k)."""
    measured = [task.resampled_metrics(some, targets, weights=[blocks]) for some in probs]
    name = metric if all(metric in found for found in measured) else next(iter(measured[0]))
    return name, np.stack([found[name] for found in measured], axis=1)


def _lay_through(now: Interval, expected: np.ndarray, draws: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The curve through the model's own figure: its errors shrink by the share by which the refits' errors do."""
    spread = (now.high - now.low) / (2 * z_value(now.level))
    levels = np.clip(now.value + spread * np.random.default_rng([seed, 1]).standard_normal(len(draws)), 0.0, 1.0)
    shrunk = (1 - expected) / max(1 - expected[0], 1e-9)
    shrunk_draws = (1 - draws) / np.maximum(1 - draws[:, :1], 1e-9)
    return 1 - (1 - now.value) * np.minimum(shrunk, 1), 1 - (1 - levels)[:, None] * np.minimum(shrunk_draws, 1)


def _interval(value: float, draws: np.ndarray, *, level: float) -> Interval:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value=float(value), low=min(float(low), value), high=max(float(high), value), level=level)


def _decline(expected: np.ndarray, at: np.ndarray) -> float:
    """By which power of the labels the error falls, between now and the furthest forecast."""
    error, later = max(1 - expected[0], 1e-9), max(1 - expected[-1], 1e-9)
    return float(np.log(error / later) / np.log(at[-1] / at[0]))


def _class_gains(
    task: Task, probs: np.ndarray, arrays: CurveArrays, shares: np.ndarray, labels: Sequence[str], *, decline: float
) -> tuple[ClassGain, ...]:
    """Every class, those that gain most for ten labels first.

    One power for all classes, for nobody can fit a curve to five rows; a class's own error, drawn towards the mean.
    """
    gold = arrays.targets > 0
    _, place, times = np.unique(arrays.rows, return_inverse=True, return_counts=True)
    once = gold / times[place][:, None]  # judging a row again does not make it two
    missed, seen = (once * ~task.given(probs)).sum(axis=0), once.sum(axis=0)
    mean = missed.sum() / max(seen.sum(), 1e-9)
    n_rows = np.maximum(arrays.n_train, 1)
    error = (missed + SHRINK_ROWS * mean) / (seen + SHRINK_ROWS)
    gain = shares * error * (1 - (n_rows / (n_rows + LABELS_OF_A_CLASS)) ** decline)
    return tuple(
        ClassGain(
            label=labels[i], n_examples=int(arrays.n_train[i]), error=float(error[i]), gain=float(max(gain[i], 0.0))
        )
        for i in np.argsort(-gain, kind="stable")
    )


def _reach(
    goal: float, now: Interval, steps: np.ndarray, expected: np.ndarray, draws: np.ndarray, *, first: int, level: float
) -> dict[str, object]:
    """The fields of the verdict on the goal."""
    if now.value >= goal:
        return {"goal": goal, "verdict": "reached", "chance": 1.0, "n_needed": 0}
    # Around their middle, so that the verdict and the number of labels say the same as the expected curve.
    paths = draws[:, first:] - np.median(draws[:, first:], axis=0) + expected[first:]
    chance = float((paths[:, -1] >= goal).mean())
    needed = np.array([_first_above(path, goal, steps) for path in paths])
    low, high = np.quantile(needed, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    usual = _first_above(expected[first:], goal, steps)
    verdict = "yes" if chance >= YES else "likely" if chance >= LIKELY else "unlikely"

    def more(n: float) -> int | None:
        return int(n) - int(steps[0]) if np.isfinite(n) else None

    return {
        "goal": goal,
        "verdict": verdict,
        "chance": chance,
        "n_needed": more(usual),
        "n_needed_low": more(low),
        "n_needed_high": more(high),
    }


def _first_above(path: np.ndarray, goal: float, steps: np.ndarray) -> float:
    above = np.flatnonzero(path >= goal)
    return float(steps[above[0]]) if len(above) else np.inf

"""The learning curve of a dataset: refits by `train`, read by `evaluate`; for a turn and for `data advise`."""

from __future__ import annotations

from pathlib import Path

from feilun.config import FeilunSettings
from feilun.records import Backbone, Dataset, Interval, LearningCurve
from feilun.tasks import Task


def draw_curve(
    dataset: Dataset,
    backbone: Backbone,
    settings: FeilunSettings,
    *,
    task: Task,
    cache_dir: Path,
    seed: int,
    now: Interval | None = None,
) -> LearningCurve | None:
    """What more labels would bring; None when there are too few rows to say.

    Args:
        now: the goal's metric of the model that the curve is laid through; None: the refits' own.
    """
    from feilun.evaluate import CurveArrays, learning_curve
    from feilun.train import refit

    arrays = CurveArrays(**refit(dataset, backbone, settings, task=task, cache_dir=cache_dir, seed=seed))
    outside = settings.task.out_of_scope_label
    labels = dataset.labels or task.label_space(dataset.train)
    return learning_curve(
        arrays,
        task=task,
        labels=labels,
        n_labels=sum(not outside or example.target != (outside,) for example in dataset.train),
        metric=settings.goal.metric,
        goal=settings.goal.at_least,
        level=settings.evaluate.confidence_level,
        seed=seed,
        mix=task.encode_targets(dataset.holdout, labels).sum(axis=0),
        now=now,
    )

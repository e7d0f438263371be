"""What a model said of each holdout row when it was judged: kept beside the bundles, for who wants to see its errors.

The messages stay in the dataset, and none of this is in the bundle, which users hand on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from feilun.disk import sync_path
from feilun.errors import FeilunError
from feilun.records import Example, Report
from feilun.store import Store
from feilun.tasks import Task

if TYPE_CHECKING:
    from feilun.evaluate import Judged

NAME = "judged.safetensors"


class JudgedGone(FeilunError):
    """What a model said of the single holdout rows was not kept, or what it was asked is not there."""

    code, kind = "evaluate.rows_not_kept", "missing"
    en = (
        "What model {model_id} said of single held-out messages is not kept here: it was imported, or made before "
        "Feilun kept this. Its report stands; the next turn's model will have its messages."
    )
    zh = (
        "此处没有保留模型 {model_id} 对每条留出消息的回答：它是导入的，或制作于 Feilun 开始保留这些内容之前。"
        "其报告仍然有效；下一轮的模型会带有这些消息。"
    )


def write_judged(
    folder: Path, logits: np.ndarray, *, holdout: tuple[Example, ...], rows: dict[str, int | None]
) -> None:
    """Leave the logits (n_holdout, n_classes) of a model that has no id yet in the turn's folder.

    Args:
        rows: the examples' numbers in their files, as far as they are known.
    """
    places = [rows.get(example.example_id) for example in holdout]
    arrays: dict[str, np.ndarray] = {
        "logits": np.ascontiguousarray(logits, dtype=np.float32),
        "places": np.array([-1 if place is None else place for place in places], dtype=np.int64),
    }
    aside = folder / f"{NAME}.partial"
    save_file(arrays, aside)
    aside.replace(folder / NAME)


def keep_judged(store: Store, *, model_id: str, folder: Path) -> None:
    """Move what `write_judged` left in `folder` to its place. Safe to repeat."""
    left, place = folder / NAME, store.judged_path(model_id)
    if left.is_file():
        left.replace(place)
        sync_path(place.parent)


def read_judged(store: Store, *, model_id: str, report: Report, labels: tuple[str, ...], task: Task) -> Judged:
    """The holdout as the model answered it when it was judged.

    Args:
        task: as the model was made for it; `labels` are its classes.
    Raises:
        JudgedGone: that was not kept, or the dataset is not here.
        SnapshotDamaged: the dataset is not what it was.
    """
    from feilun.data import read_snapshot
    from feilun.evaluate import Judged, hold_out, read_answers

    place, snapshot = store.judged_path(model_id), store.dataset_path(report.dataset_id)
    if not place.is_file() or not snapshot.is_file():
        raise JudgedGone(model_id=model_id)
    holdout = read_snapshot(snapshot).holdout
    try:
        with safe_open(place, framework="numpy") as file:
            logits, places = file.get_tensor("logits"), file.get_tensor("places")
    except (OSError, SafetensorError) as error:
        raise JudgedGone(model_id=model_id) from error
    if logits.shape != (len(holdout), len(labels)) or places.shape != (len(holdout),):
        raise JudgedGone(model_id=model_id)
    held = hold_out(task, labels, holdout)
    said = read_answers(
        task,
        held,
        logits[held.kept],
        labels=labels,
        temperature=report.calibration.temperature,
        thresholds=report.thresholds,
    )
    return Judged(
        model_id=model_id,
        task=task,
        labels=labels,
        held=held,
        said=said,
        report=report,
        places=places[held.kept],
    )

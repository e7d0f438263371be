"""What a trial needs to know, as files: JSON and safetensors. Workers read it; nothing is ever pickled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feilun.config import FeilunSettings
from feilun.network.budget import Budget
from feilun.network.checkpoint import Checkpoints
from feilun.records import Backbone, BackboneInfo
from feilun.tasks import get_task
from feilun.train.folds import FoldPlan
from feilun.train.rows import TrainingRows
from feilun.train.search.trial import Fixed
from feilun.train.session import Session

ABOUT, ARRAYS = "job.json", "job.safetensors"


def write_job(folder: Path, session: Session, fixed: Fixed) -> None:
    """Leave what all trials of a study share in `folder`. Texts stay behind: trials learn from token ids."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    rows, plan = session.rows, fixed.plan
    arrays = {
        "targets": rows.targets,
        "weights": rows.weights,
        "places": rows.places,
        "embeddings": session.embeddings,
        **_ragged("tokens", session.token_ids),
        **_ragged("train", [train for train, _ in plan.folds]),
        **_ragged("held", [held for _, held in plan.folds]),
    }
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / ARRAYS)
    about = {
        "settings": session.settings.model_dump(mode="json"),
        "backbone": {"folder": str(session.backbone.folder), "info": session.backbone.info.model_dump(mode="json")},
        "labels": list(rows.labels),
        "n_offered": session.n_offered,
        "cache_dir": str(session.cache_dir),
        "n_folds": plan.n_folds,
        "seed": session.seed,
        "epochs": fixed.epochs,
        "head_c": fixed.head_c,
    }
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), "utf-8")


def read_job(folder: Path) -> tuple[Session, Fixed]:
    """The session and the fixed parts as `write_job` was given them, but for the texts."""
    from safetensors.numpy import load_file

    about = json.loads((folder / ABOUT).read_text("utf-8"))
    arrays = load_file(folder / ARRAYS)
    settings = FeilunSettings.model_validate(about["settings"])
    pairs = zip(_unragged("train", arrays), _unragged("held", arrays), strict=True)
    plan = FoldPlan(folds=tuple(pairs), n_folds=about["n_folds"])
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    session = Session(
        rows=TrainingRows(
            texts=[""] * len(arrays["targets"]),
            targets=arrays["targets"],
            weights=arrays["weights"],
            labels=tuple(about["labels"]),
            places=arrays["places"],
        ),
        embeddings=arrays["embeddings"],
        token_ids=[ids.tolist() for ids in _unragged("tokens", arrays)],
        n_offered=about["n_offered"],
        plan=plan,
        backbone=Backbone(Path(about["backbone"]["folder"]), BackboneInfo.model_validate(about["backbone"]["info"])),
        settings=settings,
        task=get_task(settings.task),
        budget=Budget(float("inf")),  # each piece of work brings a limit of its own
        seed=about["seed"],
        scratch=scratch,
        cache_dir=Path(about["cache_dir"]),
        checkpoints=Checkpoints(scratch / "checkpoints", key="job"),
        emit=lambda kind, data: None,
    )
    return session, Fixed(plan=plan, epochs=about["epochs"], head_c=about["head_c"])


def _ragged(name: str, rows: Sequence[Sequence[int] | np.ndarray]) -> dict[str, np.ndarray]:
    flat = [np.asarray(row, dtype=np.int64) for row in rows]
    ends = np.cumsum([len(row) for row in flat], dtype=np.int64)
    return {name: np.concatenate(flat) if flat else np.empty(0, np.int64), f"{name}.ends": ends}


def _unragged(name: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    return np.split(arrays[name], arrays[f"{name}.ends"][:-1]) if len(arrays[f"{name}.ends"]) else []

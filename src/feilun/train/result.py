"""What training leaves on disk: written aside and renamed, and readable again by anyone."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from feilun.models.serving import ADAPTER_NAMES
from feilun.records import CandidateResult, TrainResult
from feilun.train.errors import ResultDamaged

NETWORK, VALIDATION, MARK = "network.safetensors", "validation.safetensors", "train.json"
FORMAT_VERSION = 1


def write_result(
    folder: Path,
    *,
    labels: tuple[str, ...],
    leaderboard: tuple[CandidateResult, ...],
    seed: int,
    meta: dict[str, Any],
    network: dict[str, np.ndarray],
    validation: dict[str, np.ndarray],
    files: dict[str, bytes],
) -> TrainResult:
    """Write the three files of a result (and the adapter's `files`) into `folder`, train.json last.

    train.json is the mark of a whole result and names the hashes of the others: a process killed at any moment leaves
    either the old result, or the new one, or none, never a mixture that loads.
    """
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    contents = {NETWORK: save(_contiguous(network)), VALIDATION: save(_contiguous(validation)), **files}
    document = {
        "format_version": FORMAT_VERSION,
        "labels": list(labels),
        "leaderboard": [candidate.model_dump(mode="json") for candidate in leaderboard],
        "seed": seed,
        "meta": meta,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    contents[MARK] = json.dumps(document, ensure_ascii=False, indent=1).encode()
    for name, content in contents.items():
        with (folder / f"{name}.partial").open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for name in (MARK, *ADAPTER_NAMES):  # an older result's adapter is not this one's
        (folder / name).unlink(missing_ok=True)
    for name in contents:
        (folder / f"{name}.partial").replace(folder / name)
    return load_result(folder)


def load_result(folder: Path) -> TrainResult:
    """The result in `folder`, its files checked against their hashes.

    Raises:
        ResultDamaged: a file is missing, changed, or of a format that this version does not know.
    """
    folder = Path(folder)
    try:
        document = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultDamaged(folder=str(folder), what=f"{MARK}: {error}") from error
    if document.get("format_version") != FORMAT_VERSION:
        raise ResultDamaged(folder=str(folder), what=f"{MARK}: format_version {document.get('format_version')!r}")
    for name, expected in document["files"].items():
        path = folder / name
        if not path.is_file():
            raise ResultDamaged(folder=str(folder), what=name)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise ResultDamaged(folder=str(folder), what=f"{name}: sha256")
    return TrainResult(
        folder=folder,
        labels=tuple(document["labels"]),
        leaderboard=tuple(CandidateResult.model_validate(line) for line in document["leaderboard"]),
        seed=document["seed"],
        meta=document["meta"],
    )


def _contiguous(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

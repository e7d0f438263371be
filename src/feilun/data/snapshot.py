"""A dataset on disk: canonical JSON lines whose hash is the dataset's id.

Line 1 names the id and the format version; everything below is hashed: the labels, then every example, sorted by
split and id. Row numbers are not part of a dataset, so that sorting a spreadsheet does not make it another one.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from feilun.data.errors import SnapshotDamaged
from feilun.models.bundle import sync_path
from feilun.records import Dataset, Example

FORMAT_VERSION = 1
SPLITS = ("holdout", "train", "unlabelled")


def make_dataset(
    *, train: list[Example], holdout: list[Example], unlabelled: list[Example], labels: tuple[str, ...]
) -> Dataset:
    """A dataset in canonical order, with the id that its content gives it."""
    parts = {
        "train": tuple(sorted(train, key=lambda e: e.example_id)),
        "holdout": tuple(sorted(holdout, key=lambda e: e.example_id)),
        "unlabelled": tuple(sorted(unlabelled, key=lambda e: e.example_id)),
    }
    draft = Dataset(dataset_id="", labels=labels, **parts)
    return Dataset(dataset_id=_dataset_id(draft), labels=labels, **parts)


def write_snapshot(dataset: Dataset, path: Path) -> None:
    """Write `dataset` aside, flush it to the disk, then put it in place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as file:
            file.write(_line({"dataset_id": dataset.dataset_id, "format_version": FORMAT_VERSION}))
            file.writelines(_content(dataset))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_path(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_snapshot(path: Path) -> Dataset:
    """The dataset in `path`, its content checked against its id.

    Raises:
        SnapshotDamaged: a byte is not what was written, or a newer Feilun wrote it.
    """
    digest, parts = sha256(), {split: list[Example]() for split in SPLITS}
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            if head["format_version"] != FORMAT_VERSION:
                raise SnapshotDamaged(path=str(path), cause=f"format_version = {head['format_version']}")
            first = file.readline()
            digest.update(first)
            labels = tuple(json.loads(first)["labels"])
            for line in file:
                digest.update(line)
                split, example = _example(json.loads(line))
                parts[split].append(example)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotDamaged(path=str(path), cause=type(error).__name__) from error
    dataset_id = _as_id(digest.hexdigest())
    if dataset_id != head["dataset_id"]:
        raise SnapshotDamaged(path=str(path), cause=f"{head['dataset_id']} ≠ {dataset_id}")
    return Dataset(dataset_id=dataset_id, labels=labels, **{split: tuple(parts[split]) for split in SPLITS})


def _dataset_id(dataset: Dataset) -> str:
    digest = sha256()
    for line in _content(dataset):
        digest.update(line)
    return _as_id(digest.hexdigest())


def _as_id(hexdigest: str) -> str:
    return f"ds_{hexdigest[:16]}"


def _content(dataset: Dataset) -> Iterator[bytes]:
    yield _line({"labels": dataset.labels})
    for split in SPLITS:
        for example in getattr(dataset, split):
            yield _line(
                {
                    "example_id": example.example_id,
                    "inputs": example.inputs,
                    "source": example.source,
                    "split": split,
                    "target": example.target,
                    "weight": example.weight,
                }
            )


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8") + b"\n"


def _example(value: dict[str, Any]) -> tuple[str, Example]:
    target = value["target"]
    return value["split"], Example(
        example_id=value["example_id"],
        inputs=value["inputs"],
        target=None if target is None else tuple(target),
        source=value["source"],
        weight=value["weight"],
    )

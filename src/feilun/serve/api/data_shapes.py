"""Files, new projects and the machine as they go in and come out, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from feilun.serve.api.shapes import Shape

Column = Field(None, min_length=1, max_length=500, description="A column's name; absent: as recognised.")
UploadId = Field(description="A file, as POST /v1/uploads named it.", min_length=1, max_length=64)


class LabelCount(Shape):
    label: str
    n: int


class UploadReply(Shape):
    """A file that waits, and what it seems to hold."""

    upload_id: str
    name: str = Field(description="What its owner calls it.")
    size: int = Field(description="In bytes.")
    format: str = Field(description="csv, tsv, jsonl, xlsx or parquet, by its content.")
    encoding: str
    columns: list[str]
    rows: list[list[str]] = Field(description="The first ones; long cells are cut.")
    text: str | None = Field(description="The column of the message, as recognised or as asked for.")
    label: str | None = Field(description="The column of the label.")
    language: Literal["en", "zh", "multi"] | None
    n_rows: int | None
    n_bad: int | None = Field(description="Rows that cannot be read; a turn sets them aside.")
    n_unlabelled: int | None
    labels: list[LabelCount] = Field(description="The most frequent first.")
    multi_label: bool
    notes: list[str] = Field(description="What was noticed, in the caller's language.")
    trouble: str | None = Field(description="Why the columns cannot be told, or hold nothing to learn from.")


class ProjectRequest(Shape):
    """A project to make, of a file that was sent or of the bundled sample."""

    name: str = Field(min_length=1, max_length=64, description="Its name in addresses.", examples=["support"])
    upload_id: str | None = Field(None, min_length=1, max_length=64, description="The file it learns from.")
    sample: Literal["en", "zh"] | None = Field(None, description="The bundled sample, instead of a file.")
    text: str | None = Column
    label: str | None = Column
    language: Literal["en", "zh", "multi"] | None = Field(None, description="Of the messages; absent: as recognised.")
    holdout_upload_id: str | None = Field(
        None, min_length=1, max_length=64, description="A file that judges every model and never trains one."
    )
    tenant: str | None = Field(None, min_length=1, max_length=64, description="Whose it is; absent: the house's own.")
    budget_s: float | None = Field(
        None, gt=0, le=86_400, description="Seconds for training, [train] budget_s; absent: the default."
    )


class DataRequest(Shape):
    upload_id: str = UploadId
    text: str | None = Column
    label: str | None = Column


class SourceRow(Shape):
    """A file that turns learn from."""

    path: str = Field(description="In the project's folder.")
    text: str
    label: str


class MachineReply(Shape):
    """What this machine can do."""

    n_cores: int
    memory_left_mb: float | None = Field(description="Memory that can still be taken; null where nobody says.")
    disk_left_mb: float
    can_train: bool = Field(description="Whether layers can be trained; without torch, heads on a frozen backbone.")
    has_bfloat16: bool = Field(description="Whether the processor multiplies bfloat16 by itself.")
    has_int8: bool = Field(description="Whether the processor multiplies bytes by itself (VNNI, AMX, dot products).")
    backbones: list[str] = Field(description="Languages whose pretrained backbone is on this machine already.")
    can_found: bool = Field(description="Whether projects can be made here.")


class DatasetRow(Shape):
    """An immutable snapshot that turns learnt from; counts are null where it is not there any more."""

    dataset_id: str = Field(description="The hash of its content.")
    turn_ids: list[str] = Field(description="The turns that learnt from it, latest first.")
    created_at: datetime = Field(description="When the first of them began.")
    n_train: int | None
    n_holdout: int | None
    n_unlabelled: int | None
    n_classes: int | None


class DatasetList(Shape):
    datasets: list[DatasetRow] = Field(description="The latest first.")


class ClassChange(Shape):
    label: str
    n_before: int
    n_after: int


class RowChangeShape(Shape):
    """A row that is not as it was; labels and split are null where it was not, or is no more."""

    kind: Literal["added", "removed", "relabelled", "moved"]
    example_id: str
    inputs: dict[str, Any] = Field(description="The message.")
    source: str
    old_labels: list[str] | None
    new_labels: list[str] | None
    old_split: Literal["train", "holdout", "unlabelled"] | None
    new_split: Literal["train", "holdout", "unlabelled"] | None


class ChangeCounts(Shape):
    added: int
    removed: int
    relabelled: int
    moved: int = Field(description="To another split, under the same label.")


class DatasetChangesReply(Shape):
    """What is otherwise in a dataset than in another one."""

    dataset_id: str
    base_id: str | None = Field(description="The other one; null: there was none before, so everything is new.")
    counts: ChangeCounts
    classes: list[ClassChange] = Field(description="Labelled rows of each class; those that changed most first.")
    n_found: int = Field(description="Rows that are looked for.")
    rows: list[RowChangeShape]
    next_after: int | None = Field(description="Pass it as `after` for the next page; null when this is the last.")

"""The datasets that turns have made, and what changed from one to another."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.project.base import Base
from feilun.project.errors import DatasetUnknown
from feilun.records import Dataset

if TYPE_CHECKING:
    from feilun.data import ChangeKind, DatasetChanges

Row = dict[str, Any]
MOST_TURNS = 1000  # older ones are not listed
NOTHING = Dataset(dataset_id="", labels=(), train=(), holdout=(), unlabelled=())


class DatasetVerbs(Base):
    """Snapshots never change, so what was counted or compared once is kept at hand."""

    def list_datasets(self, *, limit: int = 20) -> list[Row]:
        """Each with how many rows it holds and the turns that learnt from it, latest first. One whose snapshot is not
        there any more has no counts."""
        rows = list(self._datasets().values())[:limit]
        return [row | self._counts(row["dataset_id"]) for row in rows]

    def compare_datasets(
        self,
        dataset_id: str,
        *,
        base_id: str | None = None,
        kind: ChangeKind | None = None,
        label: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Row:
        """What is otherwise in a dataset than in another one: counts, classes, and the rows, page by page.

        Args:
            base_id: the other one; None: the one before it, or nothing where it is the first.
            kind: only rows that were "added", "removed", "relabelled" or "moved" to another split.
            label: only rows that had or have this label.
            after: how many of the rows that are looked for to leave out.
        Raises:
            DatasetUnknown: no turn of this project has made it.
            SnapshotDamaged: it is not what was written, or gone.
        """
        known = list(self._datasets())
        if dataset_id not in known:
            raise DatasetUnknown(project=self.name, dataset_id=dataset_id[:64])
        if base_id is None:
            base_id = next(iter(known[known.index(dataset_id) + 1 :]), "")
        elif base_id not in known:
            raise DatasetUnknown(project=self.name, dataset_id=base_id[:64])
        base = self.store.dataset_path(base_id) if base_id else None
        changes = _compared(base, self.store.dataset_path(dataset_id))
        rows = [row for row in changes.rows if kind in (None, row.kind) and (label is None or row.has(label))]
        return {
            "dataset_id": dataset_id,
            "base_id": base_id or None,
            "counts": _counted(changes),
            "classes": [{"label": one, "n_before": before, "n_after": now} for one, before, now in changes.classes],
            "n_found": len(rows),
            "rows": [vars(row) for row in rows[after : after + limit]],
            "next_after": after + limit if after + limit < len(rows) else None,
        }

    def _datasets(self) -> dict[str, Row]:
        """By id, latest first: one that several turns had is as old as the first of them."""
        found: dict[str, Row] = {}
        for turn in self.store.list_turns(self.name, limit=MOST_TURNS):
            if turn["dataset_id"]:
                row = found.setdefault(turn["dataset_id"], {"dataset_id": turn["dataset_id"], "turn_ids": []})
                row["turn_ids"].append(turn["turn_id"])
                row["created_at"] = turn["created_at"]
        rows = sorted(found.values(), key=lambda row: row["created_at"], reverse=True)
        return {row["dataset_id"]: row for row in rows}

    def _counts(self, dataset_id: str) -> Row:
        path = self.store.dataset_path(dataset_id)
        return _sizes(path) if path.is_file() else dict.fromkeys(_SIZES)


_SIZES = ("n_train", "n_holdout", "n_unlabelled", "n_classes")


@lru_cache(maxsize=256)
def _sizes(path: Path) -> Row:
    from feilun.data import read_snapshot

    found = read_snapshot(path)
    parts = (found.train, found.holdout, found.unlabelled, found.labels)
    return dict(zip(_SIZES, map(len, parts), strict=True))


@lru_cache(maxsize=4)
def _compared(old: Path | None, new: Path) -> DatasetChanges:
    from feilun.data import compare, read_snapshot

    return compare(NOTHING if old is None else read_snapshot(old), read_snapshot(new))


def _counted(changes: DatasetChanges) -> dict[str, int]:
    from feilun.data import KINDS

    return {kind: changes.count(kind) for kind in KINDS}

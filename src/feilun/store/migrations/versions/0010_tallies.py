"""Counts of what was answered, hour by hour; those of what is there already are made.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHUNK = 10_000
WRITER = "migration"
Counts = Counter[tuple[str, str, str, str]]


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("hour", sa.String(32), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("writer", sa.String(length=40), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "hour", "part", "value", "writer"),
    )
    counts: Counts = Counter()
    for row in _rows("SELECT seq, project, created_at, decision, confidence, latency_ms, labels FROM predictions"):
        _count_prediction(counts, row)
    for row in _rows("SELECT seq, project, created_at, contradicts FROM feedback"):
        key = (row["project"], _hour(row))
        counts[*key, "feedback", "given"] += 1
        if row["contradicts"]:
            counts[*key, "feedback", "contradicted"] += 1
    table = sa.table("tallies", *(sa.column(name) for name in ("project", "hour", "part", "value", "writer", "n")))
    names = ("project", "hour", "part", "value")
    rows = [dict(zip(names, key, strict=True), writer=WRITER, n=n) for key, n in counts.items()]
    if rows:
        op.get_bind().execute(table.insert(), rows)


def downgrade() -> None:
    op.drop_table("tallies")


def _rows(query: str) -> Any:
    """Chunk by chunk: a workspace may hold a million answers."""
    after = 0
    while True:
        found = op.get_bind().execute(
            sa.text(f"{query} WHERE seq > :after ORDER BY seq LIMIT :n"), {"after": after, "n": CHUNK}
        )
        rows = found.mappings().all()
        if not rows:
            return
        yield from rows
        after = rows[-1]["seq"]


def _hour(row: Any) -> str:
    return f"{row['created_at'][:13]}:00:00.000000+00:00"


def _count_prediction(counts: Counts, row: Any) -> None:
    # The bins are those of feilun.store.tallies, as they were when this was written.
    ms, labels = row["latency_ms"], row["labels"]
    key = (row["project"], _hour(row))
    latency = 0 if ms <= 0.1 else min(math.ceil(math.log(ms / 0.1, 1.1)), 200)
    counts[*key, "decision", row["decision"]] += 1
    counts[*key, "confidence", str(min(max(int(row["confidence"] * 20), 0), 19))] += 1
    counts[*key, "latency", str(latency)] += 1
    for label in json.loads(labels) if isinstance(labels, str) else labels:
        counts[*key, "label", label[:200]] += 1

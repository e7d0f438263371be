"""Counts of what was answered by day, beside those by hour; made from these.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tally_days",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(32), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("writer", sa.String(length=40), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "day", "part", "value", "writer"),
    )
    day = "substr(hour, 1, 10) || 'T00:00:00.000000+00:00'"
    op.execute(
        "INSERT INTO tally_days (project, day, part, value, writer, n) "
        f"SELECT project, {day}, part, value, writer, sum(n) FROM tallies GROUP BY project, {day}, part, value, writer"
    )


def downgrade() -> None:
    op.drop_table("tally_days")

"""How many requests about a project came and failed, by minute.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("minute", sa.String(32), nullable=False),
        sa.Column("writer", sa.String(length=40), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("n_failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "minute", "writer"),
    )


def downgrade() -> None:
    op.drop_table("outcomes")

"""Messages that lie on somebody's desk.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("example_id", sa.String(length=40), nullable=False),
        sa.Column("desk", sa.String(length=64), nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("project", "example_id"),
    )


def downgrade() -> None:
    op.drop_table("claims")

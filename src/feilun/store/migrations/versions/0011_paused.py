"""A turn may be paused.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("paused_at", sa.String(32)))


def downgrade() -> None:
    op.drop_column("turns", "paused_at")

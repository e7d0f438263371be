"""Tenants: whose a project is, whose an API key is, and keys whose secret can be changed.

Revision ID: 0003
Revises: 0002
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenants = op.create_table(
        "tenants",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("disabled_at", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("tenant"),
    )
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    op.bulk_insert(tenants, [{"tenant": "house", "name": "House", "created_at": now, "disabled_at": None}])
    op.add_column("projects", sa.Column("tenant", sa.String(length=64), nullable=False, server_default="house"))
    op.add_column("api_keys", sa.Column("tenant", sa.String(length=64), nullable=True))
    op.add_column("api_keys", sa.Column("previous_hash", sa.String(length=64), nullable=True))
    op.add_column("api_keys", sa.Column("previous_until", sa.String(32), nullable=True))
    op.add_column("api_keys", sa.Column("last_used_at", sa.String(32), nullable=True))
    op.create_index("ix_api_keys_previous", "api_keys", ["previous_hash"], unique=True)
    # A key of one project is its tenant's; a key of the whole workspace stays the operator's.
    op.execute("UPDATE api_keys SET tenant = 'house' WHERE project IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_api_keys_previous", table_name="api_keys")
    for column in ("last_used_at", "previous_until", "previous_hash", "tenant"):
        op.drop_column("api_keys", column)
    op.drop_column("projects", "tenant")
    op.drop_table("tenants")

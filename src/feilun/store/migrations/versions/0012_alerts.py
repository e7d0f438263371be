"""How the rules of a project stand, and alerts on their way.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_states",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("occasion", sa.String(length=40), nullable=False),
        sa.Column("since", sa.String(32)),
        sa.PrimaryKeyConstraint("project", "rule"),
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("delivery_id", sa.String(length=40), nullable=False, unique=True),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("n_tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.String(32)),
        sa.Column("leased_until", sa.String(32)),
        sa.Column("error", sa.JSON()),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("finished_at", sa.String(32)),
    )
    op.create_index("ix_alert_deliveries_project", "alert_deliveries", ["project", "seq"])
    op.create_index("ix_alert_deliveries_due", "alert_deliveries", ["project", "state", "next_at"])


def downgrade() -> None:
    op.drop_table("alert_deliveries")
    op.drop_table("alert_states")

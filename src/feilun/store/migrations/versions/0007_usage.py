"""Limits of keys and tenants, and the ledger of what was used.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FUNCTION = "usage_append_only"


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("subject", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=True),
        sa.Column("project", sa.String(length=64), nullable=True),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("burst", sa.Integer(), nullable=True),
        sa.Column("monthly_requests", sa.BigInteger(), nullable=True),
        sa.Column("monthly_characters", sa.BigInteger(), nullable=True),
        sa.Column("full_at", sa.Float(precision=53), nullable=False),
        sa.Column("changed_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("subject", "subject_id"),
    )
    op.create_table(
        "usage",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("minute", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("server", sa.String(length=40), nullable=False),
        sa.Column("n_requests", sa.BigInteger(), nullable=False),
        sa.Column("n_inputs", sa.BigInteger(), nullable=False),
        sa.Column("n_characters", sa.BigInteger(), nullable=False),
        sa.Column("n_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cpu_ms", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_usage_minute", "usage", ["minute"], unique=False)
    _make_append_only()


def _make_append_only() -> None:
    """Bills are made from the ledger: the database itself refuses to change what it says."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER usage_no_{verb.lower()} BEFORE {verb} ON usage "
                "BEGIN SELECT RAISE(ABORT, 'usage is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {FUNCTION}() RETURNS trigger AS "
        "$$ BEGIN RAISE EXCEPTION 'usage is append-only'; END $$ LANGUAGE plpgsql"
    )
    op.execute(f"CREATE TRIGGER {FUNCTION} BEFORE UPDATE OR DELETE ON usage FOR EACH ROW EXECUTE FUNCTION {FUNCTION}()")


def downgrade() -> None:
    op.drop_table("usage")
    op.drop_table("limits")
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"DROP FUNCTION {FUNCTION}()")

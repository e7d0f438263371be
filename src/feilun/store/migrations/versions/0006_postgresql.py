"""Leases for those who turn a project, the database's own id, and on PostgreSQL a stricter release log.

Revision ID: 0006
Revises: 0005
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project"),
    )
    marks = op.create_table(
        "marks",
        sa.Column("database_id", sa.String(length=40), nullable=False),
        sa.Column("is_folder_marked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("database_id"),
    )
    op.bulk_insert(marks, [{"database_id": f"db_{secrets.token_hex(12)}", "is_folder_marked": False}])
    if op.get_bind().dialect.name == "postgresql":
        _guard_releases("USING ERRCODE = 'integrity_constraint_violation'")
        op.execute(
            "CREATE TRIGGER releases_no_truncate BEFORE TRUNCATE ON releases "
            "FOR EACH STATEMENT EXECUTE FUNCTION releases_append_only()"
        )


def _guard_releases(how: str) -> None:
    """The function behind the triggers of 0001; with the error class that SQLite's triggers have."""
    op.execute(
        "CREATE OR REPLACE FUNCTION releases_append_only() RETURNS trigger AS "
        f"$$ BEGIN RAISE EXCEPTION 'releases is append-only' {how}; END $$ LANGUAGE plpgsql"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER releases_no_truncate ON releases")
        _guard_releases("")
    op.drop_table("marks")
    op.drop_table("leases")

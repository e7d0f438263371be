"""Shadows and canaries: their share in the release log, who drew which model, what a shadow said.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("releases", sa.Column("share", sa.Float(), nullable=True))
    op.add_column("predictions", sa.Column("release_id", sa.String(length=40), nullable=True))
    op.add_column("predictions", sa.Column("bucket", sa.Integer(), nullable=True))
    op.create_index(
        "ix_predictions_release",
        "predictions",
        ["release_id", "bucket"],
        unique=False,
        sqlite_where=sa.text("release_id IS NOT NULL"),
        postgresql_where=sa.text("release_id IS NOT NULL"),
    )
    op.add_column("feedback", sa.Column("contradicts", sa.Boolean(), nullable=True))
    op.create_table(
        "shadow_answers",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("prediction_id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("prediction_id"),
    )
    op.create_index("ix_shadow_answers_release", "shadow_answers", ["release_id", "agrees", "seq"], unique=False)


def downgrade() -> None:
    op.drop_table("shadow_answers")
    op.drop_column("feedback", "contradicts")
    op.drop_index("ix_predictions_release", table_name="predictions")
    op.drop_column("predictions", "bucket")
    op.drop_column("predictions", "release_id")
    op.drop_column("releases", "share")

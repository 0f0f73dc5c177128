"""Executes sql/migrations/0011_disputes_taken_back.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

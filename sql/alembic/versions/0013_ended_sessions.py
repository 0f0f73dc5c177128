"""Executes sql/migrations/0013_ended_sessions.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

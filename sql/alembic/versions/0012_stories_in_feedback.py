"""Executes sql/migrations/0012_stories_in_feedback.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

"""Executes sql/migrations/0014_copies_of_late_stories.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

"""Executes sql/migrations/0008_story_words.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

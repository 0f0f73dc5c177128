"""Executes sql/migrations/0009_stories_with_articles.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

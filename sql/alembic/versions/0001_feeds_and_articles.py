"""Executes sql/migrations/0001_feeds_and_articles.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0001"
down_revision = None


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

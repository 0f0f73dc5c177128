"""Executes sql/migrations/0010_paused_feeds.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

"""Executes sql/migrations/0006_story_keys.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

"""Executes sql/migrations/0005_rollups.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

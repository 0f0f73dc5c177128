"""Executes sql/migrations/0003_windows_and_alerts.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

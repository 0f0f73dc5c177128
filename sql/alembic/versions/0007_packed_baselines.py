"""Executes sql/migrations/0007_packed_baselines.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

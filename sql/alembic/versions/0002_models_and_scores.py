"""Executes sql/migrations/0002_models_and_scores.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

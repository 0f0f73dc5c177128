"""Executes sql/migrations/0004_labels_and_desk.sql."""

from alembic import op

from pipeline.store.migrate import run_migration

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """One step forward; there is no way back but a backup."""
    run_migration(op.get_bind(), revision)

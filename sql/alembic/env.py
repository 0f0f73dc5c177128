"""Alembic's environment, entered by pipeline.store.migrate, which hands over a connection in a transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()

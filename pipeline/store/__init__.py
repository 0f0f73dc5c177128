"""Everything Postgres: engine, embedded server, migrations, one module per noun with its SQL beside it."""

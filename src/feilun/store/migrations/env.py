"""Alembic's entry: runs on the connection that `feilun.store.database.migrate` hands over."""

from alembic import context

from feilun.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()

"""Alembic's entry: migrations run on the connection that `app.db.migrate` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=None,
    version_table="schema_version",
    version_table_schema="shuitu",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
